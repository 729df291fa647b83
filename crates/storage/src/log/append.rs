//! Adding records at the end of the log.

use std::io::IoSlice;

use kernel::{ErrorCode, LeaderEpoch, Offset, Timestamp};
use wire::batch::validate::Validated;
use wire::batch::{BatchView, HEADER_LEN, TimestampType};

use super::roll::Upcoming;
use super::{Log, Usage, millis, producers};
use crate::error::{AppendError, Result, StorageError};
use crate::producer::check::Staged;
use crate::producer::{Checked, Incoming, Origin};

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendInfo {
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// -1 unless the topic's timestamps are those of the append.
    pub log_append_time: Timestamp,
    pub log_start: Offset,
    /// Whether the batch had come before; the offsets are those it got then, and nothing was written.
    pub duplicate: bool,
    /// Whether `flush.messages` asks for a sync before this is acknowledged; see [`Log::begin_flush`].
    pub flush_due: bool,
}

/// Batches with their offsets, ready to be written.
struct Write<'a> {
    batches: &'a [Incoming],
    parts: &'a [IoSlice<'a>],
    bytes: u64,
}

impl Log {
    /// Appends batches as the leader: gives them offsets and the leader's epoch.
    ///
    /// The payloads are written as they are. Producers are checked here. All batches are appended, or none.
    pub fn append(
        &mut self,
        now: Timestamp,
        batches: &[Validated],
        epoch: LeaderEpoch,
        origin: Origin,
    ) -> Result<AppendInfo, AppendError> {
        self.ensure_online()?;
        if let [batch] = batches {
            // What a producer sends is one batch, and takes no memory on its way.
            let incoming = assign(batch, self.end, epoch)?;
            last_offset(&incoming).checked_add(1).ok_or_else(offsets_used_up)?;
            let header = incoming.header.encode();
            let parts = [IoSlice::new(&header), IoSlice::new(batch.payload())];
            let bytes = batch.batch_len() as u64;
            return self.write_new(now, &Write { batches: &[incoming], parts: &parts, bytes }, origin);
        }
        let mut next = self.end;
        let mut bytes = 0;
        let mut incoming = Vec::with_capacity(batches.len());
        for batch in batches {
            let assigned = assign(batch, next, epoch)?;
            next = last_offset(&assigned).checked_add(1).ok_or_else(offsets_used_up)?;
            bytes += batch.batch_len() as u64;
            incoming.push(assigned);
        }
        let headers: Vec<[u8; HEADER_LEN]> = incoming.iter().map(|batch| batch.header.encode()).collect();
        let parts: Vec<IoSlice<'_>> = headers
            .iter()
            .zip(batches)
            .flat_map(|(header, batch)| [IoSlice::new(header), IoSlice::new(batch.payload())])
            .collect();
        self.write_new(now, &Write { batches: &incoming, parts: &parts, bytes }, origin)
    }

    /// Writes what is new; what came before is only told again.
    fn write_new(
        &mut self,
        now: Timestamp,
        write: &Write<'_>,
        origin: Origin,
    ) -> Result<AppendInfo, AppendError> {
        let staged = match self.check_producers(write.batches, origin)? {
            Checked::Accepted(staged) => staged,
            Checked::Duplicate(batch) => {
                let (base_offset, last_offset) = (Offset(batch.first_offset()), Offset(batch.last_offset));
                let log_append_time = self.log_append_time(write.batches).map_or(-1, |_| batch.timestamp);
                return Ok(AppendInfo {
                    base_offset,
                    last_offset,
                    log_append_time: Timestamp(log_append_time),
                    log_start: self.start_offset(),
                    duplicate: true,
                    flush_due: self.flush_due_at(batch.last_offset),
                });
            }
        };
        self.write(now, write, Some(staged))
    }

    /// Checks the producers of batches. What seems to be out of order may be one of the last batches that came again.
    fn check_producers(&mut self, batches: &[Incoming], origin: Origin) -> Result<Checked, AppendError> {
        let checked = self.producers.check(batches, origin);
        match checked {
            Err(error) if self.short_windows && error.code() == ErrorCode::OutOfOrderSequenceNumber => {
                self.lengthen_windows()?;
                self.producers.check(batches, origin)
            }
            checked => checked,
        }
    }

    /// Appends batches as they are, with the offsets and epochs that a leader gave them.
    ///
    /// A batch that is cut off at the end is left out, as a fetch may bring one. Checksums and the order of offsets are
    /// verified here.
    pub fn append_replicated(&mut self, now: Timestamp, records: &[u8]) -> Result<AppendInfo, AppendError> {
        self.ensure_online()?;
        let mut batches = Vec::new();
        let mut bytes = 0;
        let mut next = self.end;
        let mut rest = records;
        while let Ok((batch, after)) = BatchView::parse(rest) {
            batch.verify_crc().map_err(|error| corrupt(error.to_string()))?;
            let header = *batch.header();
            if header.base_offset().0 < next || header.last_offset_delta() < 0 {
                return Err(AppendError::rejected(
                    ErrorCode::UnknownServerError,
                    format!(
                        "a batch begins at offset {}, {next} is next in {}",
                        header.base_offset(),
                        self.partition
                    ),
                ));
            }
            next = header.next_offset().0;
            let control = header.is_control() && header.has_producer_id();
            let marker = control.then(|| producers::marker(batch.bytes())).flatten();
            batches.push(Incoming { header, base_offset: header.base_offset().0, marker });
            bytes += batch.bytes().len() as u64;
            rest = after;
        }
        let whole = usize::try_from(bytes).unwrap_or(usize::MAX);
        let parts = [IoSlice::new(records.get(..whole).unwrap_or(records))];
        self.write(now, &Write { batches: &batches, parts: &parts, bytes }, None)
    }

