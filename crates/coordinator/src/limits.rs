//! How much a coordinator keeps, whoever asks. Everything a client can make it remember has its bound here.

/// Members in one group, whatever `group.max.size` allows.
pub const GROUP_MEMBERS_MAX: usize = 100_000;
/// Member ids handed out by one group and not yet used to join.
pub const GROUP_PENDING_JOINS_MAX: usize = 100_000;
/// Groups in one partition of the offsets topic.
pub const SHARD_GROUPS_MAX: usize = 1_000_000;
/// Committed offsets in one group.
pub const GROUP_OFFSETS_MAX: usize = 1_000_000;
/// Transactions with pending offset commits in one partition of the offsets topic.
pub const SHARD_OPEN_TRANSACTIONS_MAX: usize = 1_000_000;
/// Protocols one member may offer.
pub const MEMBER_PROTOCOLS_MAX: usize = 256;
/// Names and metadata of all protocols of one member.
pub const MEMBER_PROTOCOL_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Names and metadata of all protocols of all members: the leader gets them in one response.
pub const GROUP_PROTOCOL_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Bytes of a client id that go into a member id. The record that stores members has strings of at most 32767 bytes.
pub const MEMBER_ID_PREFIX_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a string in the keys of the offsets topic, and in its older values.
pub const RECORD_STRING_BYTES_MAX: usize = i16::MAX as usize;
/// Topics a subscription is read up to; a longer one counts as unreadable.
pub const SUBSCRIBED_TOPICS_MAX: usize = 1_000_000;
/// Tombstones in one append where they need not stand or fall together.
pub const CLEANUP_APPEND_RECORDS_MAX: usize = 1_000;
/// Records of one group of a type that is not served here.
pub const FOREIGN_GROUP_RECORDS_MAX: usize = 1_000_000;

/// A member id is the prefix, a dash and a UUID.
const MEMBER_ID_SUFFIX_BYTES: usize = 37;

const _: () = assert!(MEMBER_ID_PREFIX_BYTES_MAX + MEMBER_ID_SUFFIX_BYTES <= RECORD_STRING_BYTES_MAX);
const _: () = assert!(MEMBER_PROTOCOL_BYTES_MAX <= GROUP_PROTOCOL_BYTES_MAX);
