//! `riverrun profile`: several clusters under names, of which one is the current.

mod kept;

use std::fmt;

use clap::{Args, Subcommand, ValueEnum};
use client::ClientConfig;
use client::config::SecurityProtocol;
use serde_json::json;

use kept::{Address, Kept};

use super::ask::{Change, confirm};
use super::session::on_a_runtime;
use super::tree::variable;
use super::{Connection, Failure, Format};
use crate::print::Output;
use crate::print::table::Table;
use crate::print::text::visible;

/// Where a broker is looked for if nobody says where.
const DEFAULT_BOOTSTRAP: &str = "127.0.0.1:9092";

#[derive(Debug, Subcommand)]
pub enum Profile {
    List(List),
    Create(Create),
    Use(Use),
    Current(Current),
    Set(Set),
    Rename(Rename),
    Delete(Delete),
    Prompt(Prompt),
}

impl Profile {
    /// Whether it changes what is kept.
    fn writes(&self) -> bool {
        match self {
            Profile::List(_) | Profile::Current(_) | Profile::Prompt(_) => false,
            Profile::Create(create) => !create.change.dry_run,
            Profile::Use(wanted) => !wanted.change.dry_run,
            Profile::Set(set) => !set.change.dry_run,
            Profile::Rename(rename) => !rename.change.dry_run,
            Profile::Delete(delete) => !delete.dry_run,
        }
    }
}

/// List profiles; the one that commands go to has a star.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun profile list
  riverrun profile list --format json

The star is at the profile that --profile or RIVERRUN_PROFILE names, or else at the current one, as `riverrun profile
current` has it; none has it where --bootstrap or RIVERRUN_BOOTSTRAP names an address. For programs that is `current`.

A profile has nothing else, so that --format wide shows the same.")]
pub struct List {}

/// Keep the address that --bootstrap names under a name.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun profile create dev --bootstrap 127.0.0.1:9092
  riverrun profile create prod --bootstrap kafka-1:9092,kafka-2:9092 --color red --use")]
pub struct Create {
    /// What the profile is to be called.
    name: String,
    /// The colour of its name in `profile prompt`.
    #[arg(long, value_enum, value_name = "COLOR")]
    color: Option<Color>,
    /// Make it the current one. The first profile is that anyhow.
    #[arg(long = "use")]
    make_current: bool,
    #[command(flatten)]
    change: Change,
}

/// Make a profile the current one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun profile use prod")]
pub struct Use {
    /// The profile.
    #[arg(value_name = "PROFILE")]
    name: String,
    #[command(flatten)]
    change: Change,
}

/// Say which profile commands go to, and where it leads.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun profile current
  riverrun profile current --format name")]
pub struct Current {}

/// Change the address (--bootstrap) or the colour of a profile.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun profile set prod --bootstrap kafka-3:9092
  riverrun profile set prod --color yellow")]
pub struct Set {
    /// The profile.
    #[arg(value_name = "PROFILE")]
    name: String,
    /// The colour of its name in `profile prompt`; none takes it away.
    #[arg(long, value_enum, value_name = "COLOR")]
    color: Option<Color>,
    #[command(flatten)]
    change: Change,
}

/// Give a profile another name.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun profile rename prod production")]
pub struct Rename {
    /// The profile.
    #[arg(value_name = "PROFILE")]
    name: String,
    /// What it is to be called.
    new_name: String,
    #[command(flatten)]
    change: Change,
}

/// Forget a profile. The cluster is not touched.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun profile delete dev
  riverrun profile delete dev --yes")]
pub struct Delete {
    /// The profile.
    #[arg(value_name = "PROFILE")]
    name: String,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
}

/// Print the current profile's name for a shell's prompt, in its colour; where commands go to another address, that one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun profile prompt
  PS1='$(riverrun profile prompt --shell bash)\\$ '
  setopt PROMPT_SUBST; PS1='$(riverrun profile prompt --shell zsh)%# '")]
pub struct Prompt {
    /// Mark what colours it, in the way of this shell, so that it is not taken for columns of the line.
    #[arg(long, value_enum, value_name = "SHELL")]
    shell: Option<Marks>,
}

/// The shells that need to be told what of a prompt takes no room. In fish nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Marks {
    Bash,
    Zsh,
    Fish,
}

impl Marks {
    /// What stands before and after it.
    fn around(self) -> (&'static str, &'static str) {
        match self {
            // What its line editor has them for; \[ and \] are understood only where PS1 itself has them.
            Marks::Bash => ("\x01", "\x02"),
            Marks::Zsh => ("%{", "%}"),
            Marks::Fish => ("", ""),
        }
    }
}

/// A colour of terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    None,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

