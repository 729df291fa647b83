//! Identity, roles, threads and the process as a whole.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast, Entries, EntriesOf};

options! {
    /// Identity, roles, threads and the process as a whole.
    pub NODE;

    "process.roles": List = required, EntriesOf { entries: &["broker", "controller"], may_be_empty: false }, High ReadOnly,
        "What this process is: `broker`, `controller`, or both separated by a comma.";
    "node.id": Int = required, AtLeast(0), High ReadOnly,
        "Number that identifies this process in the cluster. Every broker and controller needs its own.";
    "broker.id": Int = "-1", Anything, High ReadOnly,
        "Older name of `node.id`, still accepted when `node.id` is absent.";
    "broker.rack": String = null, Anything, Medium ReadOnly,
        "Rack or availability zone of this broker. Replicas are spread over racks, and consumers with the same rack may read from this broker.";
    "num.io.threads": Int = "8", AtLeast(1), High ClusterWide,
        "Threads that execute requests in Kafka. Riverrun sizes its runtime by the machine's cores and keeps the value for tools that read it.";
    "background.threads": Int = "10", AtLeast(1), High ClusterWide,
        "Threads for periodic work such as retention and checkpoints.";
    "request.timeout.ms": Int = "30000", Anything, High ReadOnly,
        "Milliseconds that a request of this broker to another broker or to a controller may take before it is retried or given up.";
    "controlled.shutdown.enable": Boolean = "true", Anything, Medium ReadOnly,
        "Whether a stopping broker first hands the leadership of its partitions to others.";
    "config.providers": List = "", Entries { may_be_empty: true }, Low ClusterWide,
        "Aliases of the providers that resolve `${alias:path:key}` references in other values.";
    "create.topic.policy.class.name": Class = null, Anything, Low ReadOnly,
        "Java class that may veto a topic creation. Java classes are not loaded here; the value is kept and reported.";
    "alter.config.policy.class.name": Class = null, Anything, Low ReadOnly,
        "Java class that may veto a change of configuration. Java classes are not loaded here; the value is kept and reported.";
    "authorizer.class.name": String = "", Anything, Low ReadOnly,
        "Authorizer that decides which principal may do what. Empty means that everything is allowed; Kafka's standard authorizer is recognised by its class name.";
    "early.start.listeners": List = null, Entries { may_be_empty: true }, High ReadOnly,
        "Listeners that open before the authorizer has loaded its rules. Unset means the controller's listeners.";
    "max.incremental.fetch.session.cache.slots": Int = "1000", AtLeast(0), Medium ReadOnly,
        "Number of incremental fetch sessions a broker remembers at the same time.";
    "fetch.max.bytes": Int = "57671680", AtLeast(1_024), Medium ReadOnly,
        "Largest answer in bytes to one fetch. A first batch that is larger is still returned whole.";
    "max.request.partition.size.limit": Int = "2000", AtLeast(1), Medium ReadOnly,
        "Largest number of partitions that one DescribeTopicPartitions answer lists before the client must ask for the next page.";
    "delete.topic.enable": Boolean = "true", Anything, High ReadOnly,
        "Whether topics may be deleted. When false, every deletion is refused.";
    "errors.deadletterqueue.auto.create.topics.enable": Boolean = "false", Anything, Medium ClusterWide,
        "Whether a share group's missing dead-letter topic is created when it is first needed.";
    "errors.deadletterqueue.topic.name.prefix": String = "dlq.", Anything, Medium ClusterWide,
        "How the name of a dead-letter topic must begin. Empty allows any name.";
    "server.max.startup.time.ms": Long = "9223372036854775807", AtLeast(0), Medium ReadOnly internal,
        "Milliseconds after which a start that has not finished is given up. Meant for tests.";
    "unstable.api.versions.enable": Boolean = "false", Anything, High ReadOnly internal,
        "Whether API versions that are still in development are offered. Meant for tests.";
    "unstable.feature.versions.enable": Boolean = "false", Anything, High ReadOnly internal,
        "Whether feature levels that are still in development may be used. Meant for tests.";
}
