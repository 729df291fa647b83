//! Compaction: keeping the last record of each key.
//!
//! A [`Cleaning`] is one pass over one log. It notes the last offset of each key in the part of the log that was not
//! compared yet ([`map`]), then writes all segments up to there anew without what is superseded ([`retain`]), several
//! small ones into one ([`plan`]). Each [`Cleaning::step`] is short and needs no lock of the log: it reads segments that
//! no longer change, through files of its own. Only [`crate::Log::swap_cleaned`] changes the log.
//!
//! *Invariant:* segments are swapped from the oldest on, each durably. So when a tombstone goes, the records that it
//! deletes went before it, whenever the power fails.
//!
//! *Invariant:* nothing goes because of a record or marker that a power cut could take back: all that was in the log when
//! the cleaning began is durable before its first swap.

pub(crate) mod map;
pub(crate) mod output;
pub(crate) mod plan;
pub(crate) mod retain;
pub(crate) mod source;
pub(crate) mod txns;

use std::collections::VecDeque;
use std::sync::Arc;

use kernel::Offset;
use wire::batch::BatchView;
use wire::compress::Limits;

pub use output::Cleaned;
pub use plan::Cleanable;

use crate::config::LogConfig;
use crate::error::{Result, StorageError};
use crate::index::txn;
use crate::place::Place;
use map::OffsetMap;
use output::Output;
use plan::{GroupLimits, Source};
use retain::{MAX_DECOMPRESSED, Rules};
use source::Reader;
use txns::Transactions;

/// What a cleaning may use.
#[derive(Debug, Clone, Copy)]
pub struct CleanerTools {
    /// Memory for the keys.
    pub map_bytes: usize,
    /// How full that may get, from 0 to 1.
    pub map_load: f64,
    /// What is read, and written, at a time.
    pub io_bytes: usize,
    /// Random bytes, so that nobody can choose keys that are taken for each other.
    pub secret: [u8; 16],
}

/// What a cleaning did so far.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct CleanStats {
    /// Read for the map of keys.
    pub map_bytes_read: u64,
    /// Keys in the map, and how full it got.
    pub keys: u64,
    pub map_utilization: f64,
    /// Read and written for the new segments.
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub records_read: u64,
    pub records_kept: u64,
    /// Records without a key, which went.
    pub keyless: u64,
    pub segments_read: u64,
    pub segments_written: u64,
}

/// How far a cleaning is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct CleanProgress {
    /// Bytes of segments that were read so far, and that will have been in the end.
    pub done: u64,
    pub planned: u64,
    /// Written so far.
    pub written: u64,
    /// Memory for the keys, and for what is read and written.
    pub memory: usize,
}

/// What a step came to.
pub enum CleanStep {
    /// There is more to do. So many bytes were read and written, for whoever limits that.
    Working { bytes: u64 },
    /// A segment is to be given to [`crate::Log::swap_cleaned`] before the next step.
    Swap(Box<Cleaned>),
    /// The log is clean up to [`Cleaning::end`].
    Done,
}

/// One pass over one log.
pub struct Cleaning {
    at: Place,
    config: Arc<LogConfig>,
    tools: CleanerTools,
    first_dirty: i64,
    first_uncleanable: i64,
    /// The segments before `first_uncleanable`.
    sources: Vec<Source>,
    /// The bases of all segments that have an index of aborted transactions.
    txn_indexes: Vec<i64>,
    cuts: u64,
    decided_by: i64,
    rules: Rules,
    txns: Transactions,
    phase: Phase,
    stats: CleanStats,
    /// Bytes that will have been read in the end.
    planned: u64,
}

enum Phase {
    /// Noting keys. The number of the next source, and the one that is read.
    Mapping(usize, Option<Reader>),
    /// Writing groups of segments anew.
    Rewriting(VecDeque<Vec<Source>>, Option<Box<Group>>),
    Done,
}

/// A group of segments that becomes one.
struct Group {
    sources: Vec<Source>,
    next: usize,
    reader: Option<Reader>,
    output: Output,
}

/// What a log tells a cleaning that begins.
pub(crate) struct Begin {
    pub at: Place,
    pub config: Arc<LogConfig>,
    pub tools: CleanerTools,
    pub range: Cleanable,
    pub sources: Vec<Source>,
    pub txn_indexes: Vec<i64>,
    pub cuts: u64,
    /// The end of the log.
    pub decided_by: i64,
    pub now_ms: i64,
    pub high_watermark: i64,
    pub last_written: std::collections::BTreeMap<i64, retain::LastWritten>,
}

