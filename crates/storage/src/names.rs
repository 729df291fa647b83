//! Names of files and folders within a log directory, as Kafka has them.

use kernel::{TopicPartition, topic_name};

pub(crate) const LOG: &str = "log";
pub(crate) const INDEX: &str = "index";
pub(crate) const TIME_INDEX: &str = "timeindex";
pub(crate) const TXN_INDEX: &str = "txnindex";
pub(crate) const SNAPSHOT: &str = "snapshot";
pub(crate) const DELETED: &str = ".deleted";
pub(crate) const CLEANED: &str = ".cleaned";
pub(crate) const SWAP: &str = ".swap";
pub(crate) const TEMPORARY: &str = ".tmp";
pub(crate) const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";

/// Longest name that file systems take.
const MAX_NAME: usize = 255;

/// How many digits of an offset a name has, so that names sort as offsets do.
const BASE_DIGITS: usize = 20;
const DIGITS: &[u8; 10] = b"0123456789";

/// The name of a file that belongs to the segment starting at `base`, which is not negative.
pub(crate) fn segment_file(base: i64, suffix: &str) -> String {
    let mut digits = [b'0'; BASE_DIGITS];
    let mut rest = base.unsigned_abs();
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS.get((rest % 10) as usize).copied().unwrap_or(b'0');
        rest /= 10;
    }
    let mut name = String::with_capacity(BASE_DIGITS + 1 + suffix.len());
    name.push_str(std::str::from_utf8(&digits).unwrap_or_default());
    name.push('.');
    name.push_str(suffix);
    name
}

/// The name of a file that keeps what recovery found damaged: the bytes of a segment from `position` on.
pub(crate) fn damaged_file(base: i64, position: u64) -> String {
    format!("{}.{position}.damaged", segment_file(base, LOG))
}

/// Splits a file name such as `00000000000000000042.log` into its offset and what follows the first dot.
pub(crate) fn parse_segment_file(name: &str) -> Option<(i64, &str)> {
    let (digits, suffix) = name.split_once('.')?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((digits.parse().ok()?, suffix))
}

/// What the name of a folder in a log directory says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderName {
    /// A partition in use.
    Partition(TopicPartition),
    /// A partition whose files are to be removed.
    Deleted,
    /// A replica that was being moved here from another log directory.
    Future(TopicPartition),
    /// A replica that the cluster did not assign to this node.
    Stray(TopicPartition),
    /// Not a partition's folder.
    Other,
}

/// Reads the name of a folder in a log directory.
pub fn parse_folder(name: &str) -> FolderName {
    let suffixed = |suffix: &str| {
        let (partition, id) = name.strip_suffix(suffix)?.rsplit_once('.')?;
        (!id.is_empty()).then(|| parse_partition(partition)).flatten()
    };
    // A topic may well be called `x-delete`: its folder is `x-delete-0`, so the suffix cannot be mistaken.
    if name.ends_with("-delete") {
        return suffixed("-delete").map_or(FolderName::Other, |_| FolderName::Deleted);
    }
    if name.ends_with("-future") {
        return suffixed("-future").map_or(FolderName::Other, FolderName::Future);
    }
    if name.ends_with("-stray") {
        return suffixed("-stray").map_or(FolderName::Other, FolderName::Stray);
    }
    parse_partition(name).map_or(FolderName::Other, FolderName::Partition)
}

fn parse_partition(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    if topic.is_empty() || partition.is_empty() || !partition.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if !topic.bytes().all(topic_name::is_legal) {
        return None;
    }
    Some(TopicPartition::new(topic, partition.parse().ok()?))
}

/// The folder's name once its partition is deleted. The topic is shortened where the name would get too long.
pub(crate) fn deleted_folder(partition: &TopicPartition, id: [u8; 16]) -> String {
    marked_folder(partition, id, "delete")
}

/// The folder's name once it turned out that the cluster did not assign the partition to this node.
pub(crate) fn stray_folder(partition: &TopicPartition, id: [u8; 16]) -> String {
    marked_folder(partition, id, "stray")
}

/// The folder's name of a copy that is to replace a partition in another log directory. It is not shortened, so that it
/// says whose copy it is; [`future_folder_fits`] tells whether there can be one.
pub(crate) fn future_folder(partition: &TopicPartition, id: [u8; 16]) -> String {
    format!("{partition}.{:032x}-future", u128::from_be_bytes(id))
}

/// Whether a partition can be copied to another log directory: a file system takes the name of the copy's folder.
pub fn future_folder_fits(partition: &TopicPartition) -> bool {
    future_folder(partition, [0; 16]).len() <= MAX_NAME
}

fn marked_folder(partition: &TopicPartition, id: [u8; 16], mark: &str) -> String {
    let id = format!("{:032x}", u128::from_be_bytes(id));
    let suffix = format!("-{}.{id}-{mark}", partition.partition);
    let room = MAX_NAME.saturating_sub(suffix.len());
    let topic = partition.topic.get(..room).unwrap_or(&partition.topic);
    format!("{topic}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_told_apart_by_their_names() {
        let partition = || TopicPartition::new("a-b.c", 7);
        assert_eq!(parse_folder("a-b.c-7"), FolderName::Partition(partition()));
        assert_eq!(parse_folder("x-delete-0"), FolderName::Partition(TopicPartition::new("x-delete", 0)));
        assert_eq!(parse_folder(&deleted_folder(&partition(), [7; 16])), FolderName::Deleted);
        assert_eq!(parse_folder(&stray_folder(&partition(), [7; 16])), FolderName::Stray(partition()));
        assert_eq!(parse_folder(&future_folder(&partition(), [7; 16])), FolderName::Future(partition()));
        assert_eq!(parse_folder("a-b.c-7.0f-future"), FolderName::Future(partition()));
        assert_eq!(parse_folder("a-b.c-7.0f-stray"), FolderName::Stray(partition()));
        for other in ["lost+found", "a", "-1", "a-", "a-x", "a-99999999999", "a-delete", "a b-1"] {
            assert_eq!(parse_folder(other), FolderName::Other, "{other}");
        }
    }

    #[test]
    fn the_folder_of_a_deleted_partition_has_a_name_that_file_systems_take() {
        let partition = TopicPartition::new("t".repeat(249), 12345);
        let name = deleted_folder(&partition, [0xab; 16]);
        assert_eq!(name.len(), 255);
        assert_eq!(parse_folder(&name), FolderName::Deleted);
    }

    #[test]
    fn segment_files_are_named_by_their_first_offset() {
        assert_eq!(segment_file(42, LOG), "00000000000000000042.log");
        assert_eq!(parse_segment_file("00000000000000000042.log.deleted"), Some((42, "log.deleted")));
        assert_eq!(parse_segment_file("leader-epoch-checkpoint"), None);
        assert_eq!(parse_segment_file("partition.metadata"), None);
    }
}
