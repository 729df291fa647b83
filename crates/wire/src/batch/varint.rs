//! Zig-zag variable-length integers, as records of a batch carry them.
//!
//! A number may be padded within the length that its type allows, as Kafka tolerates, but never beyond it, and its last
//! byte may not carry bits that the type has no room for.

/// The bytes that a 32-bit number takes at most.
pub(crate) const VARINT_BYTES_MAX: usize = 5;
/// The bytes that a 64-bit number takes at most.
pub(crate) const VARLONG_BYTES_MAX: usize = 10;

/// Undoes the zig-zag that keeps small negative numbers short.
#[inline]
pub(crate) fn unzigzag_32(raw: u32) -> i32 {
    ((raw >> 1) as i32) ^ -((raw & 1) as i32)
}

/// Undoes the zig-zag that keeps small negative numbers short.
#[inline]
pub(crate) fn unzigzag_64(raw: u64) -> i64 {
    ((raw >> 1) as i64) ^ -((raw & 1) as i64)
}

pub(crate) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_unsigned(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

pub(crate) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_unsigned(out: &mut Vec<u8>, mut raw: u64) {
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// How many bytes `put_varint` writes.
pub(crate) fn varint_len(value: i32) -> usize {
    unsigned_len(u64::from(((value << 1) ^ (value >> 31)) as u32))
}

/// How many bytes `put_varlong` writes.
pub(crate) fn varlong_len(value: i64) -> usize {
    unsigned_len(((value << 1) ^ (value >> 63)) as u64)
}

fn unsigned_len(raw: u64) -> usize {
    let bits = 64 - (raw | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::source::{SliceSource, Source};

    fn read_32(bytes: &[u8]) -> Option<i32> {
        SliceSource::new(bytes).varint().ok()
    }

    fn read_64(bytes: &[u8]) -> Option<i64> {
        SliceSource::new(bytes).varlong().ok()
    }

    #[test]
    fn every_width_of_number_comes_back_and_has_the_length_foretold() {
        let edges = (0..64)
            .flat_map(|bit| [1i64 << bit, (1i64 << bit).wrapping_sub(1), (1i64 << bit).wrapping_neg()]);
        for value in edges.chain([0, -1, i64::MIN, i64::MAX]) {
            let mut long = Vec::new();
            put_varlong(&mut long, value);
            assert_eq!((read_64(&long), long.len()), (Some(value), varlong_len(value)));
            let short = value as i32;
            let mut bytes = Vec::new();
            put_varint(&mut bytes, short);
            assert_eq!((read_32(&bytes), bytes.len()), (Some(short), varint_len(short)));
        }
    }

    #[test]
    fn a_number_longer_than_its_type_is_refused() {
        assert_eq!(read_32(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Some(i32::MIN));
        assert_eq!(read_32(&[0xff, 0xff, 0xff, 0xff, 0x10]), None, "a bit beyond the 32nd");
        assert_eq!(read_32(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), None, "a sixth byte");
        assert_eq!(read_32(&[0x80, 0x80, 0x80, 0x80, 0x00]), Some(0), "padding within five bytes");
        let mut long = [0xff; 10];
        long[9] = 0x01;
        assert_eq!(read_64(&long), Some(i64::MIN));
        long[9] = 0x02;
        assert_eq!(read_64(&long), None, "a bit beyond the 64th");
        assert_eq!(read_64(&[0x80; 10]), None, "no end within ten bytes");
    }

    #[test]
    fn a_number_cut_short_is_refused() {
        assert_eq!(read_32(&[]), None);
        assert_eq!(read_32(&[0x80]), None);
        assert_eq!(read_64(&[0xff, 0xff]), None);
    }
}
