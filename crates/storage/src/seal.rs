//! A checksum in Kafka's small text files, whose formats have room for none.
//!
//! It is written as blanks at the end of the last line, a space for each 0 and a tab for each 1: Kafka's parsers pass over
//! them, and a file that Kafka wrote anew has none, which tells it from a damaged one. It comes and goes with the file that it
//! is in, so no file beside it can be newer or older.
//!
//! One byte that is wrong is found by the checksum and put right.

/// Bits of the checksum, a blank each.
const BITS: usize = 64;
/// From so many blanks on a file counts as sealed, though some of them are damaged.
const BLANKS_MIN: usize = 48;

/// The polynomial of CRC-64/NVME, the last bit first.
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

/// What the checksum told of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seal {
    /// The text is as it was written.
    Whole,
    /// It is again, after one byte was put right.
    Mended,
    /// There is no checksum: Kafka wrote the file, or somebody by hand.
    Missing,
}

/// A text with its checksum. Nothing but blanks may follow on its last line.
pub(crate) fn sealed(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let checksum = crc_fast::crc64_nvme(text.as_bytes());
    let blank = |bit: usize| if checksum << bit >> (BITS - 1) == 1 { '\t' } else { ' ' };
    let mut sealed = String::with_capacity(text.len() + BITS + 1);
    sealed.push_str(text);
    sealed.extend((0..BITS).map(blank));
    sealed.push('\n');
    sealed
}

/// Takes the checksum off a text, and compares them. Nothing if more is wrong than a byte.
pub(crate) fn open(mut content: Vec<u8>) -> Option<(Vec<u8>, Seal)> {
    let Some((text, [blanks @ .., end])) = content.split_last_chunk::<{ BITS + 1 }>() else {
        return Some((content, Seal::Missing));
    };
    let wrong: Vec<usize> =
        (0..BITS).filter(|bit| blanks.get(*bit).is_none_or(|byte| !b" \t".contains(byte))).collect();
    if BITS - wrong.len() < BLANKS_MIN {
        return Some((content, Seal::Missing));
    }
    let told = blanks.iter().fold(0, |bits, byte| bits << 1 | u64::from(*byte == b'\t'));
    let difference = crc_fast::crc64_nvme(text) ^ told;
    let seal = match (wrong.as_slice(), *end) {
        ([], b'\n') if difference == 0 => Seal::Whole,
        ([], _) if difference == 0 => Seal::Mended,
        ([], b'\n') if difference.is_power_of_two() => Seal::Mended,
        ([bit], b'\n') if difference & !(1 << (BITS - 1 - bit)) == 0 => Seal::Mended,
        ([], b'\n') => {
            let (at, mask) = wrong_byte(text.len(), difference)?;
            *content.get_mut(at)? ^= mask;
            Seal::Mended
        }
        _ => return None,
    };
    content.truncate(content.len() - BITS - 1);
    content.push(b'\n');
    Some((content, seal))
}

/// The one byte of a text, and the bits of it, that change its checksum by this difference.
fn wrong_byte(len: usize, difference: u64) -> Option<(usize, u8)> {
    // A checksum takes a byte after the other into its lowest bits: going back, that is where the difference began.
    let mut bits = difference;
    (0..len).rev().find_map(|at| {
        bits = (0..8).fold(bits, |bits, _| match bits >> (BITS - 1) {
            1 => (bits ^ POLYNOMIAL) << 1 | 1,
            _ => bits << 1,
        });
        u8::try_from(bits).ok().map(|mask| (at, mask))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0\n2\nt 0 17\nlonger.name 12 1234567\n";

    fn opened(content: &[u8]) -> Option<(String, Seal)> {
        open(content.to_vec()).map(|(text, seal)| (String::from_utf8_lossy(&text).into_owned(), seal))
    }

    #[test]
    fn a_sealed_text_is_the_same_but_for_blanks_at_its_end() {
        let sealed = sealed(TEXT);
        assert_eq!(sealed.trim_end(), TEXT.trim_end());
        assert_eq!(sealed.lines().count(), TEXT.lines().count());
        assert_eq!(opened(sealed.as_bytes()), Some((TEXT.to_owned(), Seal::Whole)));
    }

    #[test]
    fn what_somebody_else_wrote_is_taken_as_it_is() {
        for text in ["", "0\n", TEXT, "0\n1\nt 0 1  \t \n"] {
            assert_eq!(opened(text.as_bytes()), Some((text.to_owned(), Seal::Missing)));
        }
    }

    #[test]
    fn any_one_wrong_byte_is_put_right() {
        let sealed = sealed(TEXT).into_bytes();
        for at in 0..sealed.len() {
            for mask in 1..=u8::MAX {
                let mut damaged = sealed.clone();
                damaged[at] ^= mask;
                let found = opened(&damaged);
                assert_eq!(found, Some((TEXT.to_owned(), Seal::Mended)), "{mask:#x} at {at}");
            }
        }
    }

    #[test]
    fn more_damage_is_told() {
        let sealed = sealed(TEXT).into_bytes();
        for at in 0..sealed.len() - 1 {
            for mask in [1, 0x10, 0x29, 0xff] {
                let mut damaged = sealed.clone();
                damaged[at] ^= mask;
                damaged[at + 1] ^= mask;
                assert_eq!(opened(&damaged), None, "{mask:#x} at {at}");
            }
        }
        assert_eq!(opened(&sealed[..sealed.len() - 1]), None);
        assert_eq!(opened(&sealed[1..]), None);
    }
}
