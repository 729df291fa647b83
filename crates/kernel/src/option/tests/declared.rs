use std::collections::BTreeSet;

use crate::limits;
use crate::option::*;

/// Facts about Kafka 4.4.0: table, name, type, default, importance, visibility, update mode, bounds.
const FACTS: &str = include_str!("../testdata/kafka-4.4.tsv");

fn facts() -> Vec<Vec<&'static str>> {
    FACTS.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect()
}

fn table(name: &str) -> Table {
    match name {
        "broker" => Table::Broker,
        "topic" => Table::Topic,
        "group" => Table::Group,
        _ => Table::ClientMetrics,
    }
}

#[test]
fn every_option_of_kafka_is_declared_with_its_facts() {
    for fact in facts() {
        let [table_name, name, kind, default, importance, visibility, mode, bounds] = fact[..] else {
            panic!("eight columns: {fact:?}");
        };
        let def =
            table(table_name).find(name).unwrap_or_else(|| panic!("{table_name} option {name} is missing"));
        assert_eq!(def.kind.name(), kind, "{name}");
        assert_eq!(def.importance.name(), importance, "{name}");
        assert_eq!(def.internal, visibility == "internal", "{name}");
        if mode != "-" {
            assert_eq!(def.dynamic.name(), mode, "{name}");
        }
        let ours = match def.default {
            Default::Required => "<required>",
            Default::Null => "<null>",
            Default::Text(text) => text,
        };
        assert_eq!(ours, default, "{name}");
        // Kafka checks the interval elsewhere, and what a file says is never null.
        if !matches!(def.valid, Valid::Rule(_)) && name != "interval.ms" {
            let bounds = if bounds == "non-null string" { "-" } else { bounds };
            assert_eq!(bounds_as_kafka_prints_them(&def.valid), bounds, "{name}");
        }
    }
}

fn bounds_as_kafka_prints_them(valid: &Valid) -> String {
    let list = |texts: &[&str]| format!("[{}]", texts.join(", "));
    match valid {
        Valid::Anything | Valid::Entries { .. } => "-".to_owned(),
        Valid::AtLeast(min) => format!("[{min},...]"),
        Valid::Between(min, max) => format!("[{min},...,{max}]"),
        Valid::Share(min, max) => format!("[{min},...,{max}]"),
        Valid::OneOf(texts) => list(texts),
        Valid::OneOfAnyCase(texts) => format!("(case insensitive) {}", list(texts)),
        Valid::EntriesOf { entries, .. } => list(entries),
        Valid::NotEmpty => "non-empty string".to_owned(),
        Valid::Rule(rule) => rule.allowed.to_owned(),
    }
}

/// What only we have.
pub const OWN: [(&str, &str); 6] = [
    ("broker", "log.journal.batch.max.bytes"),
    ("broker", "log.journal.bytes"),
    ("broker", "log.shutdown.single.syncs.max"),
    ("broker", "log.write.caching"),
    ("broker", "metrics.listener"),
    ("topic", "write.caching"),
];

#[test]
fn no_option_is_declared_that_kafka_does_not_have_but_a_few_of_our_own() {
    let mut known: BTreeSet<(String, String)> =
        facts().iter().map(|fact| (fact[0].to_owned(), fact[1].to_owned())).collect();
    known.extend(OWN.map(|(table, name)| (table.to_owned(), name.to_owned())));
    for name in ["broker", "topic", "group", "client-metrics"] {
        for def in table(name).rows() {
            assert!(known.contains(&(name.to_owned(), def.name.to_owned())), "{}", def.name);
        }
    }
    let counts = ["broker", "topic", "group", "client-metrics"].map(|name| table(name).rows().count());
    assert_eq!(counts, [387, 39, 27, 3]);
}

#[test]
fn no_table_has_a_name_twice() {
    let rows: usize = broker::AREAS.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!(rows, Table::Broker.rows().count());
    assert_eq!(topic::TOPIC.len(), Table::Topic.rows().count());
    assert_eq!(group::GROUP.len(), Table::Group.rows().count());
}

#[test]
fn every_default_passes_its_own_check_and_prints_as_it_is_written() {
    for table in [Table::Broker, Table::Topic, Table::Group, Table::ClientMetrics] {
        for def in table.rows() {
            let Default::Text(text) = def.default else { continue };
            let value = validate(def, text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(value.to_text().as_deref(), Some(text), "{}", def.name);
        }
    }
}

#[test]
fn every_description_is_a_sentence_with_a_unit_where_there_is_one() {
    for table in [Table::Broker, Table::Topic, Table::Group, Table::ClientMetrics] {
        for def in table.rows() {
            assert!(def.doc.ends_with('.') && def.doc.len() > 15, "{}: {}", def.name, def.doc);
            let said = def.doc.to_lowercase();
            if def.name.ends_with(".ms") {
                assert!(said.contains("milliseconds"), "{}", def.name);
            }
            if def.name.ends_with(".bytes") {
                assert!(said.contains("byte") || said.contains("size"), "{}: {}", def.name, def.doc);
            }
        }
    }
}

#[test]
fn deviations_name_options_and_values_that_exist() {
    for deviation in deviation::DEVIATIONS {
        let def = Table::Broker.find(deviation.option).expect("a broker option");
        if let Some(ours) = deviation.ours {
            validate(def, ours).expect("a value that the option takes");
            assert_ne!(deviation::kafka_default(def), Some(ours), "{} does not deviate", def.name);
        }
    }
    let bound =
        |name: &str| deviation::default_of(Table::Broker.find(name).expect("known"), || true).as_i64();
    assert_eq!(bound("queued.max.request.bytes"), i64::try_from(limits::REQUEST_MEMORY_BYTES).ok());
    assert_eq!(
        bound("max.decompressed.message.bytes"),
        i64::try_from(limits::MAX_DECOMPRESSED_BATCH_BYTES).ok()
    );
}

#[test]
fn twins_exist_and_agree_about_their_default() {
    for twin in synonym::TOPIC_TWINS {
        let topic = Table::Topic.find(twin.topic).expect("a topic option");
        let mut defaults = twin
            .broker
            .iter()
            .map(|(name, unit)| (Table::Broker.find(name).expect("a broker option"), *unit));
        let (broker, unit) = defaults.rfind(|(def, _)| def.default != Default::Null).expect("a default");
        let expected = match unit {
            synonym::Unit::Same => default_value(broker),
            unit => Value::Long(unit.convert(default_value(broker).as_i64().expect("a number"))),
        };
        assert_eq!(default_value(topic), expected, "{}", twin.topic);
    }
    for def in Table::Group.rows() {
        if let Some(twin) = synonym::twin_of_group(def.name) {
            assert!(Table::Broker.find(twin).is_some(), "{twin}");
        }
    }
}

fn def(name: &str) -> &'static OptionDef {
    find_broker(name).expect("a broker option")
}

