use bytes::Bytes;

use super::*;
use crate::messages::add_partitions_to_txn_response::AddPartitionsToTxnResponse;
use crate::messages::api_versions_response::{ApiVersionsResponse, SupportedFeatureKey};
use crate::messages::fetch_request::{FetchRequest, FetchRequestView};
use crate::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use crate::messages::metadata_request::{MetadataRequest, MetadataRequestView};
use crate::messages::share_fetch_response::{self, ShareFetchResponse, ShareFetchableTopicResponse};
use crate::records::consumer_group_member_metadata_value::{
    ConsumerGroupMemberMetadataValue, ConsumerGroupMemberMetadataValueView,
};

fn encoded(write: impl FnOnce(&mut Writer) -> Result<(), EncodeError>) -> Result<Bytes, EncodeErrorKind> {
    let mut out = Writer::new();
    write(&mut out).map_err(|error| error.kind)?;
    out.into_bytes()
}

fn flexible(input: &[u8]) -> Reader<'_> {
    Reader::new(input, 0, true)
}

fn wrong<T>(reader: Reader<'_>, value: T) -> Option<(usize, DecodeErrorKind)> {
    reader.finish("Test", value).err().map(|error| (error.offset, error.kind))
}

#[test]
fn variable_length_numbers_read_as_they_were_written() {
    for value in [0, 1, 127, 128, 300, 16_383, 16_384, i32::MAX as u32, u32::MAX] {
        let mut out = Writer::new();
        out.varint(value);
        let bytes = out.into_bytes().expect("nothing lies in a file");
        let mut reader = flexible(&bytes);
        assert_eq!((reader.varint(), reader.remaining()), (value, 0));
    }
}

#[test]
fn a_variable_length_number_of_more_than_32_bits_is_refused() {
    for input in [&[0xff, 0xff, 0xff, 0xff, 0x1f][..], &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]] {
        let mut reader = flexible(input);
        let value = reader.varint();
        assert_eq!(wrong(reader, value), Some((5, DecodeErrorKind::VarintTooLong)));
    }
}

#[test]
fn the_first_failure_is_told_with_its_place_and_everything_after_it_reads_as_nothing() {
    let mut reader = Reader::new(&[0, 1, 0xff, 0xfe, 9, 9, 9, 9], 0, false);
    assert_eq!(reader.i16(), 1);
    assert_eq!(reader.string(), "");
    assert_eq!((reader.i64(), reader.string(), reader.array::<i32>().len()), (0, "", 0));
    assert_eq!(wrong(reader, ()), Some((4, DecodeErrorKind::UnexpectedNull)));
}

#[test]
fn any_length_below_zero_is_a_null() {
    let input = [0xff, 0xfa, 0x80, 0, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe];
    let mut reader = Reader::new(&input, 0, false);
    assert_eq!((reader.nullable_string(true), reader.nullable_string(true)), (None, None));
    assert_eq!(reader.nullable_bytes(true), None);
    assert!(reader.nullable_array::<i32>(true).is_none());
    assert_eq!(wrong(reader, ()), None);
}

#[test]
fn strings_are_utf_8_not_null_and_at_most_32767_bytes() {
    let mut reader = flexible(&[4, b'a', 0xff, b'b']);
    let text = reader.string();
    assert_eq!(wrong(reader, text), Some((2, DecodeErrorKind::NotUtf8)));
    let mut reader = flexible(&[0]);
    let text = reader.string();
    assert_eq!(wrong(reader, text), Some((1, DecodeErrorKind::UnexpectedNull)));
    let long = [&[0x81, 0x80, 0x02][..], &[b'x'; 32768]].concat();
    let mut reader = flexible(&long);
    let text = reader.string();
    assert_eq!(wrong(reader, text), Some((3, DecodeErrorKind::StringTooLong)));
}

#[test]
fn a_text_that_is_too_long_is_told_with_its_beginning() {
    for (text, start) in [("x", "xxxxxxxxxxxxxxxx"), ("äx€", "äx€äx€äx")] {
        let long = text.repeat(32768);
        let Err(kind) = encoded(|out| out.message("Test", 0, true, &long)) else { panic!("it is too long") };
        assert_eq!(kind, EncodeErrorKind::StringTooLong(LongText::new(&long)));
        let told = format!("the string that begins with {start:?} is longer than 32767 bytes");
        assert_eq!(kind.to_string(), told);
    }
}

