//! Who decides together, as the control records of the metadata log say it (KIP-853).

use bytes::Bytes;
use wire::batch::ControlRecordType;
use wire::primitive::{Message, Writer};
use wire::records::{kraft_version_record::KRaftVersionRecord, voters_record::VotersRecord};
use wire::{DecodeError, EncodeError};

/// The quorum's own facts. They stand between the records that the controller writes, and a snapshot that left them out would
/// leave the node that reads it without voters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quorum {
    version: i16,
    voters: Option<Bytes>,
}

/// A control record that says something about the quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuorumRecord {
    /// The level of the feature `kraft.version`.
    Version(i16),
    /// The value of a `KRaftVoters` record as it was written: what a later version adds to it stays in it.
    Voters(Bytes),
}

impl QuorumRecord {
    /// These are the voters.
    pub fn voters(voters: &VotersRecord) -> Result<Self, EncodeError> {
        encode(voters).map(Self::Voters)
    }

    /// Reads the value of a control record; nothing if it is about something else.
    pub(crate) fn decode(kind: ControlRecordType, value: &[u8]) -> Option<Result<Self, DecodeError>> {
        match kind {
            ControlRecordType::KRaftVersion => {
                Some(KRaftVersionRecord::decode(value, 0).map(|record| Self::Version(record.kraft_version)))
            }
            ControlRecordType::KRaftVoters => {
                Some(VotersRecord::decode(value, 0).map(|_| Self::Voters(Bytes::copy_from_slice(value))))
            }
            _ => None,
        }
    }

    /// The kind of the control record that says this, and its value.
    pub(crate) fn encode(&self) -> Result<(ControlRecordType, Bytes), EncodeError> {
        match self {
            Self::Version(level) => {
                let record = KRaftVersionRecord { version: 0, kraft_version: *level };
                Ok((ControlRecordType::KRaftVersion, encode(&record)?))
            }
            Self::Voters(value) => Ok((ControlRecordType::KRaftVoters, value.clone())),
        }
    }
}

impl Quorum {
    /// The level at which the log names the voters, and the highest that there is.
    pub const VOTERS_IN_LOG: i16 = 1;

    /// The level of the feature `kraft.version`: at 0 the configuration says who the voters are, and from 1 on the log.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// The voters that the log names; nothing if it names none.
    pub fn voters(&self) -> Option<VotersRecord> {
        VotersRecord::decode(self.voters.as_ref()?, 0).ok()
    }

    pub(crate) fn replay(&mut self, record: &QuorumRecord) {
        match record {
            QuorumRecord::Version(level) => self.version = *level,
            QuorumRecord::Voters(value) => self.voters = Some(value.clone()),
        }
    }

    /// The records that say this again, in the order in which Kafka's snapshots have them.
    pub(crate) fn records(&self) -> impl Iterator<Item = QuorumRecord> {
        let version = (self.version > 0).then_some(QuorumRecord::Version(self.version));
        version.into_iter().chain(self.voters.clone().map(QuorumRecord::Voters))
    }
}

/// The value of a control record. All of them are at version 0.
pub(crate) fn encode<M: Message>(record: &M) -> Result<Bytes, EncodeError> {
    let mut value = Writer::new();
    record.encode(&mut value, 0)?;
    value.into_bytes().map_err(|kind| EncodeError { message: M::NAME, version: 0, kind })
}