impl Color {
    /// What a terminal is told, if anything.
    fn code(self) -> Option<u8> {
        match self {
            Color::None => None,
            Color::Red => Some(31),
            Color::Green => Some(32),
            Color::Yellow => Some(33),
            Color::Blue => Some(34),
            Color::Magenta => Some(35),
            Color::Cyan => Some(36),
        }
    }

    /// As it is kept.
    fn name(self) -> Option<String> {
        let value = self.to_possible_value().filter(|_| self != Color::None)?;
        Some(value.get_name().to_owned())
    }
}

/// Which cluster a command speaks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    profile: Option<String>,
    pub bootstrap: String,
}

impl Place {
    /// What the command line says, or else a variable, or else the current profile, or else this machine.
    pub fn of(connection: &Connection) -> Result<Place, Failure> {
        let profile = match connection.said() {
            (Some(_), Some(_)) => {
                return Err(Failure::wrong_use(
                    "an address (--bootstrap, -X bootstrap.servers) and --profile name a cluster each",
                )
                .next("leave one of them out"));
            }
            (Some(bootstrap), None) => {
                return Ok(Place { profile: None, bootstrap: bootstrap.to_owned() });
            }
            (None, profile) => profile,
        };
        let kept = Kept::read()?;
        let Some(name) = profile.map(str::to_owned).or(kept.current.clone()) else {
            return Ok(Place { profile: None, bootstrap: DEFAULT_BOOTSTRAP.to_owned() });
        };
        let bootstrap = kept.find(&name)?.bootstrap.clone();
        Ok(Place { profile: Some(name), bootstrap })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.profile {
            Some(profile) => write!(f, "{profile} ({})", self.bootstrap),
            None => f.write_str(&self.bootstrap),
        }
    }
}

/// The names of all profiles.
pub fn names() -> Vec<String> {
    Kept::read().map(|kept| kept.profiles.into_keys().collect()).unwrap_or_default()
}

pub fn run(profile: Profile, connection: &Connection) -> Result<(), Failure> {
    if let Profile::Delete(delete) = &profile {
        ask_about(delete)?;
    }
    // Held until what is read here is written.
    let _lock = if profile.writes() { Some(Kept::lock()?) } else { None };
    let mut kept = Kept::read()?;
    let output = match profile {
        Profile::List(_) => list(&kept, connection),
        Profile::Current(_) => current(connection)?,
        Profile::Prompt(asked) => return prompt(&kept, &asked, connection),
        Profile::Create(create) => self::create(&mut kept, create, connection)?,
        Profile::Use(wanted) => {
            let address = kept.find(&wanted.name)?.clone();
            kept.current = Some(wanted.name.clone());
            let words = ["is the current profile", "would be the current profile"];
            let output = done(&kept, &wanted.name, &address, words, wanted.change.dry_run)?;
            hinted(output, &kept, connection)
        }
        Profile::Set(set) => self::set(&mut kept, &set, connection)?,
        Profile::Rename(rename) => self::rename(&mut kept, rename)?,
        Profile::Delete(delete) => self::delete(&mut kept, &delete)?,
    };
    output.print(connection.format).map_err(Failure::from)
}

fn rename(kept: &mut Kept, rename: Rename) -> Result<Output, Failure> {
    let address = kept.find(&rename.name)?.clone();
    check_name(&rename.new_name)?;
    let taken = "name another one, or delete that profile first";
    free(kept, &rename.new_name, taken.to_owned())?;
    kept.profiles.remove(&rename.name);
    kept.profiles.insert(rename.new_name.clone(), address.clone());
    if kept.current.as_ref() == Some(&rename.name) {
        kept.current = Some(rename.new_name.clone());
    }
    let words = ["is its name now", "would be its name"];
    done(kept, &rename.new_name, &address, words, rename.change.dry_run)
}

/// Nobody else is kept waiting meanwhile.
fn ask_about(delete: &Delete) -> Result<(), Failure> {
    let kept = Kept::read()?;
    let address = kept.find(&delete.name)?;
    if delete.dry_run || delete.yes {
        return Ok(());
    }
    let is_current = kept.current.as_ref() == Some(&delete.name);
    let current = if is_current { ", which is the current one" } else { "" };
    let question = format!("Forget the profile {} ({}){current}?", delete.name, address.bootstrap);
    on_a_runtime(confirm(&question))
}

