//! What a listener may want before a client is heard: TLS around its bytes, and SASL before its requests.
//!
//! This version has neither. A client whose `security.protocol` asks for one is refused before it connects, and no stream
//! goes by here unsecured that was to be secured.

use host::net::{ReadHalf, WriteHalf};

use super::Connection;
use crate::Error;
use crate::config::SecurityProtocol;

/// Refuses what this version cannot speak.
pub(crate) fn check(protocol: SecurityProtocol) -> Result<(), Error> {
    if protocol.uses_tls() || protocol.uses_sasl() { Err(unsupported(protocol)) } else { Ok(()) }
}

/// The stream that requests go over: the one that was connected, or TLS within it.
pub(super) fn stream(
    protocol: SecurityProtocol,
    read: ReadHalf,
    write: WriteHalf,
) -> Result<(ReadHalf, WriteHalf), Error> {
    if protocol.uses_tls() { Err(unsupported(protocol)) } else { Ok((read, write)) }
}

/// Says who the client is, on a connection whose versions are agreed and that has carried no other request: here
/// SaslHandshake and SaslAuthenticate are asked.
pub(super) fn authenticate(protocol: SecurityProtocol, _: &Connection) -> Result<(), Error> {
    if protocol.uses_sasl() { Err(unsupported(protocol)) } else { Ok(()) }
}

fn unsupported(protocol: SecurityProtocol) -> Error {
    Error::NotSupported { name: "security.protocol", value: protocol.name().to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use host::net::{Connect, Connecting};

    use super::*;
    use crate::{Client, ClientConfig, World};

    /// Fails the test of whoever connects.
    #[derive(Debug)]
    struct Nowhere;

    impl Connect for Nowhere {
        fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
            panic!("nothing is to be sent to {host}:{port}");
        }
    }

    #[tokio::test]
    async fn who_wants_to_be_secured_is_refused_before_anything_is_sent() {
        for protocol in [SecurityProtocol::Ssl, SecurityProtocol::SaslPlaintext, SecurityProtocol::SaslSsl] {
            let world = World { net: Arc::new(Nowhere), ..World::real() };
            let config = ClientConfig { security_protocol: protocol, ..ClientConfig::new("node:1") };
            let opened = Connection::open(&world, "node", 1, &config).await.map(drop);
            let connected = Client::connect_in(world, config).await.map(drop);
            let expected = unsupported(protocol);
            assert_eq!((opened, connected), (Err(expected.clone()), Err(expected.clone())));
            assert!(!expected.retriable());
            let text = expected.to_string();
            assert_eq!(
                text,
                format!("security.protocol={} is not supported by this version", protocol.name())
            );
        }
    }
}
