//! Which partition of the offsets topic keeps a group.

/// The partition of `__consumer_offsets` that keeps `group_id`. It must be what Kafka computes, or a log taken over
/// from Kafka would be searched in the wrong partition.
pub fn partition_for(group_id: &str, partitions: i32) -> i32 {
    let hash = java_string_hash(group_id);
    // Kafka's absolute value has zero where the number has no positive counterpart.
    let positive = if hash == i32::MIN { 0 } else { hash.abs() };
    positive.checked_rem(partitions).unwrap_or(0)
}

/// The hash that Java gives a string: over its UTF-16 code units, wrapping.
fn java_string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_java_gives_a_string() {
        for (text, hash) in [("", 0), ("a", 97), ("hello", 99_162_322), ("my-group", -1_906_497_762)] {
            assert_eq!(java_string_hash(text), hash, "{text:?}");
        }
        // Outside the basic plane a character counts as its two surrogates: 31 * 0xd83d + 0xde00.
        assert_eq!(java_string_hash("\u{1f600}"), 31 * 0xd83d + 0xde00);
    }

    #[test]
    fn a_group_is_kept_by_the_absolute_hash_modulo_the_partitions() {
        assert_eq!(partition_for("", 50), 0);
        assert_eq!(partition_for("hello", 50), 22);
        // The Java documentation's example of a string that hashes to the smallest number.
        assert_eq!(java_string_hash("polygenelubricants"), i32::MIN);
        assert_eq!(partition_for("polygenelubricants", 50), 0);
        assert_eq!(partition_for("hello", 0), 0);
    }
}
