//! What is said to somebody whose words are no command.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::tree::{tree, without_variables};

/// Understands a command line, or says why it cannot be meant like this.
pub fn understand(words: &[OsString]) -> Result<ArgMatches, Error> {
    let understood = tree().try_get_matches_from(words).map_err(|error| {
        if !error.use_stderr() {
            return error;
        }
        // What a variable says counts as given, and would stand in the line that shows how the command is used.
        let bare = without_variables(tree()).try_get_matches_from(words);
        let error = bare.err().filter(Error::use_stderr).unwrap_or(error);
        advise(without_hidden(error), words)
    })?;
    said_once(words, &understood)?;
    Ok(understood)
}

/// Refuses an option of all commands that says one thing before the name of a command and another one behind it: the last
/// would count, and nobody would hear of the first.
fn said_once(words: &[OsString], understood: &ArgMatches) -> Result<(), Error> {
    let root = without_variables(tree());
    let of_all: Vec<Arg> = root.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    if !of_all.iter().any(|arg| is_said(understood, arg)) {
        return Ok(());
    }
    // Clap tells of such options what counts; of those that each command has for itself it tells each.
    let of_all: Vec<Arg> = of_all.into_iter().map(|arg| arg.global(false)).collect();
    let root = on_each_level(root.mut_args(|arg| arg.global(false)), &of_all);
    let Ok(levels) = root.try_get_matches_from(words) else { return Ok(()) };
    for arg in &of_all {
        let said: Vec<String> = levels_of(&levels).filter_map(|matches| value_of(matches, arg)).collect();
        if let Some((first, later)) = said.split_first()
            && let Some(other) = later.iter().find(|value| *value != first)
        {
            let option = arg.get_long().unwrap_or_default();
            let words = format!("--{option} is given as {first} and as {other}; leave one of them out");
            return Err(tree().error(ErrorKind::ArgumentConflict, words));
        }
    }
    Ok(())
}

fn is_said(matches: &ArgMatches, arg: &Arg) -> bool {
    matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// What the words of one command say.
fn value_of(matches: &ArgMatches, arg: &Arg) -> Option<String> {
    let values = matches.get_raw(arg.get_id().as_str()).filter(|_| is_said(matches, arg))?;
    Some(values.map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(" "))
}

fn levels_of(matches: &ArgMatches) -> impl Iterator<Item = &ArgMatches> {
    std::iter::successors(Some(matches), |matches| Some(matches.subcommand()?.1))
}

fn on_each_level(command: Command, args: &[Arg]) -> Command {
    command.mut_subcommands(|below| on_each_level(below.args(args), args))
}

/// What help hides is not named where commands are listed either.
fn without_hidden(mut error: Error) -> Error {
    let tree = tree();
    let is_hidden = |name: &String| tree.find_subcommand(name).is_some_and(Command::is_hide_set);
    for kind in [ContextKind::ValidSubcommand, ContextKind::SuggestedSubcommand] {
        if let Some(ContextValue::Strings(mut names)) = error.get(kind).cloned() {
            names.retain(|name| !is_hidden(name));
            // A list of none would be announced all the same.
            match names.is_empty() {
                true => error.remove(kind),
                false => error.insert(kind, ContextValue::Strings(names)),
            };
        }
    }
    error
}

/// Adds what was probably meant, where clap cannot know it.
fn advise(mut error: Error, words: &[OsString]) -> Error {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg).cloned() else {
        return error;
    };
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    match tip(&word, &named(words)) {
        Some(tip) => drop(error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]))),
        // An option of another tool is no name, as it would be after `--`.
        None if word.starts_with("--") => drop(error.remove(ContextKind::Suggested)),
        None => {}
    }
    error
}

/// What helps with a word that a command does not take.
fn tip(word: &str, command: &Command) -> Option<String> {
    if ["-v", "--verbose"].contains(&word) {
        return Some(
            "--version says which version this is; --format wide prints more, and RIVERRUN_LOG=debug has a node log more"
                .to_owned(),
        );
    }
    if word.starts_with('-') {
        return None;
    }
    let option = ["set", "config"].into_iter().find(|option| takes_pairs(command, option))?;
    Some(match word.contains('=') {
        true => format!("a setting follows its option: --{option} {word}"),
        false => format!("settings are given as --{option} KEY=VALUE"),
    })
}