fn delete(kept: &mut Kept, delete: &Delete) -> Result<Output, Failure> {
    let address = kept.find(&delete.name)?.clone();
    let was_current = kept.current.as_ref() == Some(&delete.name);
    kept.profiles.remove(&delete.name);
    kept.current.take_if(|current| *current == delete.name);
    let words = ["is forgotten", "would be forgotten"];
    let output =
        done(kept, &delete.name, &address, words, delete.dry_run)?.member("was_current", was_current);
    let (was, go) = if delete.dry_run { ("is", "would go") } else { ("was", "go") };
    Ok(match was_current {
        true => output.hint(format!(
            "it {was} the current profile; commands that are told no other address {go} to {DEFAULT_BOOTSTRAP} then"
        )),
        false => output,
    })
}

fn list(kept: &Kept, connection: &Connection) -> Output {
    let (bootstrap, named) = connection.said();
    let used = named.or(kept.current.as_deref()).filter(|_| bootstrap.is_none());
    // Of one that is not there, the commands that would go there say so.
    let used = used.and_then(|name| kept.profiles.get_key_value(name)).map(|(name, _)| name);
    let mut table = Table::new(&["", "NAME", "BOOTSTRAP", "COLOR"]);
    for (name, address) in &kept.profiles {
        let star = if used == Some(name) { "*" } else { " " };
        let color = address.color.clone().unwrap_or_default();
        table.row([star.to_owned(), name.clone(), address.bootstrap.clone(), color]);
    }
    let output = Output::new(kept.json()).member("current", used.cloned()).table(table);
    let output = output.names(kept.profiles.keys());
    if kept.profiles.is_empty() {
        return output
            .hint("there are no profiles; `riverrun profile create NAME --bootstrap HOST:PORT` makes one");
    }
    hinted(output, kept, connection)
}

/// Says so where commands go elsewhere than to the current profile.
fn hinted(output: Output, kept: &Kept, connection: &Connection) -> Output {
    let (bootstrap, named) = connection.said();
    match (bootstrap.or(named), &kept.current) {
        (Some(to), Some(current)) if bootstrap.is_some() || to != current => output.hint(format!(
            "an option or a variable names {}; without it commands go to the current profile, {current}",
            visible(to)
        )),
        _ => output,
    }
}

fn current(connection: &Connection) -> Result<Output, Failure> {
    let place = Place::of(connection)?;
    let value = json!({ "profile": place.profile, "bootstrap": place.bootstrap });
    let output = Output::new(value).line(place.to_string());
    Ok(output.names(place.profile))
}

fn prompt(kept: &Kept, asked: &Prompt, connection: &Connection) -> Result<(), Failure> {
    let (bootstrap, named) = connection.said();
    let named = named.or(kept.current.as_deref()).filter(|_| bootstrap.is_none());
    // Of one that is not there the next command says so; a prompt is no place for it.
    let profile = named.and_then(|name| kept.profiles.get_key_value(name));
    let color = profile.and_then(|(_, address)| address.color.as_deref());
    let bootstrap = bootstrap.or(profile.map(|(_, address)| address.bootstrap.as_str()));
    let name = profile.map(|(name, _)| name.as_str());
    if !matches!(connection.format, Format::Table | Format::Wide) {
        let value = json!({ "profile": name, "bootstrap": bootstrap, "color": color });
        let output = Output::new(value).names(name.or(bootstrap));
        return output.print(connection.format).map_err(Failure::from);
    }
    // Without a profile commands go to an address, and another name would be worse than none.
    let Some(shown) = name.or(bootstrap) else {
        return Ok(());
    };
    let shown = match asked.shell {
        Some(Marks::Zsh) => shown.replace('%', "%%"),
        _ => shown.to_owned(),
    };
    // A prompt is printed through a pipe, so it is coloured without asking whether there is a terminal. Who wants no colour
    // anywhere says so (no-color.org).
    let code = color.and_then(|color| Color::from_str(color, true).ok()).and_then(Color::code);
    let text = match code.filter(|_| variable("NO_COLOR").is_none()) {
        Some(code) => {
            let (before, after) = asked.shell.map_or(("", ""), Marks::around);
            format!("{before}\x1b[{code}m{after}{shown}{before}\x1b[0m{after} ")
        }
        None => format!("{shown} "),
    };
    crate::print::line(&text).map_err(Failure::from)
}

fn create(kept: &mut Kept, create: Create, connection: &Connection) -> Result<Output, Failure> {
    keeps_no_protocol(connection)?;
    check_name(&create.name)?;
    free(kept, &create.name, format!("`riverrun profile set {}` changes it", create.name))?;
    let Some(bootstrap) = connection.said().0 else {
        return Err(Failure::wrong_use("a profile needs an address").next("add --bootstrap HOST:PORT"));
    };
    let bootstrap = checked_address(bootstrap)?;
    let color = create.color.and_then(Color::name);
    let address = Address { bootstrap, color };
    kept.profiles.insert(create.name.clone(), address.clone());
    if create.make_current || kept.current.is_none() {
        kept.current = Some(create.name.clone());
    }
    done(kept, &create.name, &address, ["is created", "would be created"], create.change.dry_run)
}

