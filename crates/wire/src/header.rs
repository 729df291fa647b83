//! What stands before a request and a response.

use crate::api_table;
use crate::primitive::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, Reader, View, Writer};

pub use crate::generated::messages::request_header::{RequestHeader, RequestHeaderView};
pub use crate::generated::messages::response_header::ResponseHeader;

impl<'a> RequestHeaderView<'a> {
    /// Reads the header of a request; the second value is where the body begins.
    ///
    /// A version that is not served is not an error here: the header can be read all the same, and only the API knows
    /// what to answer.
    pub fn decode(frame: &'a [u8]) -> Result<(Self, usize), DecodeError> {
        let mut peek = Reader::new(frame, 1, false);
        let (key, version) = (peek.i16(), peek.i16());
        let api = api_table::lookup(key);
        let header_version = api.map_or(1, |api| api.request_header_version(version));
        let mut reader = Reader::new(frame, header_version, header_version >= 2);
        if peek.finish("RequestHeader", ()).is_ok() && api.is_none() {
            reader.fail(DecodeErrorKind::UnknownApiKey);
        }
        let header = Self::read(&mut reader);
        let body = reader.position();
        reader.finish("RequestHeader", (header, body))
    }
}

impl RequestHeader {
    /// Writes the header in the form that its API and version have.
    pub fn encode(&self, out: &mut Writer) -> Result<(), EncodeError> {
        let version = known(self.request_api_key, self.request_api_version)?
            .request_header_version(self.request_api_version);
        out.message("RequestHeader", version, version >= 2, self)
    }
}

impl ResponseHeader {
    /// Writes the header of an answer to this version of this API.
    pub fn encode(&self, out: &mut Writer, api_key: i16, api_version: i16) -> Result<(), EncodeError> {
        let version = known(api_key, api_version)?.response_header_version(api_version);
        out.message("ResponseHeader", version, version >= 1, self)
    }

    /// Reads the header of an answer; the second value is where the body begins.
    pub fn decode(frame: &[u8], api_key: i16, api_version: i16) -> Result<(Self, usize), DecodeError> {
        let api = api_table::lookup(api_key);
        let version = api.map_or(0, |api| api.response_header_version(api_version));
        let mut reader = Reader::new(frame, version, version >= 1);
        if api.is_none() {
            reader.fail(DecodeErrorKind::UnknownApiKey);
        }
        let header = Self::read(&mut reader);
        let body = reader.position();
        reader.finish("ResponseHeader", (header, body))
    }
}

fn known(api_key: i16, version: i16) -> Result<&'static api_table::Api, EncodeError> {
    let kind = EncodeErrorKind::UnknownApiKey;
    api_table::lookup(api_key).ok_or(EncodeError { message: "header", version, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(api_key: i16, version: i16) -> RequestHeader {
        RequestHeader {
            request_api_key: api_key,
            request_api_version: version,
            correlation_id: 7,
            client_id: Some("me".to_owned()),
        }
    }

    #[test]
    fn the_form_of_a_header_follows_from_the_api_and_version() {
        for (api_key, version, len) in [(3, 8, 12), (3, 9, 13), (17, 1, 12), (18, 2, 12), (18, 99, 13)] {
            let mut out = Writer::new();
            header(api_key, version).encode(&mut out).expect("it fits");
            out.raw(&[1, 2, 3]);
            let bytes = out.into_bytes().expect("nothing lies in a file");
            let (view, body) = RequestHeaderView::decode(&bytes).expect("it is valid");
            assert_eq!((view.to_owned(), body), (header(api_key, version), len));
        }
    }

    #[test]
    fn a_null_client_id_is_a_client_without_a_name() {
        let (view, body) =
            RequestHeaderView::decode(&[0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff]).expect("it is valid");
        assert_eq!((view.client_id, view.correlation_id, body), (None, 9, 10));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let kind = |frame: &[u8]| RequestHeaderView::decode(frame).map_err(|error| error.kind).err();
        assert_eq!(kind(&[]), Some(DecodeErrorKind::Truncated));
        assert_eq!(kind(&[0, 3, 0, 1, 0, 0, 0, 9, 0, 5, b'x']), Some(DecodeErrorKind::Truncated));
        assert_eq!(kind(&[0, 4, 0, 1, 0, 0, 0, 9, 0xff, 0xff]), Some(DecodeErrorKind::UnknownApiKey));
    }

    #[test]
    fn answers_to_flexible_requests_have_tags_unless_they_tell_the_versions() {
        for (api_key, version, len) in [(3, 8, 4), (3, 9, 5), (18, 3, 4), (18, 5, 4)] {
            let mut out = Writer::new();
            ResponseHeader { correlation_id: 7 }.encode(&mut out, api_key, version).expect("it fits");
            let bytes = out.into_bytes().expect("nothing lies in a file");
            let (header, body) = ResponseHeader::decode(&bytes, api_key, version).expect("it is valid");
            assert_eq!((header.correlation_id, body, bytes.len()), (7, len, len));
        }
    }
}
