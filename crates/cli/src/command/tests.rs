//! What holds for every command, whoever wrote it.

use clap::{Command, FromArgMatches};

use super::tree;
use crate::Arguments;

/// Every command that does something, with the words that lead to it.
fn leaves() -> Vec<(String, Command)> {
    let mut root = tree();
    root.build();
    let mut open = vec![(String::new(), root)];
    let mut leaves = Vec::new();
    while let Some((path, command)) = open.pop() {
        let below: Vec<Command> = command.get_subcommands().cloned().collect();
        if below.is_empty() {
            leaves.push((path, command));
            continue;
        }
        for command in below.into_iter().filter(|command| command.get_name() != "help") {
            let path = format!("{path} {}", command.get_name());
            open.push((path.trim().to_owned(), command));
        }
    }
    leaves
}

fn has(command: &Command, option: &str) -> bool {
    command.get_arguments().any(|arg| arg.get_long() == Some(option))
}

#[test]
fn the_commands_are_what_they_should_be() {
    tree().debug_assert();
    let mut paths: Vec<String> = leaves().into_iter().map(|(path, _)| path).collect();
    paths.sort();
    assert!(paths.len() > 25, "{paths:?}");
}

#[test]
fn every_command_says_what_it_does_and_shows_examples_of_itself() {
    for (path, command) in leaves() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty(), "{path} does not say what it does");
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = after.split_once("Examples:\n").map(|(_, examples)| examples).unwrap_or_default();
        let own = examples.lines().filter(|line| line.starts_with("  "));
        let own = own.filter(|line| line.contains(&format!("riverrun {path}"))).count();
        assert!(own > 0, "{path} has no example of itself: {after}");
    }
}

#[test]
fn every_example_is_a_line_that_the_command_takes() {
    for (path, command) in leaves() {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in after.lines().filter(|line| line.starts_with("  ") && !line.contains("PS1=")) {
            let Some(at) = line.find("riverrun ") else {
                continue;
            };
            let line = line.get(at..).unwrap_or_default();
            // As far as a shell would give it to this command.
            let end = line.find([')', '|', '>', '<', '&']).unwrap_or(line.len());
            let words = split(line.get(..end).unwrap_or_default());
            let taken = tree().try_get_matches_from(&words);
            // Its arguments have to be of the types that the command has for them, too.
            if let Err(error) = taken.and_then(|matches| Arguments::from_arg_matches(&matches)) {
                panic!("{path}: {words:?}: {error}");
            }
        }
    }
}

/// Splits as a shell does, as far as examples need it.
fn split(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.trim().chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().expect("there is always one").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_argument_says_what_it_is() {
    for (path, command) in leaves() {
        for arg in command.get_arguments() {
            let said = arg.get_help().is_some() || arg.get_long_help().is_some();
            assert!(said, "{path}: {} does not say what it is", arg.get_id());
        }
    }
}

#[test]
fn what_changes_something_can_say_so_beforehand_and_what_destroys_asks() {
    let changes = [
        "produce",
        "create",
        "alter",
        "add-partitions",
        "trim",
        "delete",
        "reset",
        "set",
        "use",
        "rename",
        "format",
    ];
    // With more partitions or other settings, what the cluster's own topics hold is not found any more.
    let destroys = ["trim", "delete", "reset", "add-partitions"];
    let may_destroy = ["topic alter", "config set"];
    for (path, command) in leaves() {
        let verb = path.rsplit(' ').next().unwrap_or_default();
        // A measurement that measures nothing would say nothing.
        let changes = changes.contains(&verb) && !path.starts_with("bench ");
        assert!(!changes || has(&command, "dry-run"), "{path} has no --dry-run");
        let asks = destroys.contains(&verb) || may_destroy.contains(&path.as_str());
        assert_eq!(asks, has(&command, "yes"), "{path}: --yes is for what destroys");
    }
}

#[test]
fn a_number_below_nothing_is_refused_as_a_number_and_not_as_an_option() {
    for (path, command) in leaves() {
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
            let takes = arg.is_allow_negative_numbers_set() || arg.is_allow_hyphen_values_set();
            assert!(takes, "{path}: {}", arg.get_id());
        }
    }
}

#[test]
fn what_is_no_number_is_refused_in_words_of_our_own() {
    let mut refused = 0;
    for (path, command) in leaves() {
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
            for wrong in ["abc", "-1", "3:2", "0", "0.5", "9999999999999999999999"] {
                let mut words: Vec<String> = vec!["riverrun".to_owned()];
                words.extend(path.split(' ').map(str::to_owned));
                match arg.get_long() {
                    Some(long) => words.push(format!("--{long}={wrong}")),
                    None if arg.is_positional() => words.extend(["--".to_owned(), wrong.to_owned()]),
                    None => continue,
                }
                let Err(error) = tree().try_get_matches_from(&words) else {
                    continue;
                };
                if error.kind() != clap::error::ErrorKind::ValueValidation {
                    continue;
                }
                refused += 1;
                let said = error.to_string();
                for foreign in [
                    "digit",
                    "too large to fit",
                    "too small to fit",
                    "literal",
                    "empty string",
                    " is not in ",
                ] {
                    assert!(!said.contains(foreign), "{words:?}: {said}");
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn topics_and_groups_are_named_so_that_shells_can_complete_them() {
    for (path, command) in leaves() {
        let named = |id: &str, name: &str| {
            let arg = command.get_positionals().find(|arg| arg.get_id() == id);
            let value = arg.and_then(|arg| arg.get_value_names()?.first().cloned());
            assert!(value.is_none_or(|value| value == name), "{path}: {id} should be {name}");
        };
        named("topic", "TOPIC");
        named("topics", "TOPIC");
        named("group", "GROUP");
        named("groups", "GROUP");
        if path.starts_with("topic ") && !path.ends_with("create") {
            named("name", "TOPIC");
        }
    }
}

#[test]
fn every_command_takes_every_format_and_address() {
    for (path, command) in leaves() {
        for option in ["format", "bootstrap", "profile", "security-protocol", "client-setting", "local"] {
            assert!(has(&command, option) || path == "help", "{path} does not take --{option}");
        }
    }
}
