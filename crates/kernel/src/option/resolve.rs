//! From what somebody wrote to the settings of a node: defaults, then the file, then the environment, then `--set`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{
    BrokerConfig, OptionError, Overrides, Table, Value, check, deviation, find_broker, is_dynamic_only,
    nearest, properties, synonym, validate,
};

/// What a node is started with.
#[derive(Clone, Copy, Debug, std::default::Default)]
pub struct Sources<'a> {
    /// Path and text of the properties file.
    pub file: Option<(&'a str, &'a str)>,
    /// Environment variables, of which those that begin with `KAFKA_` count.
    pub environment: &'a [(String, String)],
    /// `key=value` of the command line.
    pub command_line: &'a [String],
}

/// Where a setting was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File {
        path: String,
        line: u32,
    },
    Environment {
        variable: String,
    },
    CommandLine,
    /// While running, for all brokers.
    Cluster,
    /// While running, for this broker.
    Node,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{path}, line {line}"),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::CommandLine => f.write_str("--set"),
            Self::Cluster => f.write_str("dynamic configuration of all brokers"),
            Self::Node => f.write_str("dynamic configuration of this broker"),
        }
    }
}

/// What somebody wrote for one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub raw: String,
    pub origin: Origin,
}

/// Every reason why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveError {
    pub problems: Vec<String>,
    /// The options that they are about, as far as they are about one.
    pub options: BTreeSet<String>,
}

/// A problem, and the option that it is about.
type Problem = (String, String);

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ResolveError {}

/// The settings of a node, all of them checked, with the defaults behind them.
#[derive(Clone, Debug, std::default::Default)]
pub struct Resolved {
    settings: BTreeMap<String, Setting>,
    warnings: Vec<String>,
}

/// Reads and checks everything. A problem with one setting does not hide the others.
pub fn resolve(sources: &Sources<'_>) -> Result<Resolved, ResolveError> {
    let mut resolved = Resolved::default();
    let mut problems = Vec::new();
    let mut options = BTreeSet::new();
    if let Some((path, text)) = sources.file {
        match properties::parse(text) {
            Ok(entries) => resolved.add_file(path, entries),
            Err(error) => problems.push(format!("{path}, {error}")),
        }
    }
    resolved.add_environment(sources.environment);
    for pair in sources.command_line {
        match pair.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                resolved.put(key.trim(), value.to_owned(), Origin::CommandLine);
            }
            _ => problems.push(format!("--set {pair}: expected key=value")),
        }
    }
    let mut of_options = resolved.check_values();
    of_options.extend(resolved.copy_node_id());
    resolved.warn_unknown();
    if of_options.is_empty() {
        resolved.warn_of_missing_brokers();
    }
    if problems.is_empty() && of_options.is_empty() {
        let conflicts = check::conflicts(&resolved).into_iter().chain(BrokerConfig::new(&resolved).err());
        of_options.extend(conflicts.map(|error| resolved.problem(&error)));
    }
    for (option, problem) in of_options {
        options.insert(option);
        problems.push(problem);
    }
    if problems.is_empty() { Ok(resolved) } else { Err(ResolveError { problems, options }) }
}

/// The option that an environment variable names: `KAFKA_LOG_DIRS` is `log.dirs`, `__` stands for `_` and `___` for `-`.
pub fn environment_key(variable: &str) -> Option<String> {
    let name = variable.strip_prefix("KAFKA_").filter(|name| !name.is_empty())?;
    let name = name.to_lowercase().replace("___", "\u{1}").replace("__", "\u{2}");
    Some(name.replace('_', ".").replace('\u{1}', "-").replace('\u{2}', "_"))
}

