//! Frames: a 32-bit length, and so many bytes. Splitting what was received, and building what is sent.

use bytes::{Buf, Bytes, BytesMut};

use crate::header::{RequestHeader, ResponseHeader};
use crate::primitive::{EncodeError, EncodeErrorKind, Message, Request, Segment, Writer};

/// Bytes before the frame's own.
pub const PREFIX_LEN: usize = 4;

/// A length that no frame can have here. The connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame claims {0} bytes")]
    Negative(i32),
    #[error("a frame claims {len} bytes, more than the {max} allowed")]
    TooLarge { len: usize, max: usize },
}

/// How long the frame at the start of `received` says it is, without its prefix; nothing while the prefix is not
/// complete. With it, memory for the frame can be reserved before its body is read.
pub fn peek_len(received: &[u8], max: usize) -> Result<Option<usize>, FrameError> {
    let Some(prefix) = received.first_chunk() else {
        return Ok(None);
    };
    let claimed = i32::from_be_bytes(*prefix);
    let len = usize::try_from(claimed).map_err(|_| FrameError::Negative(claimed))?;
    if len > max { Err(FrameError::TooLarge { len, max }) } else { Ok(Some(len)) }
}

/// How many bytes the frame at the start of `received` lacks by what it says itself; 0 while its prefix is not complete.
pub fn missing(received: &[u8]) -> usize {
    let claimed = peek_len(received, usize::MAX).ok().flatten();
    claimed.map_or(0, |len| (len + PREFIX_LEN).saturating_sub(received.len()))
}

/// Takes the next frame off the start of `received`, without its prefix; nothing while it is not complete.
pub fn split(received: &mut BytesMut, max: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(len) = peek_len(received, max)? else {
        return Ok(None);
    };
    if received.len() - PREFIX_LEN < len {
        return Ok(None);
    }
    received.advance(PREFIX_LEN);
    Ok(Some(received.split_to(len).freeze()))
}

/// A whole response frame: length, header, and the body that `body` writes, in pieces to be sent in order.
pub fn encode_response(
    api_key: i16,
    version: i16,
    correlation_id: i32,
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<Vec<Segment>, EncodeError> {
    let mut out = Writer::with_capacity(RESPONSE_CAPACITY);
    out.i32(0);
    ResponseHeader { correlation_id }.encode(&mut out, api_key, version)?;
    body(&mut out)?;
    out.patch_frame_size().map_err(|kind| EncodeError { message: "frame", version, kind })?;
    Ok(out.into_segments())
}

/// A whole request frame, as a client sends it.
pub fn encode_request<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Bytes, EncodeError> {
    let out = request_frame(request, version, correlation_id, client_id)?;
    out.into_bytes().map_err(|kind| EncodeError { message: R::NAME, version, kind })
}

/// The same in pieces to be sent in order: large records are not copied.
pub fn encode_request_pieces<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Vec<Bytes>, EncodeError> {
    let segments = request_frame(request, version, correlation_id, client_id)?.into_segments();
    let pieces = segments.into_iter().map(|segment| match segment {
        Segment::Bytes(bytes) => Ok(bytes),
        Segment::Span(_) => {
            Err(EncodeError { message: R::NAME, version, kind: EncodeErrorKind::SpanInBytes })
        }
    });
    pieces.collect()
}

fn request_frame<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Writer, EncodeError> {
    let mut out = Writer::with_capacity(RESPONSE_CAPACITY);
    out.i32(0);
    let header = RequestHeader {
        request_api_key: R::API_KEY,
        request_api_version: version,
        correlation_id,
        client_id: client_id.map(str::to_owned),
    };
    header.encode(&mut out)?;
    Message::encode(request, &mut out, version)?;
    out.patch_frame_size().map_err(|kind| EncodeError { message: R::NAME, version, kind })?;
    Ok(out)
}

const RESPONSE_CAPACITY: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::RequestHeaderView;
    use crate::messages::heartbeat_request::HeartbeatRequest;

    #[test]
    fn frames_come_apart_as_they_arrive() {
        let mut received = BytesMut::new();
        let mut frames = Vec::new();
        for byte in [0, 0, 0, 2, b'h', b'i', 0, 0, 0, 0, 0, 0, 0, 1, b'!', 0] {
            received.extend_from_slice(&[byte]);
            while let Some(frame) = split(&mut received, 16).expect("no frame is too large") {
                frames.push(frame);
            }
        }
        assert_eq!(frames, [&b"hi"[..], b"", b"!"]);
        assert_eq!(&received[..], [0]);
    }

    #[test]
    fn the_size_of_a_frame_is_known_and_judged_before_its_body_arrives() {
        assert_eq!(peek_len(&[0, 0, 1], 100), Ok(None));
        assert_eq!(peek_len(&[0, 0, 0, 100], 100), Ok(Some(100)));
        assert_eq!(
            [missing(&[0, 0, 1]), missing(&[0, 0, 0, 100, 1]), missing(&[0, 0, 0, 1, 1, 1])],
            [0, 99, 0]
        );
        assert_eq!(missing(&[0xff; 4]), 0);
        assert_eq!(peek_len(&[0, 0, 0, 101], 100), Err(FrameError::TooLarge { len: 101, max: 100 }));
        assert_eq!(peek_len(&[0xff, 0xff, 0xff, 0xff], 100), Err(FrameError::Negative(-1)));
    }

    #[test]
    fn a_request_frame_holds_header_and_body() {
        let request = HeartbeatRequest { group_id: "g".to_owned(), generation_id: 3, ..Default::default() };
        let frame = encode_request(&request, 4, 11, Some("me")).expect("it fits");
        let pieces = encode_request_pieces(&request, 4, 11, Some("me")).expect("it fits");
        assert_eq!(pieces.concat(), frame);
        let mut received = BytesMut::from(&frame[..]);
        let frame = split(&mut received, 1000).expect("it is small").expect("it is whole");
        let (header, body) = RequestHeaderView::decode(&frame).expect("it is valid");
        assert_eq!((header.request_api_key, header.request_api_version, header.correlation_id), (12, 4, 11));
        assert_eq!(HeartbeatRequest::decode(&frame[body..], 4), Ok(request));
    }
}
