//! What goes in comes out, in every framing that clients use, and never more than is allowed.

use super::*;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use proptest::prelude::*;
use std::io::Write;

const MIB: usize = 1024 * 1024;
const COMPRESSING: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn limit(bytes_max: usize) -> Limits {
    Limits::trusting(bytes_max)
}

fn compressed(codec: Codec, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress(Compression::of(codec), input, &mut out).unwrap();
    out
}

/// Text that compresses somewhat: it repeats, but at changing distances.
fn text(len: usize) -> Vec<u8> {
    (0..)
        .flat_map(|number: u32| format!("event {} of {};", number, number % 97).into_bytes())
        .take(len)
        .collect()
}

#[track_caller]
fn check_reads(codec: Codec, input: &[u8], expected: &[u8]) {
    let out = decompress(codec, input, limit(expected.len())).unwrap();
    assert!(out == expected, "{} bytes came out for {}", out.len(), expected.len());
    if !expected.is_empty() {
        let less = expected.len() - 1;
        assert_eq!(decompress(codec, input, limit(less)), Err(CompressError::TooLarge { limit: less }));
    }
}

#[track_caller]
fn check_corrupt(codec: Codec, input: &[u8]) {
    let result = decompress(codec, input, limit(MIB));
    assert!(
        matches!(result, Err(CompressError::Corrupt { codec: found, .. }) if found == codec),
        "{result:?}"
    );
}

