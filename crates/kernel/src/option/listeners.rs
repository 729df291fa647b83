//! Which listeners a node opens, which it tells others about, and for whom each one is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::endpoint::{Listener, SecurityProtocol, parse_listener, parse_protocol_map};
use super::{OptionError, Resolved, synonym};

/// The listeners of a node, sorted by whom they serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Opened for clients and brokers.
    pub broker: Vec<Listener>,
    /// Opened for the controllers' quorum.
    pub controller: Vec<Listener>,
    /// Told to clients and brokers. An empty host is for the broker to fill in with the machine's name, port 0
    /// with the port that the system chose.
    pub advertised: Vec<Listener>,
    /// Told to whoever looks for controllers; empty hosts as above.
    pub controller_advertised: Vec<Listener>,
    /// The names by which controllers are reached, also on nodes that are none.
    pub controller_names: Vec<String>,
    /// The name of the listener between brokers.
    pub inter_broker: String,
}

/// Bounds on the connections of one listener, beside those on all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerLimits {
    pub max_connections: Option<usize>,
    pub max_connection_rate: Option<u32>,
}

/// Reads the listener options. `broker` says whether the node has that role.
pub(super) fn read(all: &Resolved, is_broker: bool, is_controller: bool) -> Result<Listeners, OptionError> {
    let controller_names: Vec<String> =
        all.list("controller.listener.names").iter().map(|name| name.to_uppercase()).collect();
    let protocols = protocols(all, &controller_names);
    let is_controllers = |listener: &Listener| controller_names.contains(&listener.name);

    let opened = endpoints(all, "listeners", &protocols)?;
    distinct(&opened)?;
    let (controller, broker): (Vec<_>, Vec<_>) = opened.into_iter().partition(is_controllers);
    let told = match all.value("advertised.listeners").as_list() {
        Some(_) => endpoints(all, "advertised.listeners", &protocols)?,
        None => broker.clone(),
    };
    let (told_controller, advertised): (Vec<_>, Vec<_>) = told.into_iter().partition(is_controllers);
    let or_told = |opened: &Listener| {
        let told = told_controller.iter().find(|told| told.name == opened.name).cloned();
        told.unwrap_or_else(|| any_host(opened.clone()))
    };
    let controller_advertised = controller.iter().map(or_told).collect();
    let inter_broker = inter_broker(all, &protocols)?;
    let listeners =
        Listeners { broker, controller, advertised, controller_advertised, controller_names, inter_broker };
    listeners.check(is_broker, is_controller)?;
    Ok(listeners)
}

/// What is set with `listener.name.NAME.` before it.
pub(super) fn limits(all: &Resolved) -> BTreeMap<String, ListenerLimits> {
    let mut found: BTreeMap<String, ListenerLimits> = BTreeMap::new();
    for (name, _) in all.settings() {
        let Some((listener, base)) = synonym::listener_prefix(name) else { continue };
        let number = || all.value(name).as_i64();
        let limits = found.entry(listener.to_uppercase()).or_default();
        match base {
            "max.connections" => {
                limits.max_connections = number().and_then(|count| usize::try_from(count).ok());
            }
            "max.connection.creation.rate" => {
                limits.max_connection_rate = number().and_then(|rate| u32::try_from(rate).ok());
            }
            _ => {}
        }
    }
    found.retain(|_, limits| *limits != ListenerLimits::default());
    found
}

/// A controller that listens everywhere tells its machine's name.
fn any_host(mut listener: Listener) -> Listener {
    if listener.host == "0.0.0.0" {
        listener.host.clear();
    }
    listener
}

impl Listeners {
    fn check(&self, is_broker: bool, is_controller: bool) -> Result<(), OptionError> {
        let fail = |name, reason: String| Err(OptionError::conflict(name, reason));
        if self.advertised.iter().any(|listener| listener.host == "0.0.0.0") {
            return fail(
                "advertised.listeners",
                "nobody can connect to 0.0.0.0; advertised.listeners must name an address that clients reach"
                    .to_owned(),
            );
        }
        if is_controller && !self.controller_names.is_empty() {
            let missing = self
                .controller_names
                .iter()
                .find(|name| !self.controller.iter().any(|one| one.name == **name));
            if let Some(name) = missing {
                return fail(
                    "controller.listener.names",
                    format!("controller.listener.names has {name}, which is not among listeners"),
                );
            }
        }
        if is_broker && !is_controller {
            if self.controller_names.is_empty() {
                return fail(
                    "process.roles",
                    "controller.listener.names is needed by a node that is no controller".to_owned(),
                );
            }
            if let Some(listener) = self.controller.first() {
                let name = &listener.name;
                return fail(
                    "listeners",
                    format!("listeners has {name}, the listener of a controller, but this node is none"),
                );
            }
        }
        if is_controller && !is_broker && !self.broker.is_empty() {
            return fail(
                "listeners",
                "listeners of a node that is only a controller must all be in controller.listener.names"
                    .to_owned(),
            );
        }
        if is_broker { self.check_broker() } else { Ok(()) }
    }