impl Cleaning {
    pub(crate) fn begin(begin: Begin) -> Self {
        let (first_dirty, first_uncleanable) = (begin.range.first_dirty.0, begin.range.first_uncleanable.0);
        let offsets = u64::try_from(first_uncleanable.saturating_sub(first_dirty)).unwrap_or(0);
        let tools = begin.tools;
        let rules = Rules {
            map: OffsetMap::new(tools.map_bytes, tools.map_load, offsets, tools.secret),
            mapped_to: first_dirty,
            now_ms: begin.now_ms,
            delete_retention_ms: begin.config.delete_retention_ms,
            high_watermark: begin.high_watermark,
            last_written: begin.last_written,
        };
        let bytes_of = |of: &dyn Fn(&Source) -> bool| -> u64 {
            begin.sources.iter().filter(|source| of(source)).map(|source| source.size).sum()
        };
        // Once for the keys of what was not compared, once for all.
        let planned = bytes_of(&|source| source.end > first_dirty) + bytes_of(&|_| true);
        Self {
            planned,
            at: begin.at,
            config: begin.config,
            tools,
            first_dirty,
            first_uncleanable,
            sources: begin.sources,
            txn_indexes: begin.txn_indexes,
            cuts: begin.cuts,
            decided_by: begin.decided_by,
            rules,
            txns: Transactions::default(),
            phase: Phase::Mapping(0, None),
            stats: CleanStats::default(),
        }
    }

    /// From where on records had not been compared.
    pub fn start(&self) -> Offset {
        Offset(self.first_dirty)
    }

    /// Up to where the log is clean once this is done. That is less than was asked for if the map could not hold more.
    pub fn end(&self) -> Offset {
        Offset(self.rules.mapped_to)
    }

    pub fn stats(&self) -> CleanStats {
        self.stats
    }

    pub fn progress(&self) -> CleanProgress {
        let CleanStats { map_bytes_read, bytes_read, bytes_written, .. } = self.stats;
        CleanProgress {
            done: map_bytes_read + bytes_read,
            planned: self.planned,
            written: bytes_written,
            memory: self.rules.map.memory() + self.buffered(),
        }
    }

    /// The memory for what is read and written.
    fn buffered(&self) -> usize {
        let of = |reader: &Option<Reader>| reader.as_ref().map_or(0, Reader::memory);
        match &self.phase {
            Phase::Mapping(_, reader) => of(reader),
            Phase::Rewriting(_, Some(group)) => of(&group.reader) + group.output.memory(),
            Phase::Rewriting(_, None) | Phase::Done => 0,
        }
    }

    /// The segments that it reads now, and how often the log had been cut when it began.
    pub(crate) fn relies_on(&self) -> (u64, &[Source]) {
        match &self.phase {
            Phase::Mapping(..) => (self.cuts, &self.sources),
            Phase::Rewriting(_, Some(group)) => (self.cuts, &group.sources),
            _ => (self.cuts, &[]),
        }
    }

    /// Does a little of the work. After an error the cleaning is over; see [`Self::abandon`].
    pub fn step(&mut self) -> Result<CleanStep> {
        match &mut self.phase {
            Phase::Mapping(..) => self.map_some(),
            Phase::Rewriting(..) => self.rewrite_some(),
            Phase::Done => Ok(CleanStep::Done),
        }
    }

    /// Ends the cleaning and takes back what is not in the log yet.
    pub fn abandon(self) {
        if let Phase::Rewriting(_, Some(group)) = self.phase {
            group.output.remove();
        }
    }

    fn map_some(&mut self) -> Result<CleanStep> {
        let Phase::Mapping(number, reader) = &mut self.phase else { return Ok(CleanStep::Done) };
        let Some(source) = self.sources.get(*number).copied() else {
            self.rules.mapped_to = self.first_uncleanable;
            self.begin_rewriting();
            return Ok(CleanStep::Working { bytes: 0 });
        };
        if source.end <= self.first_dirty {
            *number += 1;
            return Ok(CleanStep::Working { bytes: 0 });
        }
        if reader.is_none() {
            learn(&self.at, &self.txn_indexes, &source, &mut self.txns)?;
        }
        let open = match reader {
            Some(reader) => reader,
            None => reader.insert(Reader::open(&self.at, &source)?),
        };
        let path = open.path.clone();
        let Some(chunk) = open.next(self.tools.io_bytes)? else {
            self.rules.mapped_to = source.end.max(self.rules.mapped_to);
            (*number, *reader) = (*number + 1, None);
            return Ok(CleanStep::Working { bytes: 0 });
        };
        let bytes = chunk.len();
        self.stats.map_bytes_read += bytes;
        let mut room = true;
        for batch in chunk.batches() {
            let (position, batch) =
                batch.map_err(|(position, what)| StorageError::corrupt(&path, position, what))?;
            room = map_batch(&mut self.rules, &mut self.txns, &batch, self.first_dirty)
                .map_err(|what| StorageError::corrupt(&path, position, what))?;
            if !room {
                break;
            }
        }
        if !room {
            self.begin_rewriting();
        }
        Ok(CleanStep::Working { bytes })
    }