fn takes_pairs(command: &Command, option: &str) -> bool {
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(option));
    let name = arg.and_then(|arg| arg.get_value_names()?.first());
    name.is_some_and(|name| name == "KEY=VALUE")
}

/// The command that the words lead to.
fn named(words: &[OsString]) -> Command {
    let mut command = tree();
    for word in words.iter().filter_map(|word| word.to_str()) {
        if let Some(below) = command.find_subcommand(word).cloned() {
            command = below;
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn said(line: &str) -> String {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        understand(&words).expect_err("it is no command").to_string()
    }

    #[test]
    fn a_setting_without_its_option_is_told_the_option() {
        for (line, tip) in [
            ("config set topic a retention.ms=5", "--set retention.ms=5"),
            ("config set broker all --set a=b retention.ms=5", "--set retention.ms=5"),
            ("topic alter a retention.ms 5", "--set KEY=VALUE"),
            ("topic create a retention.ms=5", "--config retention.ms=5"),
            ("start num.partitions=6", "--set num.partitions=6"),
        ] {
            let said = said(&format!("riverrun {line}"));
            assert!(said.contains("  tip: ") && said.contains(tip), "{line}: {said}");
        }
        assert!(!said("riverrun topic list retention.ms=5").contains("tip:"), "it takes no settings");
    }

    #[test]
    fn an_option_of_another_tool_is_not_taken_for_a_name() {
        for line in ["topic describe --topic a", "group reset g --execute", "topic delete --topic a"] {
            let said = said(&format!("riverrun {line}"));
            assert!(said.contains("unexpected argument") && !said.contains("tip:"), "{line}: {said}");
        }
        let near = said("riverrun topic create a --partition 3");
        assert!(near.contains("--partitions"), "{near}");
    }

    #[test]
    fn what_help_hides_is_named_nowhere() {
        let none = understand(&["riverrun".into()]).expect_err("there is no command").to_string();
        assert!(none.contains("completion") && !none.contains("complete,"), "{none}");
        let near = said("riverrun complet");
        assert!(near.contains("'completion'") && !near.contains("'complete'"), "{near}");
    }

    #[test]
    fn where_only_what_help_hides_is_near_there_is_no_tip() {
        let far = said("riverrun nope");
        assert!(far.contains("unrecognized subcommand 'nope'") && !far.contains("tip:"), "{far}");
        let near = said("riverrun topc");
        assert!(near.contains("tip: ") && near.contains("'topic'"), "{near}");
    }

    #[test]
    fn the_version_is_that_of_the_product_on_each_level() {
        for line in ["riverrun --version", "riverrun topic --version", "riverrun topic list --version"] {
            assert_eq!(said(line), format!("riverrun {}\n", env!("CARGO_PKG_VERSION")), "{line}");
        }
    }

    #[test]
    fn an_option_of_all_commands_says_one_thing_wherever_it_stands() {
        for (line, given) in [
            ("-b a:1 topic -b b:1 list", "--bootstrap is given as a:1 and as b:1"),
            ("topic --brokers a:1 list --bootstrap-server b:1", "as a:1 and as b:1"),
            ("--format json topic list --format yaml", "--format is given as json and as yaml"),
            ("--profile a consume t --profile b", "--profile is given as a and as b"),
        ] {
            let said = said(&format!("riverrun {line}"));
            assert!(said.contains(given), "{line}: {said}");
        }
        for line in
            ["-b a:1 topic -b a:1 list", "-b a:1 topic list --format json", "--local topic list --local"]
        {
            let words: Vec<OsString> =
                "riverrun".split(' ').chain(line.split(' ')).map(OsString::from).collect();
            assert!(understand(&words).is_ok(), "{line}");
        }
    }

    #[test]
    fn who_wants_to_hear_more_is_told_how() {
        for line in ["riverrun -v", "riverrun topic list --verbose", "riverrun topic list -v"] {
            assert!(said(line).contains("--version says"), "{line}: {}", said(line));
        }
    }
}
