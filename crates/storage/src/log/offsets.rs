//! ListOffsets: which offset belongs to a time or to an end of the log.

use kernel::Timestamp;

use super::Log;
use crate::error::Result;
use crate::segment::FoundRecord;

/// What is asked for. The numbers are those of the ListOffsets request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetQuery {
    /// -1
    Latest,
    /// -2
    Earliest,
    /// -3
    MaxTimestamp,
    /// -4
    EarliestLocal,
    /// -5
    LatestTiered,
    /// -6
    EarliestPendingUpload,
    At(Timestamp),
}

impl OffsetQuery {
    /// Reads the timestamp field of a request; nothing for a number that has no meaning.
    pub fn from_timestamp(timestamp: i64) -> Option<Self> {
        Some(match timestamp {
            -1 => Self::Latest,
            -2 => Self::Earliest,
            -3 => Self::MaxTimestamp,
            -4 => Self::EarliestLocal,
            -5 => Self::LatestTiered,
            -6 => Self::EarliestPendingUpload,
            0.. => Self::At(Timestamp(timestamp)),
            _ => return None,
        })
    }
}

impl Log {
    /// Answers a query; nothing if no record matches. For [`OffsetQuery::Latest`] this is the end of the log, which the
    /// caller bounds by what its reader may see.
    pub fn list_offset(&mut self, query: OffsetQuery) -> Result<Option<FoundRecord>> {
        self.ensure_online()?;
        let found = |offset, leader_epoch| FoundRecord { timestamp: Timestamp::NONE, offset, leader_epoch };
        match query {
            OffsetQuery::Earliest | OffsetQuery::EarliestLocal => {
                let start = self.start_offset();
                let epoch = self.epochs.earliest().filter(|first| first.start <= start);
                Ok(Some(found(start, epoch.map(|first| first.epoch))))
            }
            OffsetQuery::Latest => Ok(Some(found(self.end_offset(), self.epochs.latest()))),
            // Nothing is tiered yet.
            OffsetQuery::LatestTiered | OffsetQuery::EarliestPendingUpload => Ok(None),
            OffsetQuery::MaxTimestamp => self.max_timestamp_record(),
            OffsetQuery::At(timestamp) => self.record_at_time(timestamp),
        }
    }

    fn record_at_time(&mut self, timestamp: Timestamp) -> Result<Option<FoundRecord>> {
        let first = self.segment_of(self.start);
        for segment in self.segments.iter_mut().skip(first) {
            if segment.known_max_timestamp(&self.at)?.timestamp < timestamp.0 {
                continue;
            }
            if let Some(record) = segment.find_timestamp(&self.at, timestamp.0, self.start)? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    fn max_timestamp_record(&mut self) -> Result<Option<FoundRecord>> {
        let mut best: Option<(usize, i64)> = None;
        for (index, segment) in self.segments.iter_mut().enumerate() {
            let timestamp = segment.known_max_timestamp(&self.at)?.timestamp;
            if segment.size > 0 && best.is_none_or(|(_, most)| timestamp > most) {
                best = Some((index, timestamp));
            }
        }
        match best.and_then(|(index, _)| self.segments.get_mut(index)) {
            Some(segment) => segment.find_max_timestamp(&self.at),
            None => Ok(None),
        }
    }
}
