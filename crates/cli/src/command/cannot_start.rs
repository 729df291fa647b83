//! Why a node cannot start, with the next step.

use std::io;
use std::path::Path;

use broker::{DirError, Lost, METADATA_FOLDER, MetadataError, StartError, StorageError};
use kernel::option::endpoint::SecurityProtocol;

use super::Failure;

/// What a start's error means for whoever starts the node.
pub fn cannot_start(error: StartError) -> Failure {
    let failure = Failure::failed(error.to_string());
    match &error {
        StartError::Option(error) => with_option(failure, &error.name),
        StartError::Dir(error) => failure.next(dir_next(error)),
        StartError::Storage(error) => failure.next(storage_next(error)),
        // Nothing is wrong with what is there.
        StartError::Metadata(MetadataError::Storage(
            error @ (StorageError::Full { .. } | StorageError::Io { .. }),
        )) => failure.next(storage_next(error)),
        StartError::Metadata(error) => failure.next(metadata_next(error)),
        StartError::Listen { error, .. } => failure.next(listen_next(error, "listeners")),
        StartError::ListenForMetrics { error, .. } => failure.next(listen_next(error, "metrics.listener")),
        StartError::NotServed { instead, .. } => failure.next(*instead),
        StartError::Register(_) => failure.next("RIVERRUN_LOG=debug has the log say what came before"),
        StartError::Newer(..) => {
            failure.next("start a release that is as new as the one that was used before")
        }
    }
}

/// What helps with an option that cannot be as it is.
pub fn with_option(failure: Failure, name: &str) -> Failure {
    let plaintext = SecurityProtocol::Plaintext.name();
    let next = match name {
        "controller.listener.names" => format!(
            "a node on its own is broker and controller, and needs none: leave {name} out, or add its listener to \
             listeners, as CONTROLLER://127.0.0.1:9093"
        ),
        "process.roles" => format!(
            "a node on its own is broker and controller: leave {name} out, or set {name}=broker,controller"
        ),
        "advertised.listeners" => format!(
            "name what clients reach, as in {name}={plaintext}://HOST:9092; this version serves {plaintext} and nothing else"
        ),
        "listeners" if failure.message().contains("controller.listener.names") => format!(
            "if it is the controller's, name it in controller.listener.names, as in controller.listener.names=CONTROLLER; if \
             it is for clients, this version serves {plaintext} and nothing else, as in \
             listeners={plaintext}://127.0.0.1:9092"
        ),
        "listeners"
        | "inter.broker.listener.name"
        | "security.inter.broker.protocol"
        | "listener.security.protocol.map" => format!(
            "this version serves {plaintext} and nothing else, as in listeners={plaintext}://127.0.0.1:9092; \
             `riverrun config explain {name}` says more"
        ),
        _ => format!("`riverrun config explain {name}` says what it may be"),
    };
    failure.next(next)
}

fn metadata_next(error: &MetadataError) -> String {
    let copy = "bring the directory __cluster_metadata-0 back from a copy of it";
    match error {
        MetadataError::Storage(StorageError::Corrupt { path, position, .. }) => format!(
            "what the cluster was told later is whole behind that place, so nothing was cut off: {copy}. Without one, \
             `truncate -s {position} {}` gives all of it up; the records of topics that are unknown then are set aside, not \
             removed",
            path.display()
        ),
        _ => format!("the cluster's own log cannot be read: {copy}"),
    }
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
        DirError::Unformatted { path, .. } => format!(
            "bring {path}/meta.properties back from a copy; if the directory is this node's, `riverrun format --cluster-id ID` \
             writes it anew; a new cluster begins in an empty directory"
        ),
        DirError::NoMetadata { metadata, .. } => format!(
            "mount what belongs at {metadata}, or bring its {METADATA_FOLDER} back from a copy; a new cluster begins in empty \
             directories"
        ),
        DirError::None => "log.dirs=PATH names one".to_owned(),
        DirError::AllLost(lost) => lost_next(lost),
        DirError::MetadataLost(lost) => format!(
            "what the cluster knows of itself is there, and in no other directory: {}",
            storage_next(&lost.why)
        ),
        DirError::WhichCluster(lost) => {
            format!("{}; or set cluster.id to go on without", lost_next(lost))
        }
    }
}

/// The next step with the first of them: the others are told beside it.
fn lost_next(lost: &[Lost]) -> String {
    lost.first().map_or_else(String::new, |lost| storage_next(&lost.why))
}

/// What helps with a log directory.
pub fn storage_next(error: &StorageError) -> String {
    match error {
        StorageError::Refused { .. } => {
            "stop the other process, or name a directory of this node's own in log.dirs".to_owned()
        }
        StorageError::Full { .. } => "free space, or name a directory on another disk in log.dirs".to_owned(),
        StorageError::JournalTooLarge { .. } => {
            "set log.journal.bytes to less (`riverrun config explain log.journal.bytes` says how little it may be), name a \
             directory with more room in log.dirs, or make room there"
                .to_owned()
        }
        StorageError::Io { source, path, .. } => io_next(source.kind(), path),
        StorageError::Offline { .. } => {
            "look whether the disk of the directory is sound, or name another directory in log.dirs"
                .to_owned()
        }
        StorageError::Corrupt { .. } => {
            "bring the file back from a copy, or leave the directory out of log.dirs".to_owned()
        }
    }
}

fn io_next(kind: io::ErrorKind, path: &Path) -> String {
    let path = path.display();
    match kind {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            format!("{path} is no directory: name one in log.dirs")
        }
        io::ErrorKind::NotFound => {
            format!("look whether the disk of {path} is mounted, or name another directory in log.dirs")
        }
        io::ErrorKind::PermissionDenied => {
            format!("give this user the rights on {path} (chown), or name a directory in log.dirs that it may write to")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("mount the disk of {path} for writing, or name a directory on another one in log.dirs")
        }
        _ => "look whether the disk of the directory is sound (dmesg tells), or name another directory in log.dirs"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_metadata_log_for_which_there_is_no_room_is_not_to_be_replaced() {
        let next = |error: StorageError| {
            let failure = cannot_start(StartError::Metadata(MetadataError::Storage(error)));
            format!("{failure:?}")
        };
        let full = next(StorageError::Full { what: "write", path: PathBuf::from("/data") });
        assert!(full.contains("free space") && !full.contains("from a copy"), "{full}");
        let (path, what) = (PathBuf::from("/data"), "a checksum".to_owned());
        assert!(next(StorageError::Corrupt { path, position: 1, what }).contains("from a copy of it"));
    }

    #[test]
    fn each_reason_why_a_directory_cannot_be_used_has_a_next_step_of_its_own() {
        let because = |kind: io::ErrorKind| {
            let why = StorageError::Io {
                what: "lock",
                path: PathBuf::from("/data"),
                source: Arc::new(io::Error::from(kind)),
            };
            let lost = Lost { path: "/data".to_owned(), why };
            dir_next(&DirError::AllLost(vec![lost]))
        };
        for (kind, next) in [
            (io::ErrorKind::NotADirectory, "is no directory"),
            (io::ErrorKind::NotFound, "is mounted"),
            (io::ErrorKind::PermissionDenied, "give this user the rights on /data"),
            (io::ErrorKind::ReadOnlyFilesystem, "for writing"),
            (io::ErrorKind::Other, "is sound"),
        ] {
            assert!(because(kind).contains(next), "{kind}: {}", because(kind));
        }
    }
}
