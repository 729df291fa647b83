//! What operators and clients write into configurations.

use std::sync::LazyLock;

use kernel::option::{
    Kind, NodeOptions, OptionDef, Overrides, Sources, Table, endpoint, environment_key, find_broker,
    properties, resolve, validate,
};

use super::Target;
use crate::bound::{FREE_BYTES, within};
use crate::input::{Input, Output};

pub const PROPERTIES: Target = Target {
    name: "properties",
    what: "a server.properties, its environment and --set, up to the configuration of a broker",
    run: run_properties,
    seeds: seeds_properties,
    len_max: 512,
    micros: 135,
};

pub const OPTION: Target = Target {
    name: "option",
    what: "one value of every option of every table, and the lists of addresses inside of them",
    run: run_option,
    seeds: seeds_option,
    len_max: 512,
    micros: 40,
};

/// What a configuration takes however short its text: every option has a value.
const CONFIG_BYTES: usize = 256 * 1024;
/// What a setting takes for each byte of its text: a map's entry with its origin, and a sentence about what is wrong with it.
const SETTING_PER_BYTE: usize = 256;

/// A file, then settings of the environment and the command line.
fn run_properties(input: &[u8]) {
    let len = input.len();
    let mut input = Input::new(input);
    let file = properties::decode(input.part());
    let mut environment = Vec::new();
    let mut command_line = Vec::new();
    while !input.is_empty() {
        let kind = input.byte();
        let text = properties::decode(input.part());
        match text.split_once('=') {
            Some((name, value)) if kind & 1 == 0 => {
                environment.push((format!("KAFKA_{name}"), value.to_owned()))
            }
            _ => command_line.push(text),
        }
    }
    let entries = within(8 * len + FREE_BYTES, || properties::parse(&file));
    let lines = file.matches(['\n', '\r']).count() as u32 + 1;
    for entry in entries.iter().flatten() {
        assert!((1..=lines).contains(&entry.line), "line {} of {lines}", entry.line);
    }
    let sources = Sources {
        file: Some(("server.properties", &file)),
        environment: &environment,
        command_line: &command_line,
    };
    let may = SETTING_PER_BYTE * len + CONFIG_BYTES;
    match within(may, || resolve(&sources)) {
        // A broker's configuration was made of it, and has every value.
        Ok(resolved) => assert!(resolved.number("node.id") >= 0, "{:?}", resolved.setting("node.id")),
        Err(error) => assert!(!error.problems.is_empty(), "an error says what is wrong"),
    }
}

static OPTIONS: LazyLock<Vec<(Table, &'static OptionDef)>> = LazyLock::new(|| {
    let tables = [Table::Broker, Table::Topic, Table::Group, Table::ClientMetrics];
    tables.into_iter().flat_map(|table| table.rows().map(move |row| (table, row))).collect()
});

static NODE: LazyLock<NodeOptions> =
    LazyLock::new(|| NodeOptions::new(resolve(&Sources::default()).expect("the defaults can be used")));

/// Which option, and its text.
fn run_option(input: &[u8]) {
    let len = input.len();
    let mut input = Input::new(input);
    let (table, option) = OPTIONS[usize::from(input.u16()) % OPTIONS.len()];
    let text = properties::decode(input.rest());
    let may = 32 * len + FREE_BYTES;
    if let Ok(value) = within(may, || validate(option, &text)) {
        // What is told of a value is taken for the same value.
        if let Some(told) = value.to_text() {
            let again = validate(option, &told);
            assert_eq!(again.as_ref(), Ok(&value), "{} is told as {told:?}", option.name);
        }
    }
    LazyLock::force(&NODE);
    let new = Overrides::from([(option.name.to_owned(), text.clone())]);
    // Whether it can be set is for the tables to say; that they can is all that is asked here.
    let _ = within(CONFIG_BYTES + may, || match table {
        Table::Broker => NODE.check_broker(&new, text.len().is_multiple_of(2)),
        Table::Topic => NODE.check_topic(&Overrides::new(), &new),
        Table::Group => NODE.check_group(&new),
        Table::ClientMetrics => NODE.check_client_metrics(&new),
    });
    within(may, || addresses(&text));
}

fn addresses(text: &str) {
    if let Some(found) = endpoint::parse_host_port(text) {
        let brackets = if found.host.contains(':') { ("[", "]") } else { ("", "") };
        let told = format!("{}{}{}:{}", brackets.0, found.host, brackets.1, found.port);
        assert_eq!(endpoint::parse_host_port(&told), Some(found), "{text:?} is told as {told:?}");
    }
    if let Some(voter) = endpoint::parse_voter(text) {
        assert!(voter.id >= 0, "{text:?} has an id");
    }
    let _ = endpoint::parse_listener(text);
    let _ = endpoint::parse_protocol_map(text);
    let _ = endpoint::parse_counts(text);
    let _ = environment_key(text);
    let _ = find_broker(text);
}

fn seeds_properties() -> Vec<Vec<u8>> {
    let files = [
        "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093\n\
         controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@localhost:9093\nlog.dirs=/a,/b\n",
        "# words\n! more\nlog.retention.hours : 5\nlog.segment.bytes\\\n = 1024\nunknown.option=\\u00e4\\t\n",
        "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\nlisteners=A://h:1,B://h:2\n\
         inter.broker.listener.name=A\nadvertised.listeners=A://[::1]:1,B://x:2\n",
    ];
    let mut seeds: Vec<_> = files.iter().map(|file| Output::default().part(file.as_bytes()).0).collect();
    let both = Output::default().part(files[0].as_bytes());
    seeds.push(both.bytes(&[0]).part(b"LOG_RETENTION_MS=7").bytes(&[1]).part(b"num.partitions=3").0);
    for (_, option) in OPTIONS.iter() {
        let text = kernel::option::default_value(option).to_text().unwrap_or_default();
        seeds.push(Output::default().part(format!("{}={text}\n", option.name).as_bytes()).0);
    }
    seeds
}

fn seeds_option() -> Vec<Vec<u8>> {
    let texts =
        ["", "1", "-1", "true", "0.5", "a,b", "PLAINTEXT://:9092", "1@h:9", "A:SSL,B:SASL_SSL", "[::1]:7"];
    let mut seeds = Vec::new();
    let mut kinds: Vec<Kind> = Vec::new();
    for (place, (_, option)) in OPTIONS.iter().enumerate() {
        let place = u16::try_from(place).expect("there are hundreds").to_be_bytes();
        let text = kernel::option::default_value(option).to_text().unwrap_or_default();
        seeds.push(Output::default().bytes(&place).bytes(text.as_bytes()).0);
        if !kinds.contains(&option.kind) {
            kinds.push(option.kind);
            seeds.extend(texts.map(|text| Output::default().bytes(&place).bytes(text.as_bytes()).0));
        }
    }
    seeds
}
