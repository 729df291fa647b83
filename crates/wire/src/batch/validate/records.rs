//! The checks on single records.

use super::ProduceRules;
use super::reject::{self, ProduceReject, RECORD_ERRORS_MAX, RecordError, RecordProblem};
use crate::batch::record::{RecordShape, walk_record};
use crate::batch::source::{Source, StreamFault};
use crate::batch::{BatchError, BatchHeader, TimestampType};
use kernel::{ErrorCode, Timestamp};

/// Goes over the records of a batch and gathers what is wrong with them, and the latest of their times.
pub(super) struct Checker<'r> {
    header: BatchHeader,
    rules: &'r ProduceRules,
    now: i64,
    latest: i64,
    errors: Vec<RecordError>,
    error_count: usize,
    any_timestamp: bool,
}

impl<'r> Checker<'r> {
    pub(super) fn new(header: BatchHeader, rules: &'r ProduceRules, now: Timestamp) -> Self {
        Self {
            header,
            rules,
            now: now.0,
            latest: Timestamp::NONE.0,
            errors: Vec::new(),
            error_count: 0,
            any_timestamp: false,
        }
    }

    /// Checks all records, which must be as many as the header says and take all bytes.
    pub(super) fn check_all<S>(&mut self, source: &mut S) -> Result<(), ProduceReject>
    where
        S: Source,
        S::Error: Into<StreamFault>,
    {
        let count = self.header.record_count;
        for index in 0..count {
            let shape = walk_record(source).map_err(|fault| reject_fault(index, fault.into()))?;
            if shape.offset_delta != index {
                let message = format!("the record at index {index} has offset delta {}", shape.offset_delta);
                return Err(ProduceReject::new(ErrorCode::InvalidRecord, message));
            }
            if let Some(problem) = self.judge(shape) {
                self.note(index, problem);
            }
        }
        if !source.at_end().map_err(|fault| reject_fault(count, fault.into()))? {
            return Err(reject::from_batch(BatchError::TrailingBytes { count }));
        }
        if self.error_count > 0 {
            let errors = std::mem::take(&mut self.errors);
            return Err(ProduceReject::of_records(errors, self.error_count, self.any_timestamp));
        }
        Ok(())
    }

    /// The maximum timestamp that the batch is to carry.
    pub(super) fn max_timestamp(&self) -> Timestamp {
        match self.rules.timestamp_type {
            TimestampType::CreateTime => Timestamp(self.latest),
            TimestampType::LogAppendTime => Timestamp(self.now),
        }
    }

    #[inline]
    fn judge(&mut self, shape: RecordShape) -> Option<RecordProblem> {
        if self.rules.compacted && !shape.has_key {
            return Some(RecordProblem::NoKey);
        }
        let timestamp = self.header.base_timestamp.wrapping_add(shape.timestamp_delta);
        self.latest = self.latest.max(timestamp);
        if self.rules.timestamp_type == TimestampType::CreateTime && timestamp != Timestamp::NONE.0 {
            return self.judge_range(timestamp);
        }
        let claimed = self.header.timestamp_type() == TimestampType::LogAppendTime;
        claimed.then_some(RecordProblem::TimestampTypeSet)
    }

    #[inline]
    fn judge_range(&self, timestamp: i64) -> Option<RecordProblem> {
        // Times from outside can be any number: the difference of two may need more than 64 bits.
        let age = i128::from(self.now) - i128::from(timestamp);
        let (before, after) = (self.rules.timestamp_before_max_ms, self.rules.timestamp_after_max_ms);
        if age <= i128::from(before) && -age <= i128::from(after) {
            return None;
        }
        let earliest = self.now.saturating_sub(before);
        let latest = self.now.saturating_add(after);
        Some(RecordProblem::TimestampOutOfRange { timestamp, earliest, latest })
    }

    #[cold]
    fn note(&mut self, batch_index: i32, problem: RecordProblem) {
        self.error_count += 1;
        self.any_timestamp |= problem.is_about_time();
        if self.errors.len() < RECORD_ERRORS_MAX {
            self.errors.push(RecordError { batch_index, problem });
        }
    }
}

fn reject_fault(index: i32, fault: StreamFault) -> ProduceReject {
    reject::from_batch(match fault {
        StreamFault::Record(fault) => BatchError::Record { index, fault },
        StreamFault::Decompress(error) => BatchError::Decompress(error),
    })
}