#[test]
fn an_array_claims_no_more_than_the_input_can_hold() {
    for (input, kind) in [
        (&[0x7f, 0xff, 0xff, 0xff][..], DecodeErrorKind::TooManyElements),
        (&[0x00, 0x0f, 0x42, 0x41], DecodeErrorKind::TooManyElements),
        (&[0x00, 0x0f, 0x42, 0x40], DecodeErrorKind::ArrayTooLong),
        (&[0x00, 0x00, 0x00, 0x01], DecodeErrorKind::ArrayTooLong),
        (&[0xff, 0xff, 0xff, 0xfe], DecodeErrorKind::UnexpectedNull),
        (&[0xff, 0xff, 0xff, 0xff], DecodeErrorKind::UnexpectedNull),
    ] {
        let mut reader = Reader::new(input, 0, false);
        let array = reader.array::<i32>();
        assert_eq!(wrong(reader, array), Some((4, kind)), "{input:02x?}");
    }
}

#[test]
fn the_array_length_that_makes_other_decoders_ask_for_gigabytes_is_an_error() {
    let error =
        MetadataRequestView::decode(&[0x7f, 0xff, 0xff, 0xff], 1).expect_err("nothing follows the length");
    assert_eq!(error.to_string(), "MetadataRequest v1 at byte 4: an array has more than 1000000 elements");
}

#[test]
fn tagged_fields_are_bounded_ascend_and_fill_their_size() {
    for (input, wrong_at) in [
        (&[0x91, 0x4e][..], (2, DecodeErrorKind::TooManyTags)),
        (&[2, 5, 0, 5, 0], (5, DecodeErrorKind::TagsNotAscending)),
        (&[2, 5, 0, 4, 0], (5, DecodeErrorKind::TagsNotAscending)),
        (&[1, 0, 9, 1], (3, DecodeErrorKind::Truncated)),
        (&[1, 7, 3, 0, 0, 0], (5, DecodeErrorKind::TagSize)),
        (&[1, 7, 1, 0, 0], (3, DecodeErrorKind::Truncated)),
    ] {
        let mut reader = flexible(input);
        reader.tags(&mut |tag, r| tag == 7 && r.i16() == 0);
        assert_eq!(wrong(reader, ()), Some(wrong_at), "{input:02x?}");
    }
}

#[test]
fn tags_nobody_knows_are_passed_over() {
    let mut bytes = encoded(|out| MetadataRequest::default().encode(out, 12)).expect("defaults fit").to_vec();
    assert_eq!(bytes.pop(), Some(0), "the count of tagged fields comes last");
    bytes.extend([2, 3, 2, 0xaa, 0xbb, 0x80, 0x01, 0]);
    let view = MetadataRequestView::decode(&bytes, 12).expect("unknown tags are allowed");
    assert_eq!(view.to_owned(), MetadataRequest::default());
}

#[test]
fn fields_that_a_version_lacks_are_dropped_if_they_may_be_and_refused_otherwise() {
    let mut request = FetchRequest { rack_id: "a".to_owned(), session_id: 0, ..FetchRequest::default() };
    encoded(|out| request.encode(out, 4)).expect("a rack may be dropped");
    request.forgotten_topics_data.push(Default::default());
    assert_eq!(
        encoded(|out| request.encode(out, 4)),
        Err(EncodeErrorKind::FieldNotInVersion("forgotten_topics_data"))
    );
}

