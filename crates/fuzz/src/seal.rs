//! Batches that get past their checksum, so that what is behind it is reached.

use wire::batch::{CHECKED_FROM, HEADER_LEN, MAGIC, PREFIX_LEN};
use wire::compress::{self, Codec, Compression};

use crate::input::{Input, Output};

/// The batch's length, magic and checksum are made right.
pub const SEAL: u8 = 1;
/// What follows the header is compressed with the codec that its attributes name.
pub const COMPRESS: u8 = 2;

const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const CODEC_AT: usize = 22;

/// A batch, or what `how` leaves of one.
pub fn batch(how: u8, bytes: &[u8]) -> Vec<u8> {
    let mut batch = bytes.to_vec();
    if how & COMPRESS != 0 && batch.len() >= HEADER_LEN {
        let payload = batch.split_off(HEADER_LEN);
        let codec = Codec::from_id(batch[CODEC_AT] & 7).unwrap_or(Codec::None);
        compress::compress(Compression::of(codec), &payload, &mut batch).expect("it is short");
    }
    if how & SEAL != 0 && batch.len() >= HEADER_LEN {
        let len = i32::try_from(batch.len() - PREFIX_LEN).expect("it is short");
        batch[8..PREFIX_LEN].copy_from_slice(&len.to_be_bytes());
        batch[MAGIC_AT] = MAGIC as u8;
        let crc = crc_fast::crc32_iscsi(&batch[CHECKED_FROM..]);
        batch[CRC_AT..CHECKED_FROM].copy_from_slice(&crc.to_be_bytes());
    }
    batch
}

/// Batches one after the other: for each how it is made right, and its bytes.
pub fn batches(mut input: Input<'_>) -> Vec<u8> {
    let mut all = Vec::new();
    while !input.is_empty() {
        let how = input.byte();
        all.extend(batch(how, input.part()));
    }
    all
}

/// The input that [`batches`] turns into these, if they are as they should be.
pub fn seed<B: AsRef<[u8]>>(batches: &[B]) -> Vec<u8> {
    let add = |out: Output, batch: &B| out.bytes(&[SEAL]).part(batch.as_ref());
    batches.iter().fold(Output::default(), add).0
}
