//! `riverrun completion`: scripts for shells, and what they ask.
//!
//! The scripts know nothing: they ask `riverrun complete` with the words so far, which looks into the commands as they
//! are, and asks the cluster for topics and groups.

mod line;

use std::time::Duration;

use clap::{Arg, Args, Command, ValueEnum};
use client::Codec;
use client::admin::ConfigResource;
use client::config::SecurityProtocol;
use kernel::NodeId;

use line::Typed;

use super::failure::NAME_A_FILE;
use super::{
    BOOTSTRAP, Connection, Failure, Format, PROFILE, SECURITY_PROTOCOL, client_settings, config, profile,
    session, text_variable, tree,
};
use crate::print;
use crate::print::text::is_hidden;

/// How long somebody who presses a key may have to wait for names from a cluster.
const PATIENCE: Duration = Duration::from_millis(800);

/// Print a script that completes commands, topics and groups in a shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  source <(riverrun completion bash)
  riverrun completion zsh > \"${fpath[1]}/_riverrun\"
  riverrun completion fish > ~/.config/fish/completions/riverrun.fish")]
pub struct Completion {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What could stand at the end of a command line, one a line.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun complete -- topic describe or
  riverrun complete --line 'riverrun topic describe or'")]
pub struct Complete {
    /// The whole line as far as it is typed. What is printed is what bash adds to it, in quotes where it has to be.
    #[arg(long, allow_hyphen_values = true, conflicts_with = "words")]
    line: Option<String>,
    /// At which characters bash breaks the words of a line.
    #[arg(long, allow_hyphen_values = true, default_value = ":=", requires = "line")]
    breaks: String,
    /// The words after `riverrun`, the last one as far as it is typed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

// Older releases of bash have neither `mapfile` nor `compopt`. An array made of a command's words would have patterns in
// them expanded. What ends with an equals sign goes on in the same word.
const BASH: &str = r#"_riverrun() {
    local found word
    COMPREPLY=()
    found=$(riverrun complete --breaks "$COMP_WORDBREAKS" --line "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ $? == FILE ]]; then
        compopt -o default 2>/dev/null
        return
    fi
    while IFS= read -r word; do
        [[ -z $word ]] || COMPREPLY+=("$word")
    done <<< "$found"
    [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}
complete -F _riverrun riverrun"#;

const ZSH: &str = r#"#compdef riverrun
_riverrun() {
    local -a found
    found=(${(f)"$(riverrun complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)"})
    if [[ $? == FILE ]]; then
        compset -P '--*='
        _files
        return
    fi
    compadd -- ${found:#*=}
    compadd -S '' -- ${(M)found:#*=}
}
# Out of a directory of functions this file is the function's body when it is first asked.
if [[ $funcstack[1] == _riverrun ]]; then
    _riverrun
else
    compdef _riverrun riverrun
fi"#;

// A path that comes after an option and an equals sign is looked for alone, and is a part of its word. Fish puts quotes
// around what it inserts, or goes on in those that are open.
const FISH: &str = r#"function __riverrun_unquoted
    string unescape -- $argv[1]
    or string unescape -- "$argv[1]'"
    or string unescape -- "$argv[1]\""
end
function __riverrun_complete
    set -l typed (__riverrun_unquoted (commandline -ct))
    set -l found (riverrun complete -- (commandline -opc)[2..] "$typed" 2>/dev/null)
    if test $status -eq FILE
        set -l option (string match -r -- '^--[^=]*=' $typed)
        for path in (__fish_complete_path (string replace -r -- '^--[^=]*=' '' $typed))
            printf '%s\n' "$option$path"
        end
    else if test (count $found) -gt 0
        printf '%s\n' $found
    end
end
complete -c riverrun -f -a '(__riverrun_complete)'"#;

pub fn run(completion: &Completion) -> Result<(), Failure> {
    let script = match completion.shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
    };
    print::line(&script.replace("FILE", &NAME_A_FILE.to_string())).map_err(Failure::from)
}

pub fn complete(complete: &Complete) -> Result<(), Failure> {
    let Some(line) = &complete.line else {
        return match candidates(&complete.words) {
            Candidates::Files => Err(Failure::name_a_file()),
            Candidates::Words(words) => {
                words.iter().try_for_each(|word| print::line(word)).map_err(Failure::from)
            }
        };
    };
    // The words that bash itself makes of a line are cut at colons, as in an address.
    let typed = Typed::read(line, &complete.breaks);
    match candidates(typed.words.get(1..).unwrap_or_default()) {
        Candidates::Files => Err(Failure::name_a_file()),
        Candidates::Words(words) => {
            let mut inserted = words.iter().filter_map(|word| typed.insertion(word));
            inserted.try_for_each(|word| print::line(&word)).map_err(Failure::from)
        }
    }
}

/// What can stand at the end of a line.
#[derive(Debug, PartialEq, Eq)]
enum Candidates {
    Words(Vec<String>),
    /// The name of a file, of which shells know more.
    Files,
}

/// What fits the last word, after those before it.
fn candidates(words: &[String]) -> Candidates {
    let root = built();
    let Some((last, before)) = words.split_last() else {
        return Candidates::Words(Vec::new());
    };
    let line = Line::read(&root, before);
    let is_option = last.starts_with('-') && !line.is_past_options;
    let option_with_value =
        last.strip_prefix("--").filter(|_| is_option).and_then(|last| last.split_once('='));
    let (name, argument) = match (line.awaits, option_with_value) {
        (Some(option), _) => (None, Some(option)),
        (None, Some((name, _))) => {
            (Some(name), line.command.get_arguments().find(|arg| arg.get_long() == Some(name)))
        }
        (None, None) if is_option || line.command.has_subcommands() => (None, None),
        (None, None) => (None, line.next_positional()),
    };
    if argument.is_some_and(is_file) {
        return Candidates::Files;
    }
    let found: Vec<String> = match (argument, name) {
        (Some(argument), None) => {
            let mut values = values_of(argument, &line, last);
            // There it would be taken for an option.
            values.retain(|value| {
                line.is_past_options || argument.is_allow_hyphen_values_set() || !value.starts_with('-')
            });
            values
        }
        (Some(option), Some(name)) => {
            let typed = option_with_value.map_or("", |(_, value)| value);
            values_of(option, &line, typed).into_iter().map(|value| format!("--{name}={value}")).collect()
        }
        (None, _) if is_option => options_of(line.command),
        (None, _) => {
            let shown = line.command.get_subcommands().filter(|command| !command.is_hide_set());
            shown.map(|command| command.get_name().to_owned()).collect()
        }
    };
    // What cannot be seen would do something to the terminal, and an end of line would make two names of one.
    let fits = |candidate: &String| candidate.starts_with(last.as_str()) && !candidate.chars().any(is_hidden);
    Candidates::Words(found.into_iter().filter(fits).collect())
}

/// The commands, so that options of all of them are known to each.
fn built() -> Command {
    let mut root = tree();
    root.build();
    root
}

/// Whether an argument names a file.
fn is_file(arg: &Arg) -> bool {
    arg.get_value_names().and_then(|names| names.first()).is_some_and(|name| name == "FILE")
}

fn options_of(command: &Command) -> Vec<String> {
    let long = |arg: &Arg| Some(format!("--{}", arg.get_long()?));
    command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(long).collect()
}

/// A command line as far as it is typed.
struct Line<'c> {
    command: &'c Command,
    positionals: Vec<String>,
    /// The option whose value comes next.
    awaits: Option<&'c Arg>,
    /// Whether `--` has come, after which nothing is an option.
    is_past_options: bool,
    bootstrap: Option<String>,
    profile: Option<String>,
    security_protocol: Option<String>,
}

impl<'c> Line<'c> {
    fn read(root: &'c Command, words: &[String]) -> Line<'c> {
        let mut line = Line {
            command: root,
            positionals: Vec::new(),
            awaits: None,
            is_past_options: false,
            bootstrap: None,
            profile: None,
            security_protocol: None,
        };
        for word in words {
            line.take(word);
        }
        line
    }

    fn take(&mut self, word: &str) {
        if let Some(option) = self.awaits.take() {
            self.note(option, word);
            return;
        }
        if self.is_past_options {
            self.positionals.push(word.to_owned());
            return;
        }
        if word == "--" {
            self.is_past_options = true;
            return;
        }
        if let Some(name) = word.strip_prefix("--") {
            let (name, value) =
                name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
            let option = self.command.get_arguments().find(|arg| arg.get_long() == Some(name));
            match (option, value) {
                (Some(option), Some(value)) => self.note(option, value),
                (Some(option), None) if option.get_action().takes_values() => self.awaits = Some(option),
                _ => {}
            }
            return;
        }
        if let Some(letter) = word.strip_prefix('-').and_then(|word| word.chars().next()) {
            let option = self.command.get_arguments().find(|arg| arg.get_short() == Some(letter));
            let Some(option) = option.filter(|option| option.get_action().takes_values()) else { return };
            let value = word.get(1 + letter.len_utf8()..).unwrap_or_default();
            match value.strip_prefix('=').unwrap_or(value) {
                "" => self.awaits = Some(option),
                value => self.note(option, value),
            }
            return;
        }
        match self.command.find_subcommand(word) {
            Some(command) => self.command = command,
            None => self.positionals.push(word.to_owned()),
        }
    }

    fn note(&mut self, option: &Arg, value: &str) {
        match option.get_id().as_str() {
            "bootstrap" => self.bootstrap = Some(value.to_owned()),
            "profile" => self.profile = Some(value.to_owned()),
            client_settings::ID => {
                let servers = value.strip_prefix("bootstrap.servers=").map(str::to_owned);
                self.bootstrap = servers.or(self.bootstrap.take());
            }
            "security_protocol" => self.security_protocol = Some(value.to_owned()),
            _ => {}
        }
    }

    /// The argument that comes next; the last one may come several times.
    fn next_positional(&self) -> Option<&'c Arg> {
        let takes_many = |arg: &&Arg| arg.get_num_args().is_some_and(|count| count.max_values() > 1);
        let last = || self.command.get_positionals().last().filter(takes_many);
        self.command.get_positionals().nth(self.positionals.len()).or_else(last)
    }

    fn connection(&self) -> Connection {
        let protocol = self.security_protocol.clone().or_else(|| text_variable(SECURITY_PROTOCOL));
        Connection {
            security_protocol: protocol
                .and_then(|name| SecurityProtocol::parse(&name))
                .unwrap_or(SecurityProtocol::Plaintext),
            bootstrap: self.bootstrap.clone().or_else(|| match self.profile {
                // As for commands: a profile that is named goes before a variable.
                Some(_) => None,
                None => text_variable(BOOTSTRAP),
            }),
            profile: self.profile.clone().or_else(|| text_variable(PROFILE)),
            format: Format::Name,
            local: false,
            client_settings: Vec::new(),
            given: Vec::new(),
            said: Vec::new(),
        }
    }
}

/// What an argument can be: what is declared, or what the cluster has under that name.
fn values_of(arg: &Arg, line: &Line<'_>, typed: &str) -> Vec<String> {
    let declared = arg.get_possible_values();
    if !declared.is_empty() {
        return declared.iter().map(|value| value.get_name().to_owned()).collect();
    }
    let name = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str());
    // What the settings are of, where a command is about settings.
    let kind = line.positionals.first().map(String::as_str);
    let name = match (name, kind) {
        (Some("NAME"), Some("topic")) => Some("TOPIC"),
        (Some("NAME"), Some("group")) => Some("GROUP"),
        (Some("NAME"), Some("broker" | "logger")) => Some("BROKER"),
        (Some("NAME"), Some("client-metrics")) => Some("SUBSCRIPTION"),
        (name, _) => name,
    };
    let pairs = |kind| match typed.split_once('=') {
        Some((key, value)) => {
            config::values(kind, key, value).into_iter().map(|value| format!("{key}={value}")).collect()
        }
        None => config::names(Some(kind)).into_iter().map(|name| format!("{name}=")).collect(),
    };
    match name {
        // What is given as KEY=VALUE is a setting of what the command is about.
        // Those of a broker; no declaration has them.
        Some("KEY=VALUE") if kind == Some("logger") && typed.contains('=') => pairs("logger"),
        Some("KEY" | "KEY=VALUE") if kind == Some("logger") => {
            let end = if name == Some("KEY") { "" } else { "=" };
            loggers(line).into_iter().map(|logger| format!("{logger}{end}")).collect()
        }
        Some("KEY=VALUE") => match (line.command.get_name(), arg.get_long()) {
            ("create" | "alter", Some("config" | "set" | "append" | "subtract")) => pairs("topic"),
            ("start" | "format", Some("set")) => pairs("broker"),
            ("set", _) => pairs(kind.unwrap_or("topic")),
            _ => Vec::new(),
        },
        Some("CODEC") => Codec::ALL.map(|codec| codec.name().to_owned()).into(),
        Some("WHERE") => ["start", "end"].map(str::to_owned).into(),
        Some("PROFILE") => profile::names(),
        Some("KEY") if line.command.get_name() == "alter" => config::names(Some("topic")),
        Some("KEY") => config::names(kind),
        Some("BROKER") => session::run_within(&line.connection(), PATIENCE, async |admin| {
            let cluster = admin.describe_cluster().await.ok()?;
            let ids = cluster.brokers.into_iter().map(|broker| broker.id.0.to_string());
            Some(ids.chain((kind == Some("broker")).then(|| "all".to_owned())).collect())
        })
        .unwrap_or_default(),
        Some("TOPIC") => session::run_within(&line.connection(), PATIENCE, async |admin| {
            let topics = admin.list_topics().await.ok()?;
            Some(topics.into_iter().filter(|topic| !topic.internal).map(|topic| topic.name).collect())
        })
        .unwrap_or_default(),
        Some("SUBSCRIPTION") => session::run_within(&line.connection(), PATIENCE, async |admin| {
            let found = admin.list_config_resources().await.ok()?;
            let name = |resource| match resource {
                ConfigResource::ClientMetrics(name) => Some(name),
                _ => None,
            };
            Some(found.into_iter().filter_map(name).collect())
        })
        .unwrap_or_default(),
        Some("GROUP") => session::run_within(&line.connection(), PATIENCE, async |admin| {
            let groups = admin.list_groups().await.ok()?;
            Some(groups.into_iter().map(|group| group.group).collect())
        })
        .unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The loggers of the broker whose number comes after the kind.
fn loggers(line: &Line<'_>) -> Vec<String> {
    let Some(Ok(broker)) = line.positionals.get(1).map(|broker| broker.parse()) else {
        return Vec::new();
    };
    let resource = ConfigResource::BrokerLogger(NodeId(broker));
    let loggers = session::run_within(&line.connection(), PATIENCE, async |admin| {
        let configs = admin.describe_configs(&resource).await.ok()?;
        Some(configs.into_iter().map(|logger| logger.name).collect())
    });
    loggers.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Candidates {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        candidates(&words)
    }

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let Candidates::Words(found) = found(line) else {
            panic!("{line:?} is completed with files");
        };
        for wanted in expected {
            assert!(
                found.iter().any(|candidate| candidate == wanted),
                "{line:?}: {wanted} is not in {found:?}"
            );
        }
        let last = line.rsplit(' ').next().expect("there is a word");
        assert!(found.iter().all(|candidate| candidate.starts_with(last)), "{line:?}: {found:?}");
    }

    #[test]
    fn commands_options_and_declared_values_are_completed() {
        check("", &["topic", "produce", "group", "cluster"]);
        check("to", &["topic"]);
        check("topic ", &["create", "add-partitions", "trim"]);
        check("topic create --", &["--partitions", "--dry-run", "--format", "--bootstrap"]);
        check("topic list --format ", &["json", "yaml", "wide", "name", "table"]);
        check("--format json gr", &["group"]);
        check("config get ", &["topic", "broker"]);
        check("topic list --format=j", &["--format=json"]);
        check("config explain retention.", &["retention.ms", "retention.bytes"]);
        check("config get broker 1 log.retention.", &["log.retention.hours"]);
        check("config get topic a cleanup", &["cleanup.policy"]);
        check("topic create a --config retention.", &["retention.ms=", "retention.bytes="]);
        check("topic alter a --set compression.t", &["compression.type="]);
        check("config set topic a --set retention.m", &["retention.ms="]);
        check("config set broker 1 --set log.retention.h", &["log.retention.hours="]);
        check("start --set log.retention.h", &["log.retention.hours="]);
        check("topic alter a --set compression.type=z", &["compression.type=zstd"]);
        check("topic alter a --delete retention.m", &["retention.ms"]);
        check("topic alter a --set=compression.type=g", &["--set=compression.type=gzip"]);
        check("topic create a --config message.timestamp.type=", &["message.timestamp.type=LogAppendTime"]);
        check("topic alter a --append cleanup.policy=delete,", &["cleanup.policy=delete,compact"]);
        check("topic alter a --set write.caching=", &["write.caching=true", "write.caching=false"]);
        check("config set broker 1 --set compression.type=s", &["compression.type=snappy"]);
        check("config set logger 1 --set root=D", &["root=DEBUG"]);
        check("start --set log.cleanup.policy=c", &["log.cleanup.policy=compact"]);
        check("produce a --compression ", &["gzip", "zstd"]);
        check("consume a --from ", &["start", "end"]);
        assert_eq!(
            found("complet"),
            Candidates::Words(vec!["completion".to_owned()]),
            "what is hidden stays so"
        );
    }

    #[test]
    fn files_are_completed_where_one_is_named_and_nowhere_else() {
        for line in ["group reset a --undo-file ", "group reset a --from-file=", "start --config ./"] {
            assert_eq!(found(line), Candidates::Files, "{line:?}");
        }
        for line in [
            "topic alter a --set compression.type=x",
            "topic alter a --set retention.ms=1",
            "topic create ",
            "version ",
        ] {
            assert_eq!(found(line), Candidates::Words(Vec::new()), "{line:?}");
        }
    }

    #[test]
    fn after_two_dashes_nothing_is_an_option_and_before_them_no_name_begins_with_one() {
        check("topic delete -", &["--yes", "--regex"]);
        assert_eq!(found("topic delete -- -"), Candidates::Words(Vec::new()), "no broker is there to ask");
        assert_eq!(found("topic delete -- --y"), Candidates::Words(Vec::new()));
    }

    #[test]
    fn only_settings_of_topics_are_taken_from_a_topic() {
        assert_eq!(found("topic alter a --delete listen"), Candidates::Words(Vec::new()));
    }

    #[test]
    fn an_address_is_asked_in_whatever_way_it_is_given() {
        let root = built();
        for line in
            ["-b h:1", "-bh:1", "--bootstrap=h:1", "-X bootstrap.servers=h:1", "-Xbootstrap.servers=h:1"]
        {
            let words: Vec<String> =
                line.split(' ').chain(["topic", "describe"]).map(str::to_owned).collect();
            let connection = Line::read(&root, &words).connection();
            assert_eq!(connection.bootstrap.as_deref(), Some("h:1"), "{line}");
        }
    }

    #[test]
    fn words_that_mean_nothing_complete_nothing() {
        assert_eq!(found("fly to the"), Candidates::Words(Vec::new()));
        assert_eq!(candidates(&[]), Candidates::Words(Vec::new()));
    }
}