/// Changes what is asked for and nothing else: an address that a variable names is meant for commands, not for this profile.
fn set(kept: &mut Kept, set: &Set, connection: &Connection) -> Result<Output, Failure> {
    keeps_no_protocol(connection)?;
    let before = kept.find(&set.name)?.clone();
    let bootstrap = connection.bootstrap.as_deref().filter(|_| connection.given.contains(&"--bootstrap"));
    if set.color.is_none() && bootstrap.is_none() {
        return Err(Failure::wrong_use("this would change nothing").next("add --bootstrap or --color"));
    }
    let now = Address {
        bootstrap: bootstrap.map_or_else(|| Ok(before.bootstrap.clone()), checked_address)?,
        color: set.color.map_or_else(|| before.color.clone(), Color::name),
    };
    kept.profiles.insert(set.name.clone(), now.clone());
    let mut table = Table::new(&["KEY", "BEFORE", "NOW"]);
    for (word, before, now) in [
        ("bootstrap", Some(&before.bootstrap), Some(&now.bootstrap)),
        ("color", before.color.as_ref(), now.color.as_ref()),
    ] {
        if before != now {
            let cell = |text: Option<&String>| text.cloned().unwrap_or_default();
            table.row([word.to_owned(), cell(before), cell(now)]);
        }
    }
    let output = done(kept, &set.name, &now, ["is changed", "would be changed"], set.change.dry_run)?;
    Ok(output.member("before", before.json()).member("now", now.json()).table(table))
}

/// A name that can be typed, and seen in a prompt.
fn check_name(name: &str) -> Result<(), Failure> {
    match name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        true => Err(Failure::wrong_use(format!("{name:?} is no name of a profile"))
            .next("a name has at least one letter, and neither blanks nor control characters")),
        false => Ok(()),
    }
}

/// An address that can be one; whether somebody is there does not matter yet.
fn checked_address(bootstrap: &str) -> Result<String, Failure> {
    let checked = ClientConfig::new(bootstrap).check();
    checked.map_err(|error| Failure::of(error, "the address cannot be kept"))?;
    Ok(bootstrap.to_owned())
}

/// A profile is an address: what else --bootstrap goes with is not dropped without a word.
fn keeps_no_protocol(connection: &Connection) -> Result<(), Failure> {
    match connection.security_protocol {
        SecurityProtocol::Plaintext => Ok(()),
        _ => Err(Failure::wrong_use("a profile keeps no security protocol")
            .next("give --security-protocol to the commands that use the profile")),
    }
}

fn free(kept: &Kept, name: &str, next: String) -> Result<(), Failure> {
    match kept.profiles.contains_key(name) {
        true => Err(Failure::failed(format!("there is a profile {name:?} already")).next(next)),
        false => Ok(()),
    }
}

/// Keeps what was changed, and says so; or else what would be so.
fn done(
    kept: &Kept,
    name: &str,
    address: &Address,
    [is, would_be]: [&str; 2],
    dry_run: bool,
) -> Result<Output, Failure> {
    if !dry_run {
        kept.write()?;
    }
    let words = if dry_run { would_be } else { is };
    let bootstrap = &address.bootstrap;
    let value = json!({
        "profile": name,
        "bootstrap": bootstrap,
        "current": kept.current,
        "dry_run": dry_run,
    });
    Ok(Output::new(value).line(format!("{name} ({bootstrap}) {words}")).names([name]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_security_protocol_is_not_kept_and_not_forgotten_without_a_word() {
        let connection = |security_protocol| Connection {
            bootstrap: Some("h:1".to_owned()),
            profile: None,
            security_protocol,
            format: Format::Table,
            local: false,
            client_settings: Vec::new(),
            given: Vec::new(),
            said: Vec::new(),
        };
        assert_eq!(keeps_no_protocol(&connection(SecurityProtocol::Plaintext)), Ok(()));
        assert!(keeps_no_protocol(&connection(SecurityProtocol::SaslSsl)).is_err());
    }

    #[test]
    fn what_the_command_line_says_goes_before_every_profile() {
        let connection = Connection {
            bootstrap: Some("h:1".to_owned()),
            profile: None,
            security_protocol: SecurityProtocol::Plaintext,
            format: Format::Table,
            local: false,
            client_settings: Vec::new(),
            given: Vec::new(),
            said: Vec::new(),
        };
        let place = Place::of(&connection).expect("no file is needed");
        assert_eq!((place.bootstrap.as_str(), place.to_string().as_str()), ("h:1", "h:1"));
    }
}
