//! `riverrun config explain`.

use clap::Args;
use kernel::option::deviation::{DEVIATIONS, Deviation, kafka_default};
use kernel::option::effect;
use kernel::option::{
    Default as OptionDefault, OptionDef, PUSH_INTERVAL, PUSH_INTERVALS, Table as OptionTable, bound_of_group,
    synonym,
};
use serde_json::{Map, Value};

use super::meant::meant;
use crate::command::{Failure, Format};
use crate::print::Output;

/// Say what a setting does, what it may be, and what it is if nobody sets it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun config explain retention.ms
  riverrun config explain log.flush.interval.ms --format json

It needs no broker. `riverrun config get broker ID --all` and `riverrun config get topic NAME --all` list what there is.")]
pub struct Explain {
    /// The setting.
    #[arg(value_name = "KEY")]
    key: String,
}

/// All options that this release knows, with what they are of.
pub(super) fn all_options() -> impl Iterator<Item = (&'static str, &'static OptionDef)> {
    let tables = [
        ("topic", OptionTable::Topic),
        ("broker", OptionTable::Broker),
        ("group", OptionTable::Group),
        ("client-metrics", OptionTable::ClientMetrics),
    ];
    tables.into_iter().flat_map(|(of, table)| table.rows().map(move |def| (of, def)))
}

/// The names of all settings, or of those of one kind.
pub fn names(kind: Option<&str>) -> Vec<String> {
    let kind = kind.filter(|kind| all_options().any(|(of, _)| of == *kind));
    let mut names: Vec<String> = all_options()
        .filter(|(of, _)| kind.is_none_or(|kind| *of == kind))
        .map(|(_, def)| def.name.to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Says what a setting does; it needs no broker.
pub fn explain(explain: &Explain, format: Format) -> Result<(), Failure> {
    let found: Vec<_> =
        all_options().filter(|(_, def)| def.name.eq_ignore_ascii_case(&explain.key)).collect();
    if found.is_empty() {
        let failure = Failure::not_there(format!("there is no setting {:?}", explain.key));
        let meant = meant(&explain.key, all_options().map(|(_, def)| def.name));
        return Err(failure.next(meant.unwrap_or_else(|| "`riverrun config get broker ID --all` and `riverrun config get topic NAME --all` show those that there are"
                .to_owned())));
    }
    let mut output = Output::new(found.iter().map(|(of, def)| explained(of, def)).collect());
    for (place, (of, def)) in found.iter().enumerate() {
        if place > 0 {
            output = output.gap();
        }
        output = output
            .fact("setting", def.name)
            .fact("of", *of)
            .fact("does", def.doc)
            .fact("type", def.kind.name().to_lowercase())
            .fact("may be", allowed(of, def))
            .fact("default", default(of, def))
            .fact("importance", def.importance.name().to_lowercase());
        if *of == "broker" {
            output = output.fact("changes", def.changes().name());
        }
        if let Some(here) = here(of, def) {
            output = output.fact("in this release", here);
        }
        for (word, _, names) in elsewhere(of, def) {
            output = output.fact(word, listed(word, &names));
        }
    }
    output.names(found.first().map(|(_, def)| def.name)).print(format).map_err(Failure::from)
}

/// What it may be, also where that is decided by more than the setting's own type.
fn allowed(of: &str, def: &OptionDef) -> String {
    if of == "client-metrics" && def.name == PUSH_INTERVAL {
        return format!("a whole number from {} to {}", PUSH_INTERVALS.start(), PUSH_INTERVALS.end());
    }
    let bound = |(side, word): (&str, &str)| {
        let option = OptionTable::Broker.find(&bound_of_group(def.name, side)?)?;
        Some(format!("{word} {} ({})", option.name, kafka_default(option)?))
    };
    let bounds = [("min", "at least"), ("max", "at most")].into_iter().filter(|_| of == "group");
    let bounds: Vec<String> = bounds.filter_map(bound).collect();
    match bounds.is_empty() {
        true => def.allowed(),
        false => format!("{}; {} of the brokers", def.allowed(), bounds.join(" and ")),
    }
}

/// The default of ours where it is not Kafka's. That of a topic is its broker's.
fn deviation(of: &str, def: &OptionDef) -> Option<&'static Deviation> {
    let option = option_of_broker(of, def)?;
    DEVIATIONS.iter().find(|deviation| deviation.option == option)
}

/// What comes of it with our brokers, where that is not what it does elsewhere.
fn here(of: &str, def: &OptionDef) -> Option<String> {
    effect::here(option_of_broker(of, def)?)
}

/// The setting of brokers that it is, or that decides where it is not set.
fn option_of_broker(of: &str, def: &OptionDef) -> Option<&'static str> {
    match of {
        "broker" => OptionTable::Broker.find(def.name).map(|def| def.name),
        "topic" => Some(synonym::twins_of_topic(def.name)?.broker.first()?.0),
        _ => None,
    }
}

