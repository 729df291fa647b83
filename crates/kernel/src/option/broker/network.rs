//! Listeners, connections and the bounds of a request.

use crate::option::declare::options;
use crate::option::valid;
use crate::option::valid::Valid::{Anything, AtLeast, Entries, OneOf, Rule};

options! {
    /// Listeners, connections and the bounds of a request.
    pub NETWORK;

    "listeners": List = "PLAINTEXT://:9092", Entries { may_be_empty: false }, High PerBroker,
        "Addresses to listen on, as `NAME://host:port` separated by commas. An empty host listens on every interface; port 0 lets the system choose.";
    "advertised.listeners": List = null, Entries { may_be_empty: false }, High ReadOnly,
        "Addresses told to clients, as `NAME://host:port`. Needed when clients cannot reach the addresses of `listeners`; unset means the same ones.";
    "listener.security.protocol.map": String = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", Rule(&valid::PROTOCOL_MAP), Low PerBroker,
        "Which security protocol each listener name speaks, as `NAME:PROTOCOL` separated by commas.";
    "inter.broker.listener.name": String = null, Anything, Medium ReadOnly,
        "Listener over which brokers talk to each other. Unset means the one named after `security.inter.broker.protocol`.";
    "security.inter.broker.protocol": String = "PLAINTEXT", OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), Medium ReadOnly,
        "Security protocol between brokers. May not be set together with `inter.broker.listener.name`.";
    "num.network.threads": Int = "3", AtLeast(1), High ClusterWide,
        "Threads that read and write sockets in Kafka. Riverrun sizes its runtime by the machine's cores and keeps the value for tools that read it.";
    "queued.max.requests": Int = "500", AtLeast(1), High ReadOnly,
        "Requests that may wait for execution before a connection is no longer read from.";
    "queued.max.request.bytes": Long = "-1", Anything, Medium ReadOnly,
        "Bytes of requests that may wait before connections are no longer read from. -1 leaves the choice to the broker's own memory budget.";
    "socket.send.buffer.bytes": Int = "102400", Anything, High ReadOnly,
        "Size in bytes of a connection's send buffer (SO_SNDBUF). -1 leaves it to the operating system.";
    "socket.receive.buffer.bytes": Int = "102400", Anything, High ReadOnly,
        "Size in bytes of a connection's receive buffer (SO_RCVBUF). -1 leaves it to the operating system.";
    "socket.request.max.bytes": Int = "104857600", AtLeast(1), High ReadOnly,
        "Largest request in bytes. A connection that announces more is closed.";
    "socket.listen.backlog.size": Int = "50", AtLeast(1), Medium ReadOnly,
        "Connections that may wait to be accepted. The operating system may cap it.";
    "max.connections.per.ip": Int = "2147483647", AtLeast(0), Medium ClusterWide,
        "Most connections from one address. 0 is allowed only together with overrides.";
    "max.connections.per.ip.overrides": String = "", Rule(&valid::PER_ADDRESS_COUNTS), Medium ClusterWide,
        "Exceptions to `max.connections.per.ip`, as `host:count` separated by commas.";
    "max.connections": Int = "2147483647", AtLeast(0), Medium ClusterWide,
        "Most connections at one time, for the broker or for one listener. Beyond it new ones wait.";
    "max.connection.creation.rate": Int = "2147483647", AtLeast(0), Medium ClusterWide,
        "Most new connections a second, for the broker or for one listener.";
    "connections.max.idle.ms": Long = "600000", Anything, Medium ReadOnly,
        "Milliseconds without traffic after which a connection is closed.";
    "connection.failed.authentication.delay.ms": Int = "100", AtLeast(0), Low ReadOnly,
        "Milliseconds by which the answer to a failed login is delayed, to slow down guessing. Must be below `connections.max.idle.ms`.";
    "socket.connection.setup.timeout.ms": Long = "10000", Anything, Medium ReadOnly,
        "Milliseconds that opening a connection to another node may take at first; doubles with each failure.";
    "socket.connection.setup.timeout.max.ms": Long = "30000", Anything, Medium ReadOnly,
        "Upper bound in milliseconds of the growing connection setup timeout.";
}
