//! The bytes of a journal.
//!
//! | file | bytes |
//! |---|---|
//! | header | magic, version, life, capacity, CRC-32C; one page |
//! | ring | blocks, each at a multiple of the page size |
//! | block | magic, CRC-32C of the rest, life, position in the stream, tail, length, number of entries; entries; zeros |
//! | entry | topic id, partition, first offset, length; a record batch as it is in its segment |
//!
//! All numbers are big-endian. The position of a block in the endless stream says where it lies in the ring.

use std::ops::Range;

use kernel::port::Block;
use kernel::{Offset, Uuid};

const FILE_MAGIC: u32 = 0x5252_4a46;
const BLOCK_MAGIC: u32 = 0x5252_4a42;
const VERSION: u32 = 1;

/// Bytes before the entries of a block.
pub const BLOCK_HEADER: usize = 44;
/// Bytes before the batch of an entry.
pub const ENTRY_HEADER: usize = 32;

/// What a block's CRC covers begins here.
const CHECKED_FROM: usize = 8;

/// Reads numbers off the front of bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_be_bytes)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(first)
    }
}

/// The first page of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// Which life of the node the blocks are of that count.
    pub life: u64,
    /// Bytes of the ring.
    pub capacity: u64,
}

impl FileHeader {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(28);
        bytes.extend_from_slice(&FILE_MAGIC.to_be_bytes());
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&self.life.to_be_bytes());
        bytes.extend_from_slice(&self.capacity.to_be_bytes());
        let crc = crc_fast::crc32_iscsi(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Nothing if these bytes are no header, or a damaged one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let known = fields.u32()? == FILE_MAGIC && fields.u32()? == VERSION;
        let header = Self { life: fields.u64()?, capacity: fields.u64()? };
        let crc = crc_fast::crc32_iscsi(bytes.get(..24)?);
        (known && fields.u32()? == crc).then_some(header)
    }
}

/// What stands before the entries of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHeader {
    pub life: u64,
    /// Where the block begins in the endless stream of blocks.
    pub at: u64,
    /// What lies before this in the stream was not needed any more when the block was written.
    pub tail: u64,
    /// Bytes with the header, without the zeros that fill the last page.
    pub len: u32,
    pub entries: u32,
}

impl BlockHeader {
    fn encode(&self) -> [u8; BLOCK_HEADER - CHECKED_FROM] {
        let mut bytes = [0; BLOCK_HEADER - CHECKED_FROM];
        let fields = [&self.life.to_be_bytes()[..], &self.at.to_be_bytes(), &self.tail.to_be_bytes()];
        let lengths = [&self.len.to_be_bytes()[..], &self.entries.to_be_bytes()];
        let all = fields.into_iter().chain(lengths).flatten();
        bytes.iter_mut().zip(all).for_each(|(place, byte)| *place = *byte);
        bytes
    }

    /// Reads a header; nothing if these bytes do not begin like a block. The CRC is checked by [`whole`].
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let known = fields.u32()? == BLOCK_MAGIC;
        let _crc = fields.u32()?;
        let header = Self {
            life: fields.u64()?,
            at: fields.u64()?,
            tail: fields.u64()?,
            len: fields.u32()?,
            entries: fields.u32()?,
        };
        (known && header.len as usize >= BLOCK_HEADER).then_some(header)
    }
}

/// Whether the CRC of a block holds for all of its bytes.
pub fn whole(block: &[u8]) -> bool {
    let mut fields = Fields(block);
    let stored = fields.u32().and_then(|_| fields.u32());
    let checked = block.get(CHECKED_FROM..).unwrap_or_default();
    stored == Some(crc_fast::crc32_iscsi(checked))
}

/// A record batch for one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    pub topic_id: Uuid,
    pub partition: i32,
    /// The offset of the batch's first record.
    pub base_offset: Offset,
    pub batch: &'a [u8],
}

/// The entries of a block that [`whole`] was true for. Nothing at the first that makes no sense.
pub fn entries(block: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut fields = Fields(block.get(BLOCK_HEADER..).unwrap_or_default());
    std::iter::from_fn(move || {
        let topic_id = Uuid::from_bytes(fields.bytes()?);
        let partition = fields.bytes().map(i32::from_be_bytes)?;
        let base_offset = Offset(fields.bytes().map(i64::from_be_bytes)?);
        let len = fields.u32()? as usize;
        Some(Entry { topic_id, partition, base_offset, batch: fields.take(len)? })
    })
}

/// Entries on their way into the journal: one block after the other, none larger than [`super::BLOCK_MAX`].
#[derive(Debug)]
pub struct Blocks {
    block: Block,
    entries: u32,
}

/// A block that only needs its place.
#[derive(Debug)]
pub struct Sealed {
    block: Block,
    entries: u32,
}

impl Blocks {
    /// Begins with the memory of a block that was written.
    pub fn begin(mut block: Block) -> Self {
        block.clear();
        block.extend(&[0; BLOCK_HEADER]);
        Self { block, entries: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Whether a batch of so many bytes can be added.
    pub fn has_room(&self, batch: usize) -> bool {
        self.block.len() + ENTRY_HEADER + batch <= super::BLOCK_MAX
    }

    /// Adds a batch that is given in parts.
    pub fn add(&mut self, topic_id: Uuid, partition: i32, base_offset: Offset, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        self.block.extend(topic_id.as_bytes());
        self.block.extend(&partition.to_be_bytes());
        self.block.extend(&base_offset.0.to_be_bytes());
        self.block.extend(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
        for part in parts {
            self.block.extend(part);
        }
        self.entries += 1;
    }

    /// Bytes that it holds.
    pub fn memory(&self) -> usize {
        self.block.capacity()
    }

    pub fn seal(self) -> Sealed {
        Sealed { block: self.block, entries: self.entries }
    }
}

impl Sealed {
    /// Bytes that it holds.
    pub fn memory(&self) -> usize {
        self.block.capacity()
    }

    /// Bytes in the file, which are whole pages.
    pub fn file_len(&self) -> u64 {
        self.block.len().next_multiple_of(Block::ALIGN) as u64
    }

    /// The bytes to write at `place`.
    pub fn finish(mut self, place: &super::Place) -> Block {
        let header = BlockHeader {
            life: place.life,
            at: place.at,
            tail: place.tail,
            len: u32::try_from(self.block.len()).unwrap_or(u32::MAX),
            entries: self.entries,
        };
        self.block.overwrite(CHECKED_FROM, &header.encode());
        let checked = Range { start: CHECKED_FROM, end: self.block.len() };
        let crc = crc_fast::crc32_iscsi(self.block.bytes().get(checked).unwrap_or_default());
        self.block.overwrite(0, &BLOCK_MAGIC.to_be_bytes());
        self.block.overwrite(4, &crc.to_be_bytes());
        self.block.pad();
        self.block
    }
}