    /// Writes batches whose producers were checked, or need no check.
    fn write(
        &mut self,
        now: Timestamp,
        write: &Write<'_>,
        staged: Option<Vec<Staged>>,
    ) -> Result<AppendInfo, AppendError> {
        let (Some(first), Some(last)) = (write.batches.first(), write.batches.last()) else {
            return Err(corrupt("there is no whole batch".to_owned()));
        };
        if write.bytes > u64::from(self.config.segment_bytes) {
            return Err(AppendError::rejected(
                ErrorCode::RecordListTooLarge,
                format!("{} bytes do not fit into a segment of {}", write.bytes, self.config.segment_bytes),
            ));
        }
        let (base, last) = (first.base_offset, last_offset(last));
        let max_timestamp = write.batches.iter().map(|batch| batch.header.max_timestamp().0).max();
        let upcoming = Upcoming {
            bytes: write.bytes,
            max_timestamp: max_timestamp.unwrap_or(-1),
            first_offset: base,
            last_offset: last,
        };
        self.usage = Usage::Used;
        self.roll_if_due(&upcoming, millis(now))?;
        if let Some(active) = self.segments.last_mut() {
            active.prepare(&self.at)?;
        }
        self.assign_epochs(write.batches);
        self.write_bytes(write)?;
        self.note_batches(write, millis(now))?;
        self.end = last.saturating_add(1);
        self.note_producers(write.batches, staged)?;
        Ok(AppendInfo {
            base_offset: Offset(base),
            last_offset: Offset(last),
            log_append_time: self.log_append_time(write.batches).unwrap_or(Timestamp::NONE),
            log_start: self.start_offset(),
            duplicate: false,
            flush_due: self.flush_due_at(last),
        })
    }

    /// The file follows with the sync that covers the records. What lies past the recovery point tells its epochs itself.
    fn assign_epochs(&mut self, batches: &[Incoming]) {
        for batch in batches {
            self.epochs.assign(batch.header.partition_leader_epoch(), Offset(batch.base_offset));
        }
    }

    fn write_bytes(&mut self, write: &Write<'_>) -> Result<()> {
        let Some(active) = self.segments.last_mut() else { return Ok(()) };
        let file = active.file(&self.at)?;
        let Err(error) = file.write_at(active.size, write.parts) else { return Ok(()) };
        self.epochs.truncate_from_end(Offset(self.end));
        let error = StorageError::io("append to", &active.path(&self.at), error);
        // What was written of it must not be taken for records after a crash.
        let undone = file.set_len(active.size).is_ok();
        if undone && matches!(error, StorageError::Full { .. }) {
            return Err(error);
        }
        Err(self.fail(error))
    }

    fn note_batches(&mut self, write: &Write<'_>, now_ms: i64) -> Result<()> {
        let Some(active) = self.segments.last_mut() else { return Ok(()) };
        let mut result = Ok(());
        let mut position = active.size;
        for batch in write.batches {
            let interval = self.config.index_interval_bytes;
            let noted = active.note_batch(&self.at, &batch.header, last_offset(batch), position, interval);
            // Entries that cannot be written for now stay in memory, and are written later.
            if let Err(error) = noted
                && !error.passes()
            {
                result = Err(error);
            }
            position += batch.header.batch_len() as u64;
        }
        active.checked.add(active.size, active.size + write.bytes);
        active.size += write.bytes;
        self.since_snapshot += write.bytes;
        active.modified_ms = now_ms;
        result.map_err(|error| self.fail(error))
    }

    fn note_producers(&mut self, batches: &[Incoming], staged: Option<Vec<Staged>>) -> Result<()> {
        let aborted = match staged {
            Some(staged) => self.producers.apply(staged, self.end),
            None => batches.iter().flat_map(|batch| self.producers.replay(batch)).collect(),
        };
        for txn in aborted {
            let Some(active) = self.segments.last_mut() else { break };
            // Where the file is missing after a power cut, a recovery looks for what it lacks from the recovery point on only.
            self.names_dirty |= !active.has_txn_index;
            // Without this entry a reader of committed records would see aborted ones. What cannot be written for now is read
            // from memory.
            if let Err(error) = active.push_aborted(&self.at, &txn)
                && !error.passes()
            {
                return Err(self.fail(error));
            }
        }
        Ok(())
    }

    fn log_append_time(&self, batches: &[Incoming]) -> Option<Timestamp> {
        let header = &batches.first()?.header;
        (header.timestamp_type() == TimestampType::LogAppendTime).then(|| header.max_timestamp())
    }
}

fn assign(batch: &Validated, offset: i64, epoch: LeaderEpoch) -> Result<Incoming, AppendError> {
    let mut header = *batch.header();
    if header.batch_len() != HEADER_LEN + batch.payload().len() || header.last_offset_delta() < 0 {
        return Err(corrupt(format!("a batch says it has {} bytes, it has not", header.batch_len())));
    }
    let control = header.is_control() && header.has_producer_id();
    // Markers are tiny; everything else is never copied.
    let marker = control.then(|| producers::marker(&batch.to_bytes())).flatten();
    header.assign(Offset(offset), epoch);
    Ok(Incoming { header, base_offset: offset, marker })
}

fn last_offset(batch: &Incoming) -> i64 {
    batch.base_offset.saturating_add(i64::from(batch.header.last_offset_delta()))
}

fn corrupt(message: String) -> AppendError {
    AppendError::rejected(ErrorCode::CorruptMessage, message)
}

fn offsets_used_up() -> AppendError {
    AppendError::rejected(ErrorCode::UnknownServerError, "the partition has used up its offsets")
}
