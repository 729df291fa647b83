//! Which part of a log to clean, whether that is due, and which segments become one.

use kernel::{Offset, Timestamp};

use crate::config::LogConfig;

/// What of a log can be cleaned, and how much there is to gain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleanable {
    /// All before this was compared with all before it; records from here on were not.
    pub first_dirty: Offset,
    /// Nothing from here on is touched.
    pub first_uncleanable: Offset,
    /// Bytes of segments before the first dirty record.
    pub clean_bytes: u64,
    /// Bytes of segments that would be compared.
    pub cleanable_bytes: u64,
    /// By how much `max.compaction.lag.ms` is exceeded; 0 if it is not.
    pub delay_ms: i64,
}

impl Cleanable {
    /// The share of the log that was not compared yet.
    pub fn ratio(&self) -> f64 {
        let total = self.clean_bytes + self.cleanable_bytes;
        if total == 0 { 0.0 } else { self.cleanable_bytes as f64 / total as f64 }
    }

    /// Whether cleaning is worth it, or has to be.
    pub fn is_due(&self, config: &LogConfig) -> bool {
        self.cleanable_bytes > 0 && (self.delay_ms > 0 || self.ratio() > config.min_cleanable_ratio)
    }
}

/// A segment that is read by a cleaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub base: i64,
    /// Where the next segment begins.
    pub end: i64,
    pub size: u64,
    pub modified_ms: i64,
}

/// What one segment may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupLimits {
    pub bytes: u64,
    pub index_bytes: u64,
    pub index_interval_bytes: u64,
}

impl GroupLimits {
    pub fn of(config: &LogConfig) -> Self {
        Self {
            bytes: u64::from(config.segment_bytes),
            index_bytes: u64::from(config.segment_index_bytes),
            index_interval_bytes: u64::from(config.index_interval_bytes.max(1)),
        }
    }

    /// The most that the larger index of so many bytes of batches takes.
    fn index_bytes_of(&self, bytes: u64) -> u64 {
        const LARGER_ENTRY: u64 = 12;
        (bytes / self.index_interval_bytes.max(wire::batch::HEADER_LEN as u64)).saturating_mul(LARGER_ENTRY)
    }
}

/// Puts neighbours together as long as they fit into one segment, so that cleaning leaves no crowd of small ones.
pub(crate) fn group(sources: &[Source], limits: &GroupLimits) -> Vec<Vec<Source>> {
    let mut groups: Vec<Vec<Source>> = Vec::new();
    let mut bytes = 0_u64;
    for source in sources {
        let joins = groups.last().and_then(|group| group.first()).is_some_and(|first| {
            // An offset within a segment is written as the distance from its first, in 31 bits.
            let spans = source.end.saturating_sub(1).saturating_sub(first.base);
            bytes + source.size <= limits.bytes
                && limits.index_bytes_of(bytes + source.size) <= limits.index_bytes
                && (source.size == 0 || spans <= i64::from(i32::MAX))
        });
        match groups.last_mut() {
            Some(group) if joins => {
                group.push(*source);
                bytes += source.size;
            }
            _ => {
                groups.push(vec![*source]);
                bytes = source.size;
            }
        }
    }
    groups
}

/// Up to where a cleaning may go because of the age of records: the base of the first segment that has one younger
/// than `lag_ms`. `largest` are the largest timestamps of segments.
pub(crate) fn too_young(now: Timestamp, lag_ms: i64, largest: i64) -> bool {
    lag_ms > 0 && largest > now.millis().saturating_sub(lag_ms)
}

/// By how much the oldest of these first timestamps exceeds `lag_ms`.
pub(crate) fn delay_ms(now: Timestamp, lag_ms: i64, first: impl Iterator<Item = i64>) -> i64 {
    let Some(oldest) = first.filter(|timestamp| *timestamp > 0).min() else { return 0 };
    now.millis().saturating_sub(lag_ms.max(0)).saturating_sub(oldest).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GroupLimits = GroupLimits { bytes: 100, index_bytes: 1 << 20, index_interval_bytes: 1 };

    fn source(base: i64, end: i64, size: u64) -> Source {
        Source { base, end, size, modified_ms: 0 }
    }

    fn bases(sources: &[Source], limits: GroupLimits) -> Vec<Vec<i64>> {
        let groups = group(sources, &limits);
        groups.iter().map(|group| group.iter().map(|source| source.base).collect()).collect()
    }

    #[test]
    fn neighbours_join_as_long_as_they_fit() {
        let sources =
            [source(0, 5, 60), source(5, 9, 40), source(9, 12, 1), source(12, 20, 120), source(20, 21, 5)];
        assert_eq!(bases(&sources, LIMITS), [vec![0, 5], vec![9], vec![12], vec![20]]);
        let tight = GroupLimits { bytes: 1000, index_bytes: 11, ..LIMITS };
        assert_eq!(bases(&sources[..3], tight), [vec![0], vec![5, 9]], "the index has no room for an entry");
        assert_eq!(bases(&[], LIMITS), Vec::<Vec<i64>>::new());
    }

    #[test]
    fn no_segment_spans_more_offsets_than_an_index_can_say() {
        let far = i64::from(i32::MAX);
        let sources = [
            source(0, 5, 1),
            source(5, far + 1, 1),
            source(far + 1, far + 2, 1),
            source(far + 2, far + 3, 1),
        ];
        assert_eq!(bases(&sources, LIMITS), [vec![0, 5], vec![far + 1, far + 2]]);
        let empty = [source(0, 5, 1), source(5, far + 9, 0), source(far + 9, far + 10, 1)];
        assert_eq!(
            bases(&empty, LIMITS),
            [vec![0, 5], vec![far + 9]],
            "a segment without a batch spans nothing"
        );
    }

    #[test]
    fn cleaning_is_due_by_share_or_by_age() {
        let config = LogConfig { min_cleanable_ratio: 0.5, ..LogConfig::default() };
        let log = |clean_bytes, cleanable_bytes, delay_ms| Cleanable {
            first_dirty: Offset(0),
            first_uncleanable: Offset(0),
            clean_bytes,
            cleanable_bytes,
            delay_ms,
        };
        assert!(!log(50, 50, 0).is_due(&config), "it must be more than the share");
        assert!(log(49, 51, 0).is_due(&config));
        assert!(log(99, 1, 1).is_due(&config));
        assert!(!log(99, 0, 1).is_due(&config), "nothing can be done");
        assert!(!log(0, 0, 0).is_due(&LogConfig { min_cleanable_ratio: 0.0, ..config }));
    }

    #[test]
    fn the_lag_counts_from_the_oldest_record_and_the_youngest() {
        let now = Timestamp(1000);
        assert_eq!(delay_ms(now, 100, [950, 850, -1].into_iter()), 50);
        assert_eq!(delay_ms(now, 150, [950, 850].into_iter()), 0);
        assert_eq!(delay_ms(now, i64::MAX, [850].into_iter()), 0);
        assert!(too_young(now, 100, 901) && !too_young(now, 100, 900) && !too_young(now, 0, 1000));
    }
}
