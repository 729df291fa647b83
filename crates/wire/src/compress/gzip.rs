//! gzip, as RFC 1952 has it.

use super::{Budget, Codec, CompressError};
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};

/// How much comes out at a time.
const CHUNK_BYTES: usize = 32 * 1024;

pub(super) fn compress(level: i32, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
    let level =
        u32::try_from(level).map_or_else(|_| flate2::Compression::default(), flate2::Compression::new);
    let failed = |_| CompressError::Failed { codec: Codec::Gzip, reason: "it stopped" };
    let mut encoder = GzEncoder::new(out, level);
    encoder.write_all(input).map_err(failed)?;
    encoder.finish().map(|_| ()).map_err(failed)
}

pub(super) struct Decoder<'a> {
    inner: MultiGzDecoder<&'a [u8]>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { inner: MultiGzDecoder::new(input) }
    }

    pub(super) fn next_chunk(&mut self, budget: Budget, out: &mut Vec<u8>) -> Result<bool, CompressError> {
        // One byte beyond the budget is asked for, since only its coming tells an excess from an end.
        let wanted = CHUNK_BYTES.min(budget.left.saturating_add(1));
        let before = out.len();
        out.resize(before + wanted, 0);
        let mut filled = 0;
        while let Some(space) = out.get_mut(before + filled..).filter(|space| !space.is_empty()) {
            match self.inner.read(space) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) => {
                    out.truncate(before);
                    let reason = match error.kind() {
                        std::io::ErrorKind::UnexpectedEof => "it ends too early",
                        _ => "its data or a checksum is wrong",
                    };
                    return Err(CompressError::Corrupt { codec: Codec::Gzip, reason });
                }
            }
        }
        out.truncate(before + filled);
        budget.check(filled)?;
        Ok(filled > 0)
    }
}
