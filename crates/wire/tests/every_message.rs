//! Every message in every version: what Kafka would write is read, and written again byte for byte; what nobody should
//! write is refused, without a panic and without an allocation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use support::schema::Message;
use support::{Random, random_bytes, schemas};
use wire::{DecodeError, Writer};

/// What the tests do with one message.
#[derive(Clone, Copy)]
struct Codec {
    /// Decodes to owned values and encodes them.
    again: fn(&[u8], i16) -> Result<Vec<u8>, DecodeError>,
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