    fn begin_rewriting(&mut self) {
        self.stats.keys = self.rules.map.len() as u64;
        self.stats.map_utilization = self.rules.map.utilization();
        let reached: Vec<Source> =
            self.sources.iter().filter(|source| source.base < self.rules.mapped_to).copied().collect();
        self.planned = self.stats.map_bytes_read + reached.iter().map(|source| source.size).sum::<u64>();
        let groups = plan::group(&reached, &GroupLimits::of(&self.config));
        self.txns = Transactions::default();
        self.phase = Phase::Rewriting(groups.into(), None);
    }

    fn rewrite_some(&mut self) -> Result<CleanStep> {
        let Phase::Rewriting(groups, current) = &mut self.phase else { return Ok(CleanStep::Done) };
        let group = match current {
            Some(group) => group,
            None => {
                let Some(sources) = groups.pop_front() else {
                    self.phase = Phase::Done;
                    return Ok(CleanStep::Done);
                };
                let base = sources.first().map_or(0, |first| first.base);
                let interval = self.config.index_interval_bytes;
                let output = Output::begin(&self.at, base, interval, self.rules.now_ms)?;
                current.insert(Box::new(Group { sources, next: 0, reader: None, output }))
            }
        };
        let Some(source) = group.sources.get(group.next).copied() else {
            let Some(group) = current.take() else { return Ok(CleanStep::Done) };
            self.stats.segments_read += group.sources.len() as u64;
            self.stats.segments_written += 1;
            return Ok(CleanStep::Swap(Box::new(group.output.finish(
                group.sources,
                self.cuts,
                self.decided_by,
            )?)));
        };
        if group.reader.is_none() {
            learn(&self.at, &self.txn_indexes, &source, &mut self.txns)?;
        }
        let reader = match &mut group.reader {
            Some(reader) => reader,
            none => none.insert(Reader::open(&self.at, &source)?),
        };
        let path = reader.path.clone();
        let Some(chunk) = reader.next(self.tools.io_bytes)? else {
            (group.next, group.reader) = (group.next + 1, None);
            return Ok(CleanStep::Working { bytes: 0 });
        };
        let read = chunk.len();
        for batch in chunk.batches() {
            let (position, batch) =
                batch.map_err(|(position, what)| StorageError::corrupt(&path, position, what))?;
            let left = self.rules.apply(batch, &mut self.txns);
            let left = left.map_err(|what| StorageError::corrupt(&path, position, what))?;
            self.stats.records_read += left.records_read;
            self.stats.records_kept += left.records_kept;
            self.stats.keyless += left.keyless;
            if let Some(txn) = &left.aborted {
                group.output.push_aborted(txn)?;
            }
            if let Some(batch) = &left.batch {
                group.output.push(batch);
            }
        }
        let written = group.output.write()?;
        self.stats.bytes_read += read;
        self.stats.bytes_written += written;
        Ok(CleanStep::Working { bytes: read + written })
    }
}

/// Notes the keys of a batch; false if the map is full.
fn map_batch(
    rules: &mut Rules,
    txns: &mut Transactions,
    batch: &BatchView<'_>,
    first_dirty: i64,
) -> std::result::Result<bool, String> {
    // Markers are never asked for by key: one that looks like a key of somebody's is none.
    if batch.is_control() {
        txns.marker(batch);
    } else if !txns.is_aborted(batch) && batch.last_offset().0 >= first_dirty {
        let records = batch.records(Limits::trusting(MAX_DECOMPRESSED)).map_err(|error| error.to_string())?;
        for record in &records {
            let record = record.map_err(|error| error.to_string())?;
            let Some(key) = record.key.filter(|_| record.offset.0 >= first_dirty) else { continue };
            if !rules.map.put(key, record.offset.0) {
                rules.mapped_to = record.offset.0;
                return Ok(false);
            }
        }
    }
    rules.mapped_to = rules.mapped_to.max(batch.next_offset().0);
    Ok(true)
}

/// Reads which aborted transactions overlap a segment, from the indexes of this segment and of later ones.
fn learn(at: &Place, indexes: &[i64], source: &Source, txns: &mut Transactions) -> Result<()> {
    let mut found = Vec::new();
    for base in indexes.iter().filter(|base| **base >= source.base) {
        if txn::collect(at, *base, Offset(source.base), Offset(source.end), &mut found)? {
            break;
        }
    }
    txns.learn(found);
    Ok(())
}
