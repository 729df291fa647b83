//! Messages: frames and headers, every request and response in every version, and every record.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use wire::api_table::{self, Api};
use wire::header::{RequestHeaderView, ResponseHeader};
use wire::{DecodeError, EncodeError, Message, Writer, frame, records};

use super::Target;
use crate::bound::{FREE_BYTES, twice, within};
use crate::input::{Input, Output};

pub const FRAME: Target = Target {
    name: "frame",
    what: "what arrives on a connection: frames, request headers, and the request that the header names",
    run: run_frame,
    seeds: seeds_frame,
    len_max: 2048,
    micros: 30,
};

pub const REQUEST: Target = Target {
    name: "request",
    what: "every request in every version, as a view and owned",
    run: |input| run_message(&REQUESTS, input),
    seeds: || seeds_of(&REQUESTS, "request"),
    len_max: 2048,
    micros: 60,
};

pub const RESPONSE: Target = Target {
    name: "response",
    what: "every response in every version, as the client reads it",
    run: |input| run_message(&RESPONSES, input),
    seeds: || seeds_of(&RESPONSES, "response"),
    len_max: 2048,
    micros: 70,
};

pub const RECORD: Target = Target {
    name: "record",
    what: "every record of the internal logs and every format inside of records, in every version",
    run: |input| run_message(&RECORDS, input),
    seeds: || seeds_of(&RECORDS, ""),
    len_max: 2048,
    micros: 60,
};

/// What an owned message may hold for each byte of its input. An array of empty strings is the worst of it: 24 bytes of
/// memory for each byte, in a struct that holds itself what it can.
const OWNED_PER_BYTE: usize = 128;

/// What can be done with one message.
struct Codec {
    module: &'static str,
    name: &'static str,
    versions: (i16, i16),
    /// Decodes a view and visits all of it.
    visit: fn(&[u8], i16) -> Result<(), DecodeError>,
    /// Decodes owned values and encodes them.
    again: fn(&[u8], i16) -> Result<Bytes, DecodeError>,
    default: fn(i16) -> Result<Bytes, EncodeError>,
}

fn encode<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut out = Writer::new();
    message.encode(&mut out, version)?;
    Ok(out.into_bytes().expect("nothing lies in a file"))
}

static CODECS: LazyLock<Vec<Codec>> = LazyLock::new(|| {
    let mut codecs = Vec::new();
    macro_rules! add {
        ($($group:ident $module:ident $owned:ident $view:ident)*) => {$({
            use wire::$group::$module::{$owned, $view};
            codecs.push(Codec {
                module: stringify!($module),
                name: $owned::NAME,
                versions: ($owned::MIN_VERSION, $owned::MAX_VERSION),
                visit: |input, version| {
                    let view = $view::decode(input, version)?;
                    write!(Nowhere, "{view:?}").expect("nowhere takes everything");
                    Ok(())
                },
                again: |input, version| {
                    let message = $owned::decode(input, version)?;
                    Ok(encode(&message, version).expect("what was decoded can be encoded"))
                },
                default: |version| encode(&$owned::default(), version),
            });
        })*};
    }
    wire::for_every_message!(add);
    codecs
});

static REQUESTS: LazyLock<Vec<&Codec>> = LazyLock::new(|| {
    let named = |api: &Api| CODECS.iter().find(|codec| codec.name == format!("{}Request", api.name));
    api_table::APIS.iter().map(|api| named(api).expect("every API has a request")).collect()
});

static RESPONSES: LazyLock<Vec<&Codec>> = LazyLock::new(|| {
    let named = |api: &Api| CODECS.iter().find(|codec| codec.name == format!("{}Response", api.name));
    api_table::APIS.iter().map(|api| named(api).expect("every API has a response")).collect()
});

static RECORDS: LazyLock<Vec<&Codec>> = LazyLock::new(|| {
    let message = |codec: &Codec| codec.module.ends_with("_request") || codec.module.ends_with("_response");
    CODECS.iter().filter(|codec| !message(codec)).collect()
});

/// Takes text and keeps none of it, so that printing a view visits it all and allocates nothing.
struct Nowhere;

