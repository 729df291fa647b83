//! Addresses in options: listeners, voters, bootstrap servers.

use std::collections::BTreeMap;
use std::fmt;

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl SecurityProtocol {
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl]
            .into_iter()
            .find(|one| one.name().eq_ignore_ascii_case(text))
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// The number by which the wire names the protocol.
    pub const fn id(self) -> i16 {
        match self {
            Self::Plaintext => 0,
            Self::Ssl => 1,
            Self::SaslPlaintext => 2,
            Self::SaslSsl => 3,
        }
    }

    pub const fn uses_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    pub const fn uses_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// A listener, to bind or to advertise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// In capitals, as everybody compares it.
    pub name: String,
    pub protocol: SecurityProtocol,
    /// Empty stands for every interface.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = HostPort { host: self.host.clone(), port: self.port };
        write!(f, "{}://{address}", self.name)
    }
}

/// An address of another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}:{}", self.host, self.port)
    }
}

/// A controller of a fixed quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    pub id: i32,
    pub address: HostPort,
}

/// Reads `host:port`, with or without a scheme before it and brackets around the host.
pub fn parse_host_port(text: &str) -> Option<HostPort> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (host, port) = rest.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = host.strip_prefix('[').map_or(Some(host), |inner| inner.strip_suffix(']'))?;
    is_host(host).then(|| HostPort { host: host.to_owned(), port })
}

/// Reads `id@host:port`.
pub fn parse_voter(text: &str) -> Option<Voter> {
    let (id, address) = text.split_once('@')?;
    let id = id.parse().ok().filter(|id| *id >= 0)?;
    parse_host_port(address).map(|address| Voter { id, address })
}

/// Reads `NAME://host:port`; the name comes back in capitals.
pub fn parse_listener(text: &str) -> Option<(String, HostPort)> {
    let (name, address) = text.split_once("://")?;
    parse_host_port(address).filter(|_| !name.is_empty()).map(|address| (name.to_uppercase(), address))
}

/// Reads `NAME:PROTOCOL` pairs; the names come back in capitals.
pub fn parse_protocol_map(text: &str) -> Option<BTreeMap<String, SecurityProtocol>> {
    pairs(text)
        .map(|pair| {
            let (name, protocol) = pair?;
            Some((name.to_uppercase(), SecurityProtocol::parse(protocol)?))
        })
        .collect()
}

/// Reads `host:count` pairs.
pub fn parse_counts(text: &str) -> Option<BTreeMap<String, i32>> {
    pairs(text)
        .map(|pair| {
            let (host, count) = pair?;
            let count = count.parse().ok().filter(|_| is_host(host))?;
            Some((host.to_owned(), count))
        })
        .collect()
}

/// Splits `a:b, c:d` into pairs; the last colon of an entry divides it, so that a key may be an IPv6 address.
fn pairs(text: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    let text = text.trim();
    let entries = (!text.is_empty()).then(|| text.split(','));
    entries
        .into_iter()
        .flatten()
        .map(|entry| entry.rsplit_once(':').map(|(key, value)| (key.trim(), value.trim())))
}

fn is_host(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'%' | b'.' | b'_' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_may_have_no_host_or_an_ipv6_host() {
        let any = parse_listener("PLAINTEXT://:9092").expect("no host");
        assert_eq!(any, ("PLAINTEXT".to_owned(), HostPort { host: String::new(), port: 9092 }));
        let six = parse_listener("outside://[::1]:0").expect("brackets");
        assert_eq!(six, ("OUTSIDE".to_owned(), HostPort { host: "::1".to_owned(), port: 0 }));
    }

    #[test]
    fn what_is_no_listener_is_refused() {
        for text in
            ["", "PLAINTEXT", "localhost:9092", "P://h:99999", "P://h", "P://h:", "://h:1", "P://a b:1"]
        {
            assert_eq!(parse_listener(text), None, "{text}");
        }
    }

    #[test]
    fn a_voter_has_an_id_a_host_and_a_port() {
        let voter = parse_voter("3000@localhost:9093").expect("a voter");
        assert_eq!((voter.id, voter.address.port), (3000, 9093));
        for text in ["localhost:9093", "x@localhost:9093", "1@localhost", "-1@h:1"] {
            assert_eq!(parse_voter(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_colon_of_a_pair_divides_it() {
        let counts = parse_counts("127.0.0.1:5, ::1:7").expect("two pairs");
        assert_eq!(counts.get("::1"), Some(&7));
        assert_eq!(parse_counts(""), Some(BTreeMap::new()));
        assert_eq!(parse_counts("host"), None);
    }
}
