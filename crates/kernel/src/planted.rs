//! Bugs that are planted on purpose, to see whether the simulator catches them.
//!
//! Each stands in the one line where somebody could really make it, as a condition on [`on`]. Without the feature
//! `planted`, which only the simulator's own builds have, [`on`] is false when it is compiled, and nothing of a bug is
//! left. `cargo xtask sim --planted` plants one after the other.

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    AckBeforeSync,
    AckDuplicateBeforeSync,
    SwallowFailedSync,
    RollBeforeSync,
    ForgetDirectorySync,
    RecoveryPointTooFar,
    RenameBeforeSync,
    SkipTornTail,
    SkipChecksum,
    ForgetProducers,
    ForgetOldestBatch,
    AcceptAnySequence,
    ServePastHighWatermark,
    SkipIndexedBatch,
    LoseCommit,
    AckCommitBeforeSync,
    SkipFirstOnLoad,
    AcceptZombieCommit,
    DropMovedTimer,
    MissTimerWake,
    MetadataBeforeSync,
}

impl Bug {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::AckBeforeSync,
        Self::AckDuplicateBeforeSync,
        Self::SwallowFailedSync,
        Self::RollBeforeSync,
        Self::ForgetDirectorySync,
        Self::RecoveryPointTooFar,
        Self::RenameBeforeSync,
        Self::SkipTornTail,
        Self::SkipChecksum,
        Self::ForgetProducers,
        Self::ForgetOldestBatch,
        Self::AcceptAnySequence,
        Self::ServePastHighWatermark,
        Self::SkipIndexedBatch,
        Self::LoseCommit,
        Self::AckCommitBeforeSync,
        Self::SkipFirstOnLoad,
        Self::AcceptZombieCommit,
        Self::DropMovedTimer,
        Self::MissTimerWake,
        Self::MetadataBeforeSync,
    ];

    /// What is wrong with the product that has it.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::AckBeforeSync => "records are acknowledged before they are synced",
            Self::AckDuplicateBeforeSync => {
                "a repeated batch is acknowledged while its first copy is not synced"
            }
            Self::SwallowFailedSync => "a sync that failed counts as one that succeeded",
            Self::RollBeforeSync => "another segment follows one that is not synced",
            Self::ForgetDirectorySync => "the name of a new segment is never synced",
            Self::RecoveryPointTooFar => "a sync counts for records that came while it ran",
            Self::RenameBeforeSync => "a small file takes its name before its content is synced",
            Self::SkipTornTail => "recovery leaves a torn batch at the end of a segment",
            Self::SkipChecksum => "recovery does not verify the checksums of batches",
            Self::ForgetProducers => "recovery forgets the producers that it has read",
            Self::ForgetOldestBatch => "a batch that comes again is looked for among the last four, not five",
            Self::AcceptAnySequence => "a batch is appended whose sequence numbers do not follow the last",
            Self::ServePastHighWatermark => "consumers read records that are not synced yet",
            Self::SkipIndexedBatch => "a search by the sparse index begins one entry too late",
            Self::LoseCommit => "offsets are answered as committed and not appended",
            Self::AckCommitBeforeSync => "offsets are answered as committed before they are synced",
            Self::SkipFirstOnLoad => "a coordinator that loads skips the first record of each batch",
            Self::AcceptZombieCommit => "a member that was removed from its group may still commit",
            Self::DropMovedTimer => "a deadline that is moved is forgotten",
            Self::MissTimerWake => "the timers of groups are not told of an earlier deadline",
            Self::MetadataBeforeSync => "a topic is answered as created before its metadata is synced",
        }
    }

    /// The bug of this name, as [`std::fmt::Debug`] shows it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bug| format!("{bug:?}") == name)
    }
}

/// Whether this bug is in this build, and planted.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub const fn on(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted")]
pub use switch::{hits, on, plant};

#[cfg(feature = "planted")]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
        static HITS: Cell<u64> = const { Cell::new(0) };
    }

    /// Whether this bug is planted in this thread.
    pub fn on(bug: Bug) -> bool {
        let planted = PLANTED.get() == Some(bug);
        if planted {
            HITS.set(HITS.get() + 1);
        }
        planted
    }

    /// Plants one bug in what this thread runs, in the place of the one before, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
        HITS.set(0);
    }

    /// How often the planted bug was come across since it was planted: a bug that is never reached cannot be caught.
    pub fn hits() -> u64 {
        HITS.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_listed_once_and_found_by_its_name() {
        for (number, bug) in Bug::ALL.iter().enumerate() {
            assert_eq!(*bug as usize, number, "in the order of their declaration");
            assert_eq!(Bug::named(&format!("{bug:?}")), Some(*bug));
        }
    }

    #[cfg(not(feature = "planted"))]
    #[test]
    fn no_bug_is_in_a_build_without_the_feature() {
        const { assert!(!on(Bug::AckBeforeSync)) }
    }

    #[cfg(feature = "planted")]
    #[test]
    fn only_the_bug_that_was_planted_is_on_and_it_is_counted() {
        plant(Some(Bug::LoseCommit));
        assert!(on(Bug::LoseCommit) && !on(Bug::AckBeforeSync));
        assert_eq!(hits(), 1);
        plant(None);
        assert!(!on(Bug::LoseCommit));
    }
}