fn refusal(name: &str, raw: &str) -> String {
    validate(def(name), raw).expect_err("refused").to_string()
}

#[test]
fn values_are_read_as_kafka_reads_them() {
    assert_eq!(validate(def("auto.create.topics.enable"), " TRUE "), Ok(Value::Boolean(true)));
    assert_eq!(validate(def("num.partitions"), " +3\t"), Ok(Value::Int(3)));
    assert_eq!(validate(def("offsets.topic.replication.factor"), "2"), Ok(Value::Short(2)));
    assert_eq!(validate(def("log.cleaner.io.max.bytes.per.second"), "1e6"), Ok(Value::Double(1e6)));
    let list = validate(def("process.roles"), "broker , controller,broker").expect("a list");
    assert_eq!(
        list.as_list().map(<[String]>::to_vec),
        Some(vec!["broker".to_owned(), "controller".to_owned()])
    );
    assert_eq!(validate(def("log.cleanup.policy"), ""), Ok(Value::List(Vec::new())));
    assert_eq!(validate(def("broker.rack"), "  a b "), Ok(Value::Text("a b".to_owned())));
}

#[test]
fn a_list_that_was_read_can_be_written_and_read_again() {
    let name = "group.consumer.assignors";
    assert!(refusal(name, "range,\u{f},uniform").contains("must not be empty"));
    let list = validate(def(name), " \u{1}range , uniform,range\u{f}").expect("a list");
    let written = list.to_text().expect("a text");
    assert_eq!((written.as_str(), validate(def(name), &written)), ("range,uniform", Ok(list)));
}

#[test]
fn refusals_say_what_is_wrong() {
    let cases = [
        ("num.partitions", "0", "Invalid value 0 for configuration num.partitions: Value must be at least 1"),
        ("num.partitions", "x", "Invalid value x for configuration num.partitions: Not a number of type INT"),
        (
            "num.partitions",
            "2147483648",
            "Invalid value 2147483648 for configuration num.partitions: Not a number of type INT",
        ),
        (
            "auto.create.topics.enable",
            "yes",
            "Invalid value yes for configuration auto.create.topics.enable: Expected value to be either true or false",
        ),
        (
            "compression.type",
            "brotli",
            "Invalid value brotli for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            "log.cleaner.min.cleanable.ratio",
            "1.5",
            "Invalid value 1.5 for configuration log.cleaner.min.cleanable.ratio: Value must be no more than 1",
        ),
        (
            "compression.gzip.level",
            "10",
            "Invalid value 10 for configuration compression.gzip.level: Value must be -1 or a level from 1 to 9",
        ),
    ];
    for (name, raw, expected) in cases {
        assert_eq!(refusal(name, raw), expected);
    }
    assert!(refusal("process.roles", "broker,queen").contains("String must be one of: broker, controller"));
    assert!(refusal("listeners", "").contains("must not be empty"));
    assert!(refusal("listeners", "A://h:1,,B://h:2").contains("must not be empty"));
}

#[test]
fn a_fraction_may_say_its_type_once_as_in_java() {
    let ratio = def("log.cleaner.min.cleanable.ratio");
    for raw in ["0.5", ".5d", "5e-1F", " 0.5D "] {
        assert_eq!(validate(ratio, raw).map(|value| value.as_f64()), Ok(Some(0.5)), "{raw}");
    }
    for raw in ["0.5dd", "0.5df", "d", "", "NaN"] {
        assert!(validate(ratio, raw).is_err(), "{raw}");
    }
}

#[test]
fn a_secret_is_not_repeated_in_an_error() {
    let error = OptionError::new(def("ssl.key.password"), "hunter2", "wrong");
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn fractions_print_as_in_java() {
    let text = |value: f64| Value::Double(value).to_text().expect("a text");
    let printed = [0.5, 1.0, 0.0, f64::MAX, 1e7, 9_999_999.0, 0.001, 0.000_5, 12_345_678.9].map(text);
    let expected = [
        "0.5",
        "1.0",
        "0.0",
        "1.7976931348623157E308",
        "1.0E7",
        "9999999.0",
        "0.001",
        "5.0E-4",
        "1.23456789E7",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn a_listeners_option_is_checked_like_the_plain_one() {
    let name = |name: &str| find_broker(name).map(|def| def.name);
    assert_eq!(name("listener.name.outside.ssl.keystore.location"), Some("ssl.keystore.location"));
    assert_eq!(name("listener.name.sasl_ssl.plain.sasl.jaas.config"), Some("sasl.jaas.config"));
    assert_eq!(name("listener.name.outside.nonsense"), None);
    assert_eq!(name("listener.name.outside"), None);
}