#[test]
fn names_and_numbers_are_those_of_kafka() {
    let named: Vec<(u8, &str)> = Codec::ALL.iter().map(|codec| (codec.id(), codec.name())).collect();
    assert_eq!(named, [(0, "none"), (1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")]);
    for codec in Codec::ALL {
        assert_eq!((Codec::from_id(codec.id()), codec.name().parse()), (Some(codec), Ok(codec)));
    }
    assert_eq!("uncompressed".parse(), Ok(Codec::None));
    assert_eq!(Codec::from_id(5), None);
    assert!("producer".parse::<Codec>().is_err());
}

#[test]
fn every_codec_gives_back_what_it_was_given() {
    for codec in Codec::ALL {
        for len in [0, 1, 100, 32 * 1024, 32 * 1024 + 1, 64 * 1024, 64 * 1024 + 1, 300_000] {
            let input = text(len);
            let out = compressed(codec, &input);
            check_reads(codec, &out, &input);
        }
    }
}

#[test]
fn output_is_appended_to_what_is_there() {
    for codec in Codec::ALL {
        let mut out = b"before".to_vec();
        compress(Compression::of(codec), b"content", &mut out).unwrap();
        check_reads(codec, out.strip_prefix(b"before").unwrap(), b"content");
    }
}

#[test]
fn levels_are_brought_into_range_and_used() {
    assert_eq!(Compression::with_level(Codec::Gzip, 99).level(), 9);
    assert_eq!(Compression::with_level(Codec::Gzip, -1).level(), -1);
    assert_eq!(Compression::with_level(Codec::Zstd, 99).level(), 22);
    assert_eq!(Compression::with_level(Codec::Zstd, i32::MIN).level(), -131_072);
    assert_eq!(Compression::with_level(Codec::Lz4, 0).level(), 1);
    let input = text(100_000);
    for (codec, fast, thorough) in [(Codec::Gzip, 1, 9), (Codec::Zstd, -50, 19), (Codec::Zstd, 1, 22)] {
        let len_at = |level| {
            let mut out = Vec::new();
            compress(Compression::with_level(codec, level), &input, &mut out).unwrap();
            check_reads(codec, &out, &input);
            out.len()
        };
        assert!(len_at(thorough) < len_at(fast), "{codec}");
    }
}

#[test]
fn snappy_is_written_in_the_frame_of_kafkas_clients() {
    let out = compressed(Codec::Snappy, &text(70_000));
    assert_eq!(out[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    let first = u32::from_be_bytes(out[16..20].try_into().unwrap()) as usize;
    assert_eq!(snap::raw::decompress_len(&out[20..20 + first]), Ok(32 * 1024));
}

#[test]
fn snappy_is_read_raw_and_as_streams_in_a_row() {
    let input = text(200_000);
    check_reads(Codec::Snappy, &snap::raw::Encoder::new().compress_vec(&input).unwrap(), &input);
    let (front, back) = input.split_at(90_000);
    let row = [compressed(Codec::Snappy, front), compressed(Codec::Snappy, back)].concat();
    check_reads(Codec::Snappy, &row, &input);
}

#[test]
fn damaged_snappy_is_refused() {
    let good = compressed(Codec::Snappy, &text(1_000));
    for len in 1..good.len() {
        // Just after the header there is no block yet, which is a stream of nothing.
        if len != 16 {
            check_corrupt(Codec::Snappy, &good[..len]);
        }
    }
    // A block that claims what its few bytes cannot hold is found before room is made for it.
    check_corrupt(Codec::Snappy, &[0x80, 0x80, 0x20, 0, b'a']);
    check_corrupt(Codec::Snappy, b"");
}

#[test]
fn lz4_is_written_in_the_frame_of_kafkas_clients() {
    let out = compressed(Codec::Lz4, &text(70_000));
    // The magic, version 1 with independent blocks, blocks of 64 KiB, and the checksum of these two bytes.
    assert_eq!(out[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    assert_eq!(out[out.len() - 4..], [0; 4], "the end mark, and no checksum after it");
}

fn lz4_frame(info: FrameInfo, input: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(input).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn lz4_frames_of_every_kind_are_read() {
    let input = text(700_000);
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
            for (blocks, content) in [(false, false), (true, false), (false, true), (true, true)] {
                let info = FrameInfo::new().block_mode(mode).block_size(size);
                let info = info.block_checksums(blocks).content_checksum(content);
                let info = info.content_size(Some(input.len() as u64));
                check_reads(Codec::Lz4, &lz4_frame(info, &input), &input);
            }
        }
    }
}

#[test]
fn lz4_frames_in_a_row_are_read_and_those_without_data_passed_over() {
    let input = text(10_000);
    let frame = compressed(Codec::Lz4, &input);
    let skippable = [&[0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
    let row = [&frame[..], &skippable, &frame, &skippable].concat();
    check_reads(Codec::Lz4, &row, &[&input[..], &input].concat());
}

#[test]
fn damaged_lz4_is_refused() {
    let info = FrameInfo::new().block_checksums(true).content_checksum(true).content_size(Some(1_000));
    let good = lz4_frame(info, &text(1_000));
    for len in 0..good.len() {
        check_corrupt(Codec::Lz4, &good[..len]);
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert!(decompress(Codec::Lz4, &bad, limit(MIB)).is_err(), "byte {at}");
    }
    check_corrupt(Codec::Lz4, &[&good[..], b"garbage"].concat());
}

#[test]
fn gzip_members_in_a_row_are_read() {
    let (front, back) = (text(50_000), text(7));
    let row = [compressed(Codec::Gzip, &front), compressed(Codec::Gzip, &back)].concat();
    check_reads(Codec::Gzip, &row, &[front, back].concat());
}

#[test]
fn damaged_gzip_is_refused() {
    let good = compressed(Codec::Gzip, &text(1_000));
    for len in 1..good.len() {
        check_corrupt(Codec::Gzip, &good[..len]);
    }
    let mut bad = good.clone();
    let at = good.len() - 6;
    bad[at] ^= 1;
    check_corrupt(Codec::Gzip, &bad);
}

fn zstd_stream(level: i32, checksum: bool, input: &[u8]) -> Vec<u8> {
    // A stream does not know how much will come, as the Java client's do not: the frame has no content size.
    let mut encoder = ::zstd::stream::Encoder::new(Vec::new(), level).unwrap();
    encoder.include_checksum(checksum).unwrap();
    encoder.write_all(input).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn zstd_frames_of_every_kind_are_read() {
    for len in [0, 1, 255, 256, 70_000, 300_000] {
        let input = text(len);
        for level in [-5, 3] {
            for checksum in [false, true] {
                check_reads(Codec::Zstd, &zstd_stream(level, checksum, &input), &input);
            }
        }
    }
    // The highest level claims a window of 128 MiB.
    check_reads(Codec::Zstd, &zstd_stream(22, false, b"little"), b"little");
    let zeros = vec![0; 3 * MIB];
    check_reads(Codec::Zstd, &zstd_stream(3, true, &zeros), &zeros);
    let noise: Vec<u8> =
        (0..200_000u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    check_reads(Codec::Zstd, &zstd_stream(3, false, &noise), &noise);
}

#[test]
fn zstd_frames_in_a_row_are_read_and_those_without_data_passed_over() {
    let input = text(10_000);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
    let row = [&zstd_stream(3, true, &input)[..], &skippable, &compressed(Codec::Zstd, &input)].concat();
    check_reads(Codec::Zstd, &row, &[&input[..], &input].concat());
}

#[test]
fn damaged_zstd_is_refused() {
    let good = zstd_stream(3, true, &text(1_000));
    for len in 1..good.len() {
        check_corrupt(Codec::Zstd, &good[..len]);
    }
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    check_corrupt(Codec::Zstd, &bad);
    check_corrupt(Codec::Zstd, &[&good[..], b"garbage"].concat());
}

#[test]
fn bombs_do_not_go_off() {
    let zeros = vec![0; 2 * MIB];
    let large_blocks = FrameInfo::new().block_size(BlockSize::Max4MB);
    let mut endless_zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88];
    for _ in 0..10_000 {
        // A block of one byte that stands for 128 KiB of itself.
        endless_zstd.extend_from_slice(&[0x02, 0x00, 0x10, 0x00]);
    }
    endless_zstd.extend_from_slice(&[0x03, 0x00, 0x10, 0x00]);
    for (codec, bomb) in [
        (Codec::Gzip, compressed(Codec::Gzip, &zeros)),
        (Codec::Snappy, compressed(Codec::Snappy, &zeros)),
        (Codec::Snappy, snap::raw::Encoder::new().compress_vec(&zeros).unwrap()),
        (Codec::Snappy, vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
        (Codec::Lz4, compressed(Codec::Lz4, &zeros)),
        (Codec::Lz4, lz4_frame(large_blocks, &zeros)),
        (Codec::Zstd, compressed(Codec::Zstd, &zeros)),
        (Codec::Zstd, zstd_stream(19, false, &zeros)),
        (Codec::Zstd, endless_zstd),
    ] {
        for bytes_max in [0, 1, 1_000, MIB] {
            let mut decoder = Decoder::new(codec, &bomb, limit(bytes_max));
            let mut out = Vec::new();
            let error = loop {
                match decoder.next_chunk(&mut out) {
                    Ok(more) => assert!(more, "{codec} came to an end below {bytes_max}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, CompressError::TooLarge { limit: bytes_max }, "{codec}");
            // A vector grows to twice its size at most, and one byte more is asked for than may come.
            assert!(out.capacity() <= 2 * bytes_max + 64 * 1024, "{codec}: {} bytes of room", out.capacity());
        }
    }
}

#[test]
fn a_claim_takes_no_room() {
    // A zstd window of 128 MiB and an unknown size, for one byte; then a content size of 2^62.
    check_reads(Codec::Zstd, &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x09, 0x00, 0x00, b'x'], b"x");
    let mut claims = vec![0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x88];
    claims.extend_from_slice(&(1u64 << 62).to_le_bytes());
    claims.extend_from_slice(&[0x09, 0x00, 0x00, b'x']);
    check_corrupt(Codec::Zstd, &claims);
}

#[test]
fn what_is_likely_to_come_out_is_less_than_what_may() {
    let equal = compressed(Codec::Zstd, &vec![0; 8 * MIB]);
    assert!(equal.len() < 1_000);
    let limits = Limits::for_batches_of(MIB);
    let likely = limits.likely(equal.len());
    assert_eq!(decompress(Codec::Zstd, &equal, likely), Err(CompressError::TooLarge { limit: MIB }));
    assert_eq!(decompress(Codec::Zstd, &equal, limits).map(|out| out.len()), Ok(8 * MIB));
    assert_eq!(limits.likely(5_000), Limits { bytes_max: 5_000_000 });
    assert_eq!(limits.likely(MIB), Limits { bytes_max: 16 * MIB });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_come_back(input in proptest::collection::vec(any::<u8>(), 0..5_000), repeat in 1..8usize) {
        let input = input.repeat(repeat);
        for codec in COMPRESSING {
            let out = decompress(codec, &compressed(codec, &input), limit(input.len()));
            prop_assert!(out.as_ref().map(|out| out == &input) == Ok(true), "{codec}");
        }
    }

    #[test]
    fn damage_yields_an_error_or_bounded_output(
        seed in proptest::collection::vec(any::<u8>(), 1..400),
        hits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for codec in COMPRESSING {
            let mut bytes = compressed(codec, &seed.repeat(20));
            for (at, value) in &hits {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            if let Ok(out) = decompress(codec, &bytes, limit(50_000)) {
                prop_assert!(out.len() <= 50_000);
            }
        }
    }
}
