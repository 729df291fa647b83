//! Values become text.

use std::collections::BTreeMap;
use std::fmt;

use kernel::metric::{self, Kind, Metric, MetricDef, Unit};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{self, Registry};

/// Values of metrics at one moment.
#[derive(Debug, Default)]
pub struct Samples {
    by_name: BTreeMap<&'static str, Vec<Sample>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Sample {
    /// In the order of the metric's labels.
    labels: Vec<String>,
    value: Value,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(u64::from(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl Samples {
    /// Notes a value of a metric, for these values of its labels.
    pub fn set<const LABELS: usize>(
        &mut self,
        metric: &Metric<LABELS>,
        labels: [&str; LABELS],
        value: impl Into<Value>,
    ) {
        let sample = Sample { labels: labels.map(str::to_owned).into(), value: value.into() };
        self.by_name.entry(metric.def.name).or_default().push(sample);
    }

    /// All declared metrics in the text format of OpenMetrics, also those that have no value now.
    pub fn into_text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut page = String::new();
        text::encode(&mut page, &registry)?;
        Ok(page)
    }

    fn encode_metric(&self, encoder: &mut DescriptorEncoder<'_>, def: &MetricDef) -> fmt::Result {
        let kind = match def.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        let unit = match def.unit {
            Unit::Count => None,
            Unit::Bytes => Some(registry::Unit::Bytes),
            Unit::Seconds => Some(registry::Unit::Seconds),
            Unit::Ratio => Some(registry::Unit::Other("ratio".to_owned())),
        };
        let mut encoder = encoder.encode_descriptor(def.stem(), def.help, unit.as_ref(), kind)?;
        for Sample { labels, value } in self.by_name.get(def.name).into_iter().flatten() {
            if labels.is_empty() {
                encode_value(&mut encoder, def.kind, *value)?;
                continue;
            }
            let labels: Vec<(&str, &str)> =
                def.labels.iter().copied().zip(labels.iter().map(String::as_str)).collect();
            encode_value(&mut encoder.encode_family(&labels)?, def.kind, *value)?;
        }
        Ok(())
    }
}

type NoExemplar = Option<&'static Exemplar<Vec<(String, String)>, f64>>;

fn encode_value(encoder: &mut MetricEncoder<'_>, kind: Kind, value: Value) -> fmt::Result {
    const NONE: NoExemplar = None;
    match (kind, value) {
        (Kind::Counter, Value::Whole(value)) => encoder.encode_counter(&value, NONE),
        (Kind::Counter, Value::Real(value)) => encoder.encode_counter(&value, NONE),
        (Kind::Gauge, Value::Whole(value)) => encoder.encode_gauge(&value),
        (Kind::Gauge, Value::Real(value)) => encoder.encode_gauge(&value),
    }
}

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        metric::all().try_for_each(|def| self.encode_metric(&mut encoder, def))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_metric_is_exposed_under_its_name_and_as_what_it_is() {
        let mut samples = Samples::default();
        for def in metric::all() {
            let sample = Sample { labels: vec!["x".to_owned(); def.labels.len()], value: Value::Whole(7) };
            samples.by_name.insert(def.name, vec![sample]);
        }
        let page = samples.into_text().expect("texts can be written");
        for def in metric::all() {
            let MetricDef { name, kind, unit, help, labels } = *def;
            let family = name.strip_suffix("_total").unwrap_or(name);
            assert!(page.contains(&format!("# HELP {family} {help}\n")), "{name}");
            assert!(page.contains(&format!("# TYPE {family} {}\n", kind.name())), "{name}");
            let told = unit.suffix().map(|unit| format!("# UNIT {family} {unit}\n"));
            assert!(told.is_none_or(|told| page.contains(&told)), "{name}");
            let labels: Vec<String> = labels.iter().map(|label| format!("{label}=\"x\"")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            assert!(page.contains(&format!("\n{name}{labels} 7\n")), "{name}:\n{page}");
        }
        assert!(page.ends_with("# EOF\n"));
    }

    #[test]
    fn a_metric_without_a_value_is_announced_and_labels_are_escaped() {
        let mut samples = Samples::default();
        samples.set(&metric::DIR_ONLINE, ["/a \"b\"\\c\nd"], true);
        samples.set(&metric::CLEANER_MAX_DIRTY, ["/"], 0.25);
        let page = samples.into_text().expect("texts can be written");
        assert!(
            page.contains("# TYPE riverrun_open_logs gauge\n") && !page.contains("\nriverrun_open_logs ")
        );
        let escaped = r#"riverrun_log_directory_online{log_dir="/a \"b\"\\c\nd"} 1"#;
        assert!(page.contains(escaped), "{page}");
        assert!(page.contains("riverrun_cleaner_max_dirty_ratio{log_dir=\"/\"} 0.25\n"));
    }
}
