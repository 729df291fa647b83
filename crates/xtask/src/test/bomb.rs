//! Small batches that claim, truthfully, to unpack to something enormous: one record of zeros.
//!
//! The streams are put together by hand, because no compressor is needed to repeat one byte.

use super::raw::varint;

/// The front of the unpacked payload: a record whose value is `value` zeros. The rest, headers included, is zeros.
fn record_head(value: usize) -> Vec<u8> {
    let mut inner = vec![0, 0, 0, 1];
    inner.extend(varint(value));
    let mut head = varint(inner.len() + value + 1);
    head.append(&mut inner);
    head
}

/// A stored block with the head and one zero, then a block in which two bits stand for 258 zeros.
pub fn gzip(zeros: usize) -> Vec<u8> {
    let mut stored = record_head(zeros);
    stored.push(0);
    let length = u16::try_from(stored.len()).unwrap_or(u16::MAX);
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(stored);
    let mut bits = Bits::default();
    // Last block, own codes; 286 length codes, 1 distance code, 18 code-length codes of which 18 and 1 have one bit.
    bits.push(0b1, 1);
    bits.push(0b10, 2);
    bits.push(29, 5);
    bits.push(0, 5);
    bits.push(14, 4);
    for position in 0..18 {
        bits.push(u32::from(position == 2 || position == 17), 3);
    }
    // 256 absent codes, one of one bit (end of block), 28 absent, one of one bit (258 bytes), and the distance of one bit.
    for run in [138 - 11, 118 - 11] {
        bits.push(1, 1);
        bits.push(run, 7);
    }
    bits.push(0, 1);
    bits.push(1, 1);
    bits.push(28 - 11, 7);
    bits.push(0, 2);
    for _ in 0..zeros / 258 {
        bits.push(0b01, 2);
    }
    bits.push(0, 1);
    out.extend(bits.finish());
    out.extend([0; 8]);
    out
}

/// Frames of zstd may repeat one byte 128 KiB long in four bytes.
pub fn zstd(zeros: usize) -> Vec<u8> {
    const BLOCK: usize = 128 * 1024;
    let head = record_head(zeros);
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    let block = |kind: u32, size: usize, last: bool| {
        let header = u32::from(last) | kind << 1 | u32::try_from(size).unwrap_or(0) << 3;
        header.to_le_bytes().into_iter().take(3)
    };
    out.extend(block(0, head.len(), false));
    out.extend(head);
    let blocks = zeros / BLOCK;
    for index in 0..=blocks {
        out.extend(block(1, BLOCK, index == blocks));
        out.push(0);
    }
    out
}

/// A frame of LZ4 whose blocks are one long match: 255 zeros in a byte.
pub fn lz4(zeros: usize) -> Vec<u8> {
    const BLOCK: usize = 4 * 1024 * 1024 - 1024;
    let mut out = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73];
    let mut literals = record_head(zeros);
    literals.push(0);
    for _ in 0..=zeros / BLOCK {
        let mut block = vec![u8::try_from(literals.len()).unwrap_or(0) << 4 | 0x0f];
        block.append(&mut literals);
        block.extend([1, 0]);
        block.extend(vec![0xff; (BLOCK - 32) / 255]);
        block.push(0);
        // A block ends with literals.
        block.extend([0x50, 0, 0, 0, 0, 0]);
        literals = vec![0];
        out.extend(u32::try_from(block.len()).unwrap_or(0).to_le_bytes());
        out.extend(block);
    }
    out.extend([0; 4]);
    out
}

/// Snappy packs 64 bytes into three at best: its bomb is the length that it claims in front.
pub fn snappy(zeros: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut claim = zeros;
    while claim >= 0x80 {
        out.push(u8::try_from(claim & 0x7f).unwrap_or(0) | 0x80);
        claim >>= 7;
    }
    out.push(u8::try_from(claim).unwrap_or(0));
    let mut head = record_head(zeros);
    head.push(0);
    out.push(u8::try_from(head.len() - 1).unwrap_or(0) << 2);
    out.extend(head);
    for _ in 0..200_000 {
        out.extend([63 << 2 | 2, 1, 0]);
    }
    out
}

/// Bits from the lowest of each byte.
#[derive(Debug, Default)]
struct Bits {
    out: Vec<u8>,
    held: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, bits: u32) {
        self.held |= value << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.out.push(self.held.to_le_bytes()[0]);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.push(0, 7);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bomb_is_far_smaller_than_what_it_holds() {
        let gigabyte = 1 << 30;
        assert!(gzip(gigabyte).len() < 1_048_000 * 2);
        assert!(zstd(gigabyte).len() < 50_000);
        assert!(lz4(200 << 20).len() < 1_000_000);
    }

    #[test]
    fn bits_fill_bytes_from_the_low_end() {
        let mut bits = Bits::default();
        bits.push(0b1, 1);
        bits.push(0b101, 3);
        assert_eq!(bits.finish(), [0b1011]);
    }
}