/// For people: the default, and Kafka's beside it where that is another one.
fn default(of: &str, def: &OptionDef) -> String {
    let shown = |text: Option<&str>| match text {
        None => "(no value)".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(text) => text.to_owned(),
    };
    let kafka = match def.default {
        OptionDefault::Required => "(somebody has to set it)".to_owned(),
        _ if of == "broker" && def.name == "log.dirs" => "that of log.dir".to_owned(),
        _ => shown(kafka_default(def)),
    };
    match deviation(of, def) {
        None => kafka,
        Some(Deviation { ours, only_alone: true, .. }) => {
            format!("{kafka}; {} on a node on its own", shown(*ours))
        }
        Some(Deviation { ours, .. }) => format!("{}; Kafka has {kafka}", shown(*ours)),
    }
}

/// Where else the same is said: for people, for programs, and under which names.
type Elsewhere = (&'static str, &'static str, Vec<&'static str>);

/// For people: what decides where nobody has set the setting itself.
const FROM_BROKER: &str = "from broker";
/// For people: the same in other units.
const ONE_OF: &str = "one of";

/// The settings that decide where this one is not set, those that it decides, and those that say the same in other units.
fn elsewhere(of: &str, def: &'static OptionDef) -> Vec<Elsewhere> {
    let named = |names: &[(&'static str, synonym::Unit)]| names.iter().map(|(name, _)| *name).collect();
    let all = match of {
        "topic" => {
            let names = synonym::twins_of_topic(def.name).map(|twin| named(twin.broker));
            vec![(FROM_BROKER, "broker_keys", names.unwrap_or_default())]
        }
        "group" => vec![(FROM_BROKER, "broker_keys", synonym::twin_of_group(def.name).into_iter().collect())],
        "broker" => {
            let decides = |twin: &&synonym::Twin| twin.broker.iter().any(|(name, _)| *name == def.name);
            let topics = synonym::TOPIC_TWINS.iter().filter(decides).map(|twin| twin.topic).collect();
            let family = synonym::of_broker(def.name, false);
            let family = if family.len() > 1 { family } else { Vec::new() };
            vec![("for topics", "topic_keys", topics), (ONE_OF, "same_in_other_units", family)]
        }
        _ => Vec::new(),
    };
    all.into_iter().filter(|(_, _, names)| !names.is_empty()).collect()
}

/// Names as people read them, with what counts where there are several.
fn listed(word: &str, names: &[&str]) -> String {
    let all = names.join(", ");
    let one_counts = names.len() > 1 && [FROM_BROKER, ONE_OF].contains(&word);
    if one_counts { format!("{all}; the first that is set counts") } else { all }
}

fn explained(of: &str, def: &'static OptionDef) -> Value {
    let mut object = Map::new();
    let deviation = deviation(of, def);
    let ours = deviation.filter(|deviation| !deviation.only_alone);
    let default = ours.map_or_else(|| kafka_default(def), |deviation| deviation.ours);
    object.insert("key".to_owned(), def.name.into());
    object.insert("of".to_owned(), of.into());
    object.insert("type".to_owned(), def.kind.name().to_lowercase().into());
    object.insert("allowed".to_owned(), allowed(of, def).into());
    object.insert("default".to_owned(), default.into());
    if let Some(deviation) = deviation {
        let (word, other) = match deviation.only_alone {
            true => ("default_alone", deviation.ours),
            false => ("default_in_kafka", kafka_default(def)),
        };
        object.insert(word.to_owned(), other.into());
    }
    object.insert("importance".to_owned(), def.importance.name().to_lowercase().into());
    // Everything else changes as one pleases.
    if of == "broker" {
        object.insert("changes".to_owned(), def.changes().name().into());
    }
    object.insert("doc".to_owned(), def.doc.into());
    if let Some(here) = here(of, def) {
        object.insert("in_this_release".to_owned(), here.into());
    }
    for (_, word, names) in elsewhere(of, def) {
        object.insert(word.to_owned(), names.into());
    }
    Value::from(object)
}
