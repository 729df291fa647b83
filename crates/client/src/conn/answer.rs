//! An answer as it came.

use bytes::Bytes;
use wire::header::ResponseHeader;
use wire::{DecodeError, Message};

use crate::Error;

/// The frame of an answer, and where its body begins.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    frame: Bytes,
    body: usize,
    version: i16,
    address: String,
}

impl Answer {
    pub fn new(frame: Bytes, api_key: i16, version: i16, address: &str) -> Result<Answer, Error> {
        match ResponseHeader::decode(&frame, api_key, version) {
            Ok((_, body)) => Ok(Answer { frame, body, version, address: address.to_owned() }),
            Err(error) => Err(Error::Protocol { address: address.to_owned(), reason: error.to_string() }),
        }
    }

    pub fn version(&self) -> i16 {
        self.version
    }

    /// The whole frame, for who keeps parts of it.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    pub fn body(&self) -> &[u8] {
        self.frame.get(self.body..).unwrap_or_default()
    }

    /// The body as an owned message.
    pub fn decode<M: Message>(&self) -> Result<M, Error> {
        M::decode(self.body(), self.version).map_err(|error| self.nonsense(error))
    }

    pub fn nonsense(&self, error: DecodeError) -> Error {
        Error::Protocol { address: self.address.clone(), reason: error.to_string() }
    }
}