#[test]
fn null_is_written_only_where_the_version_allows_it() {
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    assert_eq!(encoded(|out| request.encode(out, 0)), Err(EncodeErrorKind::UnexpectedNull));
    let bytes = encoded(|out| request.encode(out, 1)).expect("version 1 asks for all topics with null");
    assert_eq!(bytes, [0xff; 4][..]);
    assert!(MetadataRequestView::decode(&bytes, 1).expect("it is valid").topics.is_none());
    assert!(MetadataRequestView::decode(&bytes, 0).is_err());
    let answer = ShareFetchResponse {
        responses: vec![ShareFetchableTopicResponse {
            partitions: vec![share_fetch_response::PartitionData::default()],
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(encoded(|out| answer.encode(out, 1)), Err(EncodeErrorKind::UnexpectedNull));
}

#[test]
fn a_null_struct_in_a_tagged_field_has_a_mark_of_its_own() {
    let mut value = ConsumerGroupMemberMetadataValue::default();
    let omitted = encoded(|out| value.encode(out, 0)).expect("defaults fit");
    assert!(omitted.ends_with(&[0]), "the default is not sent");
    value.classic_member_metadata = None;
    let bytes = encoded(|out| value.encode(out, 0)).expect("null fits");
    assert!(bytes.ends_with(&[1, 0, 1, 0]), "{bytes:02x?}");
    let view = ConsumerGroupMemberMetadataValueView::decode(&bytes, 0).expect("it is valid");
    assert!(view.classic_member_metadata.is_none());
}

#[test]
fn tagged_fields_longer_than_127_bytes_have_a_longer_size() {
    let mut response = ApiVersionsResponse::default();
    for count in [1, 10, 200, 2000] {
        response.supported_features.resize_with(count, || SupportedFeatureKey {
            name: "metadata.version".to_owned(),
            min_version: 1,
            max_version: 33,
        });
        response.finalized_features_epoch = 7;
        let bytes = encoded(|out| response.encode(out, 4)).expect("it fits");
        assert_eq!(ApiVersionsResponse::decode(&bytes, 4), Ok(response.clone()));
    }
}

#[test]
fn spans_leave_holes_that_every_length_counts() {
    let span = SpanRef { index: 3, len: 1000 };
    let response = |records: [Records; 3]| FetchResponse {
        responses: vec![FetchableTopicResponse {
            partitions: records.map(|records| PartitionData { records, ..PartitionData::default() }).to_vec(),
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    };
    let large = Bytes::from(vec![5; 10_000]);
    let segments = |records| {
        crate::frame::encode_response(FetchResponse::API_KEY, 16, 42, |out| response(records).encode(out, 16))
            .expect("it fits")
    };
    let holed = segments([Records::Span(span), Records::Null, Records::Bytes(large.clone())]);
    assert_eq!(holed.len(), 5);
    assert_eq!(holed[1], Segment::Span(span));
    assert_eq!(holed[3], Segment::Bytes(large.clone()));
    let fill = |segments: Vec<Segment>| -> Vec<u8> {
        let bytes = segments.into_iter().map(|segment| match segment {
            Segment::Bytes(bytes) => bytes,
            Segment::Span(span) => Bytes::from(vec![9; span.len as usize]),
        });
        bytes.flatten().collect()
    };
    let in_memory = segments([Records::Bytes(vec![9; 1000].into()), Records::Null, Records::Bytes(large)]);
    let frame = fill(holed);
    assert_eq!(frame, fill(in_memory));
    assert_eq!(frame[..4], (frame.len() as i32 - 4).to_be_bytes());
    let mut out = Writer::new();
    out.span(span);
    assert_eq!(out.into_bytes(), Err(EncodeErrorKind::SpanInBytes));
}

#[test]
fn arrays_can_be_walked_many_times_and_nested() {
    let bytes = encoded(|out| {
        let topics = vec![FetchableTopicResponse { topic: "a".to_owned(), ..Default::default() }; 3];
        FetchResponse { responses: topics, ..Default::default() }.encode(out, 4)
    })
    .expect("it fits");
    let response =
        crate::messages::fetch_response::FetchResponseView::decode(&bytes, 4).expect("it is valid");
    for _ in 0..2 {
        assert_eq!(response.responses.iter().map(|topic| topic.topic).collect::<Vec<_>>(), ["a", "a", "a"]);
    }
    assert_eq!(response.responses.iter().len(), 3);
    assert!(response.responses.first().is_some_and(|topic| topic.partitions.is_empty()));
}

#[test]
fn a_version_that_does_not_exist_is_neither_read_nor_written() {
    let error = FetchRequestView::decode(&[], 3).expect_err("version 3 is gone");
    assert_eq!(error.kind, DecodeErrorKind::UnsupportedVersion);
    let response = AddPartitionsToTxnResponse::default();
    assert_eq!(encoded(|out| response.encode(out, 6)), Err(EncodeErrorKind::UnsupportedVersion));
}