impl Resolved {
    /// What was written for `name`, known or not.
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.get(name)
    }

    /// Everything that was written, also for unknown names.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.settings.iter().map(|(name, setting)| (name.as_str(), setting))
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.settings.contains_key(name)
    }

    /// What whoever started the node should be told.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether this node is broker and controller at once, and nothing it was told speaks of another controller.
    pub fn is_lone(&self) -> bool {
        let few = |name: &str| self.raw_value(name).as_list().is_none_or(|list| list.len() <= 1);
        let roles = self.raw_value("process.roles");
        let has = |role: &str| roles.as_list().is_none_or(|list| list.iter().any(|one| one == role));
        has("broker")
            && has("controller")
            && few("controller.quorum.voters")
            && few("controller.quorum.bootstrap.servers")
    }

    /// The value that counts: what was written, or the default.
    pub fn value(&self, name: &str) -> Value {
        if let Some(setting) = self.settings.get(name) {
            return find_broker(name).and_then(|def| validate(def, &setting.raw).ok()).unwrap_or(Value::Null);
        }
        deviation::default_for(name, || self.is_lone()).unwrap_or_else(|| match find_broker(name) {
            // An option of a listener, which the plain one stands behind.
            Some(def) => self.value(def.name),
            None => Value::Null,
        })
    }

    pub fn boolean(&self, name: &str) -> bool {
        let value = self.value(name).as_bool();
        debug_assert!(value.is_some(), "{name} is no boolean");
        value.unwrap_or_default()
    }

    /// Any whole number that always has a value.
    pub fn number(&self, name: &str) -> i64 {
        let value = self.value(name).as_i64();
        debug_assert!(value.is_some(), "{name} is no number");
        value.unwrap_or_default()
    }

    pub fn fraction(&self, name: &str) -> f64 {
        let value = self.value(name).as_f64();
        debug_assert!(value.is_some(), "{name} is no fraction");
        value.unwrap_or_default()
    }

    /// A text; `None` when it has no value.
    pub fn text(&self, name: &str) -> Option<String> {
        self.value(name).as_str().map(str::to_owned)
    }

    /// A list; empty when it has no value.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.value(name).as_list().map(<[String]>::to_vec).unwrap_or_default()
    }

    /// The value of the first of `names` that has one.
    pub fn first_number(&self, names: &[(&str, synonym::Unit)]) -> Option<i64> {
        names.iter().find_map(|(name, unit)| self.value(name).as_i64().map(|value| unit.convert(value)))
    }

    /// These settings with what was set while running over them. A newer setting also displaces what an older one
    /// said in another unit: a dynamic `log.retention.ms` goes before a static `log.retention.ms` and its hours.
    pub fn overlaid(&self, cluster: &Overrides, node: &Overrides) -> Self {
        let mut all = Self { settings: self.settings.clone(), warnings: Vec::new() };
        for (layer, origin) in [(cluster, Origin::Cluster), (node, Origin::Node)] {
            for (name, raw) in layer {
                for synonym in synonym::of_broker(name, false) {
                    all.settings.remove(synonym);
                }
                all.put(name, raw.clone(), origin.clone());
            }
        }
        all.clamp_assignment_intervals();
        all
    }

    /// Names the place of a problem, and says what is allowed there.
    pub fn explain(&self, error: &OptionError) -> String {
        let place =
            self.settings.get(&error.name).map(|setting| format!("{}: ", setting.origin)).unwrap_or_default();
        let allowed =
            if error.allowed.is_empty() { String::new() } else { format!("; allowed is {}", error.allowed) };
        match &error.value {
            Some(value) => format!("{place}{}={value}: {}{allowed}", error.name, error.reason),
            None => format!("{place}{}", error.reason),
        }
    }

    fn problem(&self, error: &OptionError) -> Problem {
        (error.name.clone(), self.explain(error))
    }

    fn raw_value(&self, name: &str) -> Value {
        let parsed = |setting: &Setting| validate(Table::Broker.find(name)?, &setting.raw).ok();
        self.settings.get(name).and_then(parsed).unwrap_or(Value::Null)
    }

    fn put(&mut self, name: &str, raw: String, origin: Origin) {
        self.settings.insert(name.to_owned(), Setting { raw, origin });
    }

    fn add_file(&mut self, path: &str, entries: Vec<properties::Entry>) {
        for entry in entries {
            let origin = Origin::File { path: path.to_owned(), line: entry.line };
            if let Some(Setting { origin: Origin::File { line, .. }, .. }) = self.settings.get(&entry.key) {
                let warning =
                    format!("{origin}: {} was already set on line {line}; this one counts", entry.key);
                self.warnings.push(warning);
            }
            self.put(&entry.key, entry.value, origin);
        }
    }

    /// Variables that name no option are left alone unless they nearly do: the environment is full of `KAFKA_HOME`s.
    fn add_environment(&mut self, environment: &[(String, String)]) {
        for (variable, value) in environment {
            let Some(key) = environment_key(variable) else { continue };
            let origin = Origin::Environment { variable: variable.clone() };
            if find_broker(&key).is_some() && !is_dynamic_only(&key) {
                self.put(&key, value.clone(), origin);
            } else if let Some(meant) = meant(&key) {
                self.warnings.push(format!("{origin}: there is no option {key}; did you mean {meant}?"));
            }
        }
    }

    fn check_values(&self) -> Vec<Problem> {
        let check = |(name, setting): (&String, &Setting)| {
            if let Some(reference) = self.reference(&setting.raw) {
                let place = &setting.origin;
                let problem = format!(
                    "{place}: {name} refers to {reference}, and config.providers are not supported; write the value itself or set it in the environment"
                );
                return Some((name.clone(), problem));
            }
            let error = validate(find_broker(name)?, &setting.raw).err()?;
            // The error knows the plain option; the place is that of the listener's.
            Some(self.problem(&OptionError { name: name.clone(), ..error }))
        };
        self.settings.iter().filter_map(check).collect()
    }

    /// The `${alias:...}` in a value, when `config.providers` names that alias. Taking it as it stands could make a
    /// password of it.
    fn reference<'a>(&self, raw: &'a str) -> Option<&'a str> {
        let providers = self.settings.get("config.providers")?;
        let reference = raw.find("${").and_then(|start| raw.get(start..))?;
        let reference = reference.get(..=reference.find('}')?)?;
        let alias = reference.strip_prefix("${")?.split_once(':')?.0;
        providers.raw.split(',').any(|one| one.trim() == alias).then_some(reference)
    }

    /// `broker.id` is the older name of `node.id`. It may be -1, for "not given", which the newer name may not: a problem
    /// that the check of what was written could not see.
    fn copy_node_id(&mut self) -> Option<Problem> {
        let mut problem = None;
        for (from, to) in [("broker.id", "node.id"), ("node.id", "broker.id")] {
            if let (Some(setting), None) = (self.settings.get(from).cloned(), self.settings.get(to)) {
                let judge = |name: &str| validate(find_broker(name)?, &setting.raw).err();
                let refused = judge(to).filter(|_| judge(from).is_none());
                self.settings.insert(to.to_owned(), setting);
                problem = problem.or(refused.map(|error| self.problem(&error)));
            }
        }
        problem
    }

    fn warn_unknown(&mut self) {
        let mut warnings = Vec::new();
        for (name, setting) in &self.settings {
            if is_dynamic_only(name) {
                warnings.push(format!(
                    "{}: {name} can only be set while running and is ignored here",
                    setting.origin
                ));
            } else if is_removed(name) {
                warnings.push(format!("{}: {name} was removed in Kafka 4.0 and is ignored", setting.origin));
            } else if find_broker(name).is_none() && !is_for_a_plugin(name) {
                let hint = meant(name).map(|meant| format!("; did you mean {meant}?"));
                warnings.push(format!(
                    "{}: unknown option {name}{}",
                    setting.origin,
                    hint.unwrap_or_default()
                ));
            }
        }
        self.warnings.extend(warnings);
    }

    /// A node alone starts with what a node of a cluster was told, but cannot do it.
    fn warn_of_missing_brokers(&mut self) {
        const ASKING: [(&str, &str); 2] = [
            ("default.replication.factor", "a topic has to say for itself how many replicas it gets"),
            (
                "offsets.topic.replication.factor",
                "the topic of offsets is not made, and without it nobody can join a group or commit",
            ),
        ];
        if !self.is_lone() {
            return;
        }
        for (name, consequence) in ASKING {
            let wanted = self.number(name);
            if let Some(setting) = self.settings.get(name).filter(|_| wanted > 1) {
                self.warnings.push(format!(
                    "{}: {name}={wanted} asks for as many brokers, and this one is alone: {consequence}; set it to 1",
                    setting.origin
                ));
            }
        }
    }

    /// Kafka caps these when they come from dynamic configuration, so that a broker with tighter bounds still starts.
    fn clamp_assignment_intervals(&mut self) {
        for kind in ["consumer", "share", "streams"] {
            let name = format!("group.{kind}.assignment.interval.ms");
            let min = self.number(&format!("group.{kind}.min.assignment.interval.ms"));
            let max = self.number(&format!("group.{kind}.max.assignment.interval.ms"));
            let value = self.number(&name);
            let capped = value.min(max).max(min);
            if let Some(setting) = self.settings.get_mut(&name).filter(|_| capped != value) {
                setting.raw = capped.to_string();
            }
        }
    }
}

/// The option of a file that somebody may have meant by `name`.
fn meant(name: &str) -> Option<&'static str> {
    let names = Table::Broker.names_by_len(nearest::lens(name));
    nearest(name, names.filter(|name| !is_dynamic_only(name)))
}

/// What files written for Kafka 3 may still contain.
fn is_removed(name: &str) -> bool {
    let names = [
        "broker.id.generation.enable",
        "control.plane.listener.name",
        "delegation.token.master.key",
        "group.coordinator.new.enable",
        "inter.broker.protocol.version",
        "log.message.downconversion.enable",
        "log.message.format.version",
        "log.message.timestamp.difference.max.ms",
        "offsets.commit.required.acks",
        "reserved.broker.max.id",
    ];
    names.contains(&name) || name.starts_with("zookeeper.") || name.starts_with("password.encoder.")
}

/// Settings for classes that are loaded by name have prefixes of their own; a typo cannot be told from them.
fn is_for_a_plugin(name: &str) -> bool {
    let prefixes =
        ["rsm.config.", "rlmm.config.", "config.providers.", "super.users", "allow.everyone.if.no.acl.found"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}
