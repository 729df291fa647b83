//! `riverrun config explain`.

use clap::Args;
use kernel::option::{Default as OptionDefault, OptionDef, Table as OptionTable, nearest};
use serde_json::{Map, Value};

use crate::command::{Failure, Format};
use crate::print::Output;

/// Say what a setting does, what it may be, and what it is if nobody sets it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun config explain retention.ms
  riverrun config explain log.flush.interval.ms --format json

It needs no broker. docs/config.md has all settings.")]
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
        return Err(match nearest(&explain.key.to_lowercase(), all_options().map(|(_, def)| def.name)) {
            Some(near) => failure.next(format!("did you mean {near}?")),
            None => failure.next("docs/config.md lists all settings"),
        });
    }
    let mut output = Output::new(found.iter().map(|(of, def)| explained(of, def)).collect());
    for (place, (of, def)) in found.iter().enumerate() {
        if place > 0 {
            output = output.gap();
        }
        let default = match def.default {
            OptionDefault::Required => "(somebody has to set it)",
            OptionDefault::Null => "(no value)",
            OptionDefault::Text("") => "(empty)",
            OptionDefault::Text(text) => text,
        };
        output = output
            .fact("setting", def.name)
            .fact("of", *of)
            .fact("does", def.doc)
            .fact("type", def.kind.name().to_lowercase())
            .fact("may be", def.allowed())
            .fact("default", default);
        if *of == "broker" {
            output = output.fact("changes", def.dynamic.name());
        }
    }
    output.names(found.first().map(|(_, def)| def.name)).print(format).map_err(Failure::from)
}

fn explained(of: &str, def: &OptionDef) -> Value {
    let mut object = Map::new();
    let default = match def.default {
        OptionDefault::Text(text) => Value::from(text),
        OptionDefault::Required | OptionDefault::Null => Value::Null,
    };
    object.insert("key".to_owned(), def.name.into());
    object.insert("of".to_owned(), of.into());
    object.insert("type".to_owned(), def.kind.name().to_lowercase().into());
    object.insert("allowed".to_owned(), def.allowed().into());
    object.insert("default".to_owned(), default);
    object.insert("importance".to_owned(), def.importance.name().to_lowercase().into());
    object.insert("changes".to_owned(), def.dynamic.name().into());
    object.insert("doc".to_owned(), def.doc.into());
    Value::from(object)
}
