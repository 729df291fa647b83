//! Why a node cannot start, with the next step.

use std::io;

use broker::{DirError, StartError, StorageError};
use kernel::option::endpoint::SecurityProtocol;

use super::Failure;

/// What a start's error means for whoever starts the node.
pub fn cannot_start(error: StartError) -> Failure {
    let failure = Failure::failed(error.to_string());
    match &error {
        StartError::Option(error) => with_option(failure, &error.name),
        StartError::Dir(error) => failure.next(dir_next(error)),
        StartError::Storage(error) => failure.next(storage_next(error)),
        StartError::Metadata(_) => failure.next(
            "the cluster's own log cannot be read: bring the directory __cluster_metadata-0 back from a copy of it",
        ),
        StartError::Listen { error, .. } => failure.next(listen_next(error, "listeners")),
        StartError::ListenForMetrics { error, .. } => failure.next(listen_next(error, "metrics.listener")),
        StartError::NotServed { instead, .. } => failure.next(*instead),
        StartError::Register(_) => failure.next("RIVERRUN_LOG=debug has the log say what came before"),
        StartError::Newer(..) => failure.next("start a release that is as new as the one that was used before"),
    }
}

/// What helps with an option that cannot be as it is.
pub fn with_option(failure: Failure, name: &str) -> Failure {
    let plaintext = SecurityProtocol::Plaintext.name();
    failure.next(match name {
        "controller.listener.names" => format!(
            "a node on its own is broker and controller, and needs none: leave {name} out, or add its listener to \
             listeners, as CONTROLLER://127.0.0.1:9093"
        ),
        "listeners"
        | "advertised.listeners"
        | "inter.broker.listener.name"
        | "security.inter.broker.protocol"
        | "listener.security.protocol.map" => format!(
            "this version serves {plaintext} and nothing else, as in listeners={plaintext}://127.0.0.1:9092; \
             `riverrun config explain {name}` says more"
        ),
        _ => format!("`riverrun config explain {name}` says what it may be"),
    })
}

fn listen_next(error: &io::Error, option: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("stop whoever uses the port, or choose another in {option}"),
        io::ErrorKind::PermissionDenied => {
            format!("choose a port from 1024 on in {option}: this user may not have it")
        }
        _ => format!("name an address of this machine in {option}, or 0.0.0.0 for all that it has"),
    }
}

fn dir_next(error: &DirError) -> String {
    match error {
        DirError::Storage(error) => storage_next(error),
        DirError::OtherNode { found, .. } => {
            format!("set node.id={found}, or name another directory in log.dirs")
        }
        DirError::OtherCluster { .. } => {
            "leave the directories of one of the clusters out of log.dirs".to_owned()
        }
        DirError::None => "log.dirs=PATH names one".to_owned(),
        DirError::AllLost(_) => "name directories in log.dirs that this user may write to".to_owned(),
        DirError::MetadataLost(_) => {
            "mend the directory: what the cluster knows of itself is there, and in no other".to_owned()
        }
        DirError::WhichCluster(_) => "mend the directories, or set cluster.id".to_owned(),
    }
}

/// What helps with a log directory.
pub fn storage_next(error: &StorageError) -> String {
    match error {
        StorageError::Refused { .. } => {
            "stop the other process, or name a directory of this node's own in log.dirs".to_owned()
        }
        StorageError::Full { .. } => "free space, or name a directory on another disk in log.dirs".to_owned(),
        StorageError::Io { .. } | StorageError::Offline { .. } => {
            "name a directory in log.dirs that this user may write to, or look whether its disk is sound"
                .to_owned()
        }
        StorageError::Corrupt { .. } => {
            "bring the file back from a copy, or leave the directory out of log.dirs".to_owned()
        }
    }
}
