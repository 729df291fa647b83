//! Against the crate `kafka-protocol`, which is made from the schemas of Kafka 4.1.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../../wire/tests/support/mod.rs"]
mod support;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use support::schema::{Kind, Message};
use support::{Random, random_bytes, schemas};

/// What they read from `bytes`, written by them.
fn theirs(message: &Message, version: i16, bytes: &[u8]) -> Option<Result<Vec<u8>, String>> {
    let key = ApiKey::try_from(message.key?).ok()?;
    let versions = key.valid_versions();
    if !(versions.min..=versions.max).contains(&version) {
        return None;
    }
    let mut input = Bytes::copy_from_slice(bytes);
    let mut out = BytesMut::new();
    let done = match message.kind {
        Kind::Request => {
            RequestKind::decode(key, &mut input, version).and_then(|r| r.encode(&mut out, version))
        }
        Kind::Response => {
            ResponseKind::decode(key, &mut input, version).and_then(|r| r.encode(&mut out, version))
        }
        Kind::Header | Kind::Record => return None,
    };
    match done {
        // Their table of versions promises a few requests of which they can do only the responses.
        Err(error) if format!("{error:#}").contains("specified version not supported") => None,
        done => Some(done.map(|()| out.to_vec()).map_err(|error| format!("{error:#}"))),
    }
}

#[test]
fn what_kafka_would_write_is_read_and_written_alike() {
    let mut compared = 0;
    let mut differences = Vec::new();
    for message in &schemas() {
        for version in message.versions.first..=message.versions.last {
            for seed in 0..10 {
                let bytes = random_bytes(message, version, &mut Random(seed));
                let Some(theirs) = theirs(message, version, &bytes) else {
                    continue;
                };
                compared += 1;
                if theirs.as_ref() != Ok(&bytes) {
                    differences
                        .push(format!("{} v{version}: {theirs:02x?} instead of {bytes:02x?}", message.name));
                    break;
                }
            }
        }
    }
    assert!(compared > 3000, "only {compared} were compared");
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
