//! Every message in every version: what Kafka would write is read, and written again byte for byte; what nobody should
//! write is refused, without a panic and without an allocation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use support::schema::{Kind, Message};
use support::{Random, random_bytes, schemas};
use wire::{DecodeError, Writer};

/// What the tests do with one message.
#[derive(Clone, Copy)]
struct Codec {
    /// Decodes to owned values and encodes them.
    again: fn(&[u8], i16) -> Result<Vec<u8>, DecodeError>,
    /// Encodes the default value, if it has a form in this version.
    default: fn(i16) -> Option<Vec<u8>>,
    /// Decodes a view and visits all of it.
    visit: fn(&[u8], i16) -> Result<(), DecodeError>,
}

fn codecs() -> BTreeMap<&'static str, Codec> {
    let mut codecs = BTreeMap::new();
    macro_rules! visit {
        ($($group:ident $module:ident $owned:ident $view:ident)*) => {$(
            codecs.insert(stringify!($module), Codec {
                again: |input, version| {
                    let message = wire::$group::$module::$owned::decode(input, version)?;
                    let mut out = Writer::new();
                    message.encode(&mut out, version).expect("what was decoded can be encoded");
                    Ok(out.into_bytes().expect("nothing lies in a file").to_vec())
                },
                default: |version| {
                    let mut out = Writer::new();
                    wire::$group::$module::$owned::default().encode(&mut out, version).ok()?;
                    Some(out.into_bytes().expect("nothing lies in a file").to_vec())
                },
                visit: |input, version| {
                    let view = wire::$group::$module::$view::decode(input, version)?;
                    write!(Nowhere, "{view:?}").expect("nowhere takes everything");
                    Ok(())
                },
            });
        )*};
    }
    wire::for_every_message!(visit);
    codecs
}

/// Takes text and keeps none of it, so that printing a view visits it all and allocates nothing.
struct Nowhere;

impl std::fmt::Write for Nowhere {
    fn write_str(&mut self, _: &str) -> std::fmt::Result {
        Ok(())
    }
}

/// Calls `check` with samples of every message in every version.
fn for_samples(seeds: u64, mut check: impl FnMut(&Message, i16, &[u8], Codec)) {
    let codecs = codecs();
    for message in &schemas() {
        let codec = codecs[message.module.as_str()];
        for version in message.versions.first..=message.versions.last {
            for seed in 0..seeds {
                let bytes = random_bytes(message, version, &mut Random(seed));
                check(message, version, &bytes, codec);
            }
        }
    }
}

#[test]
fn every_message_in_every_version_is_written_as_it_was_read() {
    for_samples(20, |message, version, bytes, codec| {
        let again = (codec.again)(bytes, version).unwrap_or_else(|error| panic!("{error} in {bytes:02x?}"));
        assert_eq!(again, bytes, "{} v{version}", message.name);
    });
}

#[test]
fn kafkas_own_classes_write_the_same_defaults_and_samples() {
    let codecs = codecs();
    let schemas = schemas();
    let lines = include_str!("fixtures/messages.hex").lines().filter(|line| !line.starts_with('#'));
    let mut compared = 0;
    for line in lines {
        let [name, version, default, sample] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let schema = schemas.iter().find(|schema| schema.name == name).expect("every message has a schema");
        let codec = codecs[schema.module.as_str()];
        let version = version.parse().expect("versions are numbers");
        assert_eq!((codec.default)(version), unhex(default), "the default of {name} v{version}");
        let sample = unhex(sample).expect("a sample has bytes");
        assert_eq!((codec.again)(&sample, version), Ok(sample), "{name} v{version}");
        compared += 1;
    }
    let versions = |schema: &Message| (schema.versions.last - schema.versions.first + 1) as usize;
    let all = schemas.iter().filter(|schema| schema.kind != Kind::Header).map(versions).sum::<usize>();
    assert_eq!(compared, all);
}

/// The bytes that a word of the fixture stands for; nothing for `error`.
fn unhex(text: &str) -> Option<Vec<u8>> {
    match text {
        "error" => None,
        "-" => Some(Vec::new()),
        digits => {
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
        }
    }
}

#[test]
fn bytes_after_a_message_are_left_alone() {
    for_samples(1, |message, version, bytes, codec| {
        let longer = [bytes, &[0xaa; 3]].concat();
        assert_eq!((codec.again)(&longer, version).as_deref(), Ok(bytes), "{} v{version}", message.name);
    });
}

#[test]
fn a_message_that_ends_too_early_is_refused_wherever_it_ends() {
    for_samples(2, |message, version, bytes, codec| {
        for len in 0..bytes.len() {
            let result = (codec.visit)(&bytes[..len], version);
            assert!(
                result.is_err(),
                "{} v{version} of {} bytes is read from {len}",
                message.name,
                bytes.len()
            );
        }
    });
}

#[test]
fn no_bytes_make_decoding_panic_or_allocate() {
    let mut random = Random(7);
    for_samples(3, |message, version, bytes, codec| {
        for _ in 0..40 {
            let mut bytes = bytes.to_vec();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len().max(1) as u64) as usize;
                let evil = [0x00, 0x7f, 0x80, 0xff, random.next() as u8][random.below(5) as usize];
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = evil;
                }
            }
            let spent = allocation_counter::measure(|| {
                let _ = (codec.visit)(&bytes, version);
            });
            assert_eq!(spent.bytes_total, 0, "{} v{version} from {bytes:02x?}", message.name);
        }
    });
}

#[test]
fn versions_outside_of_the_range_are_refused() {
    for_samples(1, |message, _, bytes, codec| {
        for version in [message.versions.first - 1, message.versions.last + 1] {
            assert!((codec.visit)(bytes, version).is_err(), "{} v{version}", message.name);
        }
    });
}
