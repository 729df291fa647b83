//! Delegation tokens (KIP-48).

use std::collections::BTreeMap;

use kernel::Timestamp;

use super::Unknown;
use crate::record::{DelegationTokenRecord, MetadataRecord, RemoveDelegationTokenRecord};
use crate::version::MetadataVersion;

/// One delegation token. Its secret is derived from the cluster's, and so recorded nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationToken {
    pub owner: String,
    pub requester: String,
    pub renewers: Vec<String>,
    pub issued: Timestamp,
    /// Until when it may be renewed at most.
    pub renewable_until: Timestamp,
    pub expires: Timestamp,
}

/// All delegation tokens, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DelegationTokens {
    by_id: BTreeMap<String, DelegationToken>,
}

impl DelegationTokens {
    pub fn get(&self, id: &str) -> Option<&DelegationToken> {
        self.by_id.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &DelegationToken)> {
        self.by_id.iter().map(|(id, token)| (id.as_str(), token))
    }

    pub(crate) fn replay(&mut self, record: &DelegationTokenRecord) {
        let token = DelegationToken {
            owner: record.owner.clone(),
            requester: record.requester.clone(),
            renewers: record.renewers.clone(),
            issued: Timestamp(record.issue_timestamp),
            renewable_until: Timestamp(record.max_timestamp),
            expires: Timestamp(record.expiration_timestamp),
        };
        self.by_id.insert(record.token_id.clone(), token);
    }

    pub(crate) fn remove(&mut self, record: &RemoveDelegationTokenRecord) -> Result<(), Unknown> {
        let removed = self.by_id.remove(&record.token_id);
        removed.map(drop).ok_or_else(|| Unknown::new("delegation token", &record.token_id))
    }

    pub(crate) fn records(&self, level: MetadataVersion) -> impl Iterator<Item = MetadataRecord> + '_ {
        let sayable = level.delegation_tokens();
        self.by_id.iter().filter(move |_| sayable).map(|(id, token)| {
            DelegationTokenRecord {
                owner: token.owner.clone(),
                requester: token.requester.clone(),
                renewers: token.renewers.clone(),
                issue_timestamp: token.issued.0,
                max_timestamp: token.renewable_until.0,
                expiration_timestamp: token.expires.0,
                token_id: id.clone(),
            }
            .into()
        })
    }
}