impl fmt::Write for Nowhere {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

/// Which message, which version, by how much the body is made longer, and the body.
fn run_message(codecs: &[&Codec], input: &[u8]) {
    let mut input = Input::new(input);
    let codec = codecs[usize::from(input.byte()) % codecs.len()];
    let (first, last) = codec.versions;
    let version = first + i16::from(input.byte()) % (last - first + 1);
    let longer = input.byte();
    let mut body = input.rest().to_vec();
    // Long arrays of the smallest elements are what costs the most memory for each byte.
    body.resize(body.len() + usize::from(longer >> 1) * 512, longer & 1);
    check_message(codec, &body, version);
}

fn check_message(codec: &Codec, body: &[u8], version: i16) {
    let visited = within(0, || (codec.visit)(body, version));
    let owned = OWNED_PER_BYTE * body.len() + FREE_BYTES;
    let again = within(owned, || (codec.again)(body, version));
    assert_eq!(visited.as_ref().err(), again.as_ref().err(), "a view and owned values judge alike");
    if let Ok(bytes) = again {
        let third = (codec.again)(&bytes, version).expect("what was encoded can be decoded");
        assert!(bytes == third, "{} v{version} is not written as it was read", codec.name);
    }
}

fn run_frame(input: &[u8]) {
    const FRAME_LEN_MAX: usize = 1 << 20;
    let mut received = BytesMut::from(input);
    while let Ok(Some(frame)) = within(twice(input.len()), || frame::split(&mut received, FRAME_LEN_MAX)) {
        run_one_frame(&frame);
    }
    let whole = frame::peek_len(&received, FRAME_LEN_MAX).ok().flatten();
    assert!(whole.is_none_or(|len| received.len() < len + frame::PREFIX_LEN), "a whole frame was left");
}

fn run_one_frame(frame: &[u8]) {
    let Ok((header, body)) = within(0, || RequestHeaderView::decode(frame)) else { return };
    let (key, version) = (header.request_api_key, header.request_api_version);
    let api = api_table::lookup(key).expect("a header of an unknown API is refused");
    let index = api_table::APIS.iter().position(|one| one.key == api.key).expect("it has a row");
    if api.serves(version) {
        check_message(REQUESTS[index], &frame[body..], version);
    }
    // An answer could begin with the same bytes.
    if let Ok((header, body)) = within(0, || ResponseHeader::decode(frame, key, version)) {
        assert!(body <= frame.len(), "{header:?} ends beyond its frame");
    }
    let _ = within(0, || records::split_metadata(frame).map(|_| ()));
}

/// The samples and defaults of the messages of `codecs`, each with its place and version before it.
fn seeds_of(codecs: &[&Codec], kind: &str) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (place, codec) in codecs.iter().enumerate() {
        let (first, last) = codec.versions;
        for version in first..=last {
            let head = [place as u8, (version - first) as u8, 0];
            let default = (codec.default)(version).ok();
            let sample = sample(codec.name, version);
            seeds.extend(default.map(|body| [&head[..], &body].concat()));
            seeds.extend(sample.map(|body| [&head[..], &body].concat()));
        }
    }
    assert!(!seeds.is_empty(), "there are messages of the kind {kind:?}");
    seeds
}

fn seeds_frame() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (api, codec) in api_table::APIS.iter().zip(REQUESTS.iter()) {
        let Some(body) = sample(codec.name, api.max) else { continue };
        let header = wire::header::RequestHeader {
            request_api_key: api.key.code(),
            request_api_version: api.max,
            correlation_id: 7,
            client_id: Some("me".to_owned()),
        };
        let mut out = Writer::new();
        header.encode(&mut out).expect("it is known");
        let frame = [out.into_bytes().expect("nothing lies in a file").to_vec(), body].concat();
        let len = u32::try_from(frame.len()).expect("it is short");
        seeds.push(Output::default().bytes(&len.to_be_bytes()).bytes(&frame).0);
    }
    seeds
}

/// The sample of a message that the tests of `wire` have.
fn sample(name: &str, version: i16) -> Option<Vec<u8>> {
    let lines = include_str!("../../../wire/tests/fixtures/messages.hex").lines();
    let mut digits = lines.filter_map(|line| {
        let mut words = line.split(' ');
        let found = words.next() == Some(name) && words.next()?.parse() == Ok(version);
        found.then(|| words.nth(1)).flatten()
    });
    let digits = digits.next_back().filter(|digits| *digits != "-")?;
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}
