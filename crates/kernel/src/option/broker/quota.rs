//! Windows over which quotas are measured, and what can only be set while running.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast};

options! {
    /// Windows over which quotas are measured, and what can only be set while running.
    pub QUOTA;

    "quota.window.num": Int = "11", AtLeast(1), Low ReadOnly,
        "Samples of client quotas kept in memory.";
    "quota.window.size.seconds": Int = "1", AtLeast(1), Low ReadOnly,
        "Seconds that one sample of client quotas covers.";
    "replication.quota.window.num": Int = "11", AtLeast(1), Low ReadOnly,
        "Samples of replication quotas kept in memory.";
    "replication.quota.window.size.seconds": Int = "1", AtLeast(1), Low ReadOnly,
        "Seconds that one sample of replication quotas covers.";
    "alter.log.dirs.replication.quota.window.num": Int = "11", AtLeast(1), Low ReadOnly,
        "Samples kept in memory for moves between data directories.";
    "alter.log.dirs.replication.quota.window.size.seconds": Int = "1", AtLeast(1), Low ReadOnly,
        "Seconds that one sample of moves between data directories covers.";
    "controller.quota.window.num": Int = "11", AtLeast(1), Low ReadOnly,
        "Samples of controller mutation quotas kept in memory.";
    "controller.quota.window.size.seconds": Int = "1", AtLeast(1), Low ReadOnly,
        "Seconds that one sample of controller mutation quotas covers.";
    "client.quota.callback.class": Class = null, Anything, Low ReadOnly,
        "Java class that decides the quotas of clients. Java classes are not loaded here; the value is kept and reported.";
}
