//! An answer as it came.

use std::sync::Arc;

use bytes::Bytes;
use wire::header::ResponseHeader;
use wire::{DecodeError, Message};

use super::Shared;
use crate::Error;

/// The frame of an answer, and where its body begins.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    frame: Bytes,
    body: usize,
    version: i16,
    /// The connection that it came by.
    shared: Arc<Shared>,
}

impl Answer {
    pub(super) fn new(
        frame: Bytes,
        api_key: i16,
        version: i16,
        shared: Arc<Shared>,
    ) -> Result<Answer, Error> {
        match ResponseHeader::decode(&frame, api_key, version) {
            Ok((_, body)) => Ok(Answer { frame, body, version, shared }),
            Err(error) => Err(nonsense(&shared, error)),
        }
    }

    /// For a test that has no connection.
    #[cfg(test)]
    pub fn of_nobody(frame: Bytes, api_key: i16, version: i16) -> Result<Answer, Error> {
        Self::new(frame, api_key, version, Arc::new(Shared::new("a".to_owned())))
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

    /// The bytes make no sense, which ends the connection.
    pub fn nonsense(&self, error: DecodeError) -> Error {
        nonsense(&self.shared, error)
    }
}

fn nonsense(shared: &Shared, error: DecodeError) -> Error {
    let error = shared.nonsense(error.to_string());
    shared.close(error.clone());
    error
}
