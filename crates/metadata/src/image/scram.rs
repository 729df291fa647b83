//! SCRAM credentials of users.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::Unknown;
use crate::record::{MetadataRecord, RemoveUserScramCredentialRecord, UserScramCredentialRecord};
use crate::version::MetadataVersion;

/// What the cluster knows of one user's password under one mechanism.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    pub salt: Bytes,
    pub stored_key: Bytes,
    pub server_key: Bytes,
    pub iterations: i32,
}

impl fmt::Debug for ScramCredential {
    /// Keeps the keys out of every log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramCredential").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// All SCRAM credentials, by Kafka's number of the mechanism (1 for SHA-256, 2 for SHA-512) and user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scram {
    by_mechanism: BTreeMap<i8, BTreeMap<String, ScramCredential>>,
}

impl Scram {
    pub fn get(&self, mechanism: i8, user: &str) -> Option<&ScramCredential> {
        self.by_mechanism.get(&mechanism)?.get(user)
    }

    /// Every credential, by mechanism and user.
    pub fn iter(&self) -> impl Iterator<Item = (i8, &str, &ScramCredential)> {
        self.by_mechanism.iter().flat_map(|(mechanism, users)| {
            users.iter().map(|(user, credential)| (*mechanism, user.as_str(), credential))
        })
    }

    pub(crate) fn replay(&mut self, record: &UserScramCredentialRecord) {
        let credential = ScramCredential {
            salt: record.salt.clone(),
            stored_key: record.stored_key.clone(),
            server_key: record.server_key.clone(),
            iterations: record.iterations,
        };
        self.by_mechanism.entry(record.mechanism).or_default().insert(record.name.clone(), credential);
    }

    pub(crate) fn remove(&mut self, record: &RemoveUserScramCredentialRecord) -> Result<(), Unknown> {
        let unknown = || Unknown::new("SCRAM credential of user", &record.name);
        let users = self.by_mechanism.get_mut(&record.mechanism).ok_or_else(unknown)?;
        let removed = users.remove(&record.name);
        if users.is_empty() {
            self.by_mechanism.remove(&record.mechanism);
        }
        removed.map(drop).ok_or_else(unknown)
    }

    pub(crate) fn records(&self, level: MetadataVersion) -> impl Iterator<Item = MetadataRecord> + '_ {
        let sayable = level.scram();
        self.iter().filter(move |_| sayable).map(|(mechanism, user, credential)| {
            UserScramCredentialRecord {
                name: user.to_owned(),
                mechanism,
                salt: credential.salt.clone(),
                stored_key: credential.stored_key.clone(),
                server_key: credential.server_key.clone(),
                iterations: credential.iterations,
            }
            .into()
        })
    }
}
