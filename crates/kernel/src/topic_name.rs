//! Which names a topic may have. Static members of groups are named by the same rule.

use crate::limits::MAX_TOPIC_NAME_BYTES;

/// Whether a name may have this byte.
pub fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// What is wrong with a name, as a part of a sentence.
///
/// # Errors
/// The reason for which Kafka refuses it.
pub fn check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        Err("it is empty".to_owned())
    } else if name == "." || name == ".." {
        Err(format!("'{name}' is not allowed"))
    } else if name.len() > MAX_TOPIC_NAME_BYTES {
        Err(format!("it is longer than {MAX_TOPIC_NAME_BYTES} characters"))
    } else if !name.bytes().all(is_legal) {
        Err(format!("'{name}' contains a character other than ASCII letters, digits, '.', '_' and '-'"))
    } else {
        Ok(())
    }
}