    fn check_broker(&self) -> Result<(), OptionError> {
        let fail = |name, reason: String| Err(OptionError::conflict(name, reason));
        if self.advertised.is_empty() {
            return fail(
                "listeners",
                "listeners must have one for clients besides those of the controller".to_owned(),
            );
        }
        let opened: BTreeSet<&str> = self.broker.iter().map(|one| one.name.as_str()).collect();
        if let Some(extra) = self.advertised.iter().find(|one| !opened.contains(one.name.as_str())) {
            let reason = format!("advertised.listeners has {}, which is not among listeners", extra.name);
            return fail("advertised.listeners", reason);
        }
        if !self.advertised.iter().any(|one| one.name == self.inter_broker) {
            let names: Vec<&str> = self.advertised.iter().map(|one| one.name.as_str()).collect();
            let reason = format!(
                "the listener between brokers is {}, which is not among those that are advertised: {}",
                self.inter_broker,
                names.join(", ")
            );
            return fail("inter.broker.listener.name", reason);
        }
        Ok(())
    }
}

/// What each listener name speaks. While nobody sets the map and nobody uses TLS or SASL, controllers speak plaintext.
fn protocols(all: &Resolved, controller_names: &[String]) -> BTreeMap<String, SecurityProtocol> {
    let text = all.text("listener.security.protocol.map").unwrap_or_default();
    let mut map = parse_protocol_map(&text).unwrap_or_default();
    let secured =
        |name: &str| SecurityProtocol::parse(name).is_some_and(|one| one != SecurityProtocol::Plaintext);
    let listener_secured =
        |entry: &String| secured(entry.split_once(':').map_or(entry.as_str(), |(name, _)| name));
    let secure = controller_names.iter().any(|name| secured(name))
        || all.list("listeners").iter().any(listener_secured);
    if !all.is_set("listener.security.protocol.map") && !secure {
        for name in controller_names {
            map.entry(name.clone()).or_insert(SecurityProtocol::Plaintext);
        }
    }
    map
}

fn endpoints(
    all: &Resolved,
    option: &str,
    protocols: &BTreeMap<String, SecurityProtocol>,
) -> Result<Vec<Listener>, OptionError> {
    let read = |entry: &String| {
        let fail = |reason| OptionError::conflict(option, reason);
        let (name, address) = parse_listener(entry).ok_or_else(|| {
            fail(format!(
                "{option} has {entry}, which is not of the form NAME://host:port with a port up to 65535"
            ))
        })?;
        let protocol = *protocols.get(&name).ok_or_else(|| {
            let known =
                all.list("controller.listener.names").iter().any(|known| known.to_uppercase() == name);
            let unknown = if known { "" } else { ", and which controller.listener.names does not have" };
            fail(format!(
                "{option} has {name}, for which listener.security.protocol.map names no protocol{unknown}"
            ))
        })?;
        Ok(Listener { name, protocol, host: address.host, port: address.port })
    };
    all.list(option).iter().map(read).collect()
}

/// Names must differ, and so must ports, unless one address is IPv4 and the other IPv6.
fn distinct(listeners: &[Listener]) -> Result<(), OptionError> {
    for (at, one) in listeners.iter().enumerate() {
        for other in listeners.iter().skip(at + 1) {
            if one.name == other.name {
                let reason = format!("listeners has two with the name {}", one.name);
                return Err(OptionError::conflict("listeners", reason));
            }
            let apart = match (one.host.parse::<IpAddr>(), other.host.parse::<IpAddr>()) {
                (Ok(a), Ok(b)) => a.is_ipv4() != b.is_ipv4(),
                _ => false,
            };
            if one.port == other.port && one.port != 0 && !apart {
                let reason =
                    format!("listeners has {} and {} on the same port {}", one.name, other.name, one.port);
                return Err(OptionError::conflict("listeners", reason));
            }
        }
    }
    Ok(())
}

fn inter_broker(
    all: &Resolved,
    protocols: &BTreeMap<String, SecurityProtocol>,
) -> Result<String, OptionError> {
    match all.text("inter.broker.listener.name") {
        Some(name) => {
            let name = name.to_uppercase();
            let missing = format!(
                "inter.broker.listener.name is {name}, for which listener.security.protocol.map names no protocol"
            );
            let known = protocols.contains_key(&name);
            known.then_some(name).ok_or_else(|| OptionError::conflict("inter.broker.listener.name", missing))
        }
        None => Ok(all.text("security.inter.broker.protocol").unwrap_or_default()),
    }
}
