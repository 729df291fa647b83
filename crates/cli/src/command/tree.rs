//! The tree of commands as it is used: what is declared, and what holds for all arguments alike.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command, CommandFactory};

use super::client_settings;
use crate::Arguments;

/// The commands with all their arguments.
pub fn tree() -> Command {
    for_all(Arguments::command())
}

/// All of them say the version of the one product.
fn for_all(command: Command) -> Command {
    command
        .display_name("riverrun")
        .arg(client_settings::option())
        .mut_args(for_each)
        .mut_subcommands(for_all)
}

/// A number below nothing is a value, and refused as such if it is a wrong one: no option has a digit for its name. A variable
/// without a value says nothing.
fn for_each(arg: Arg) -> Arg {
    let empty =
        arg.get_env().is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
    let arg = if empty { arg.env(None::<&'static str>) } else { arg };
    match arg.get_action().takes_values() {
        true => arg.allow_negative_numbers(true),
        false => arg,
    }
}

/// The same commands, as they are where no variable is set.
pub fn without_variables(command: Command) -> Command {
    command.mut_args(|arg| arg.env(None::<&'static str>)).mut_subcommands(without_variables)
}

/// What a variable says, if it says something: one that is set to nothing does not.
pub fn variable(name: impl AsRef<OsStr>) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The same, where only text means something.
pub fn text_variable(name: &str) -> Option<String> {
    variable(name)?.into_string().ok()
}
