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
