//! Access control entries.

use std::collections::BTreeMap;

use kernel::Uuid;

use super::Unknown;
use crate::record::{AccessControlEntryRecord, MetadataRecord, RemoveAccessControlEntryRecord};

/// One access control entry. Types, patterns and operations are Kafka's numbers, which an authorizer gives meaning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acl {
    pub resource_type: i8,
    pub resource_name: String,
    pub pattern_type: i8,
    pub principal: String,
    pub host: String,
    pub operation: i8,
    pub permission_type: i8,
}

/// All access control entries, by the id under which each was created.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acls {
    by_id: BTreeMap<Uuid, Acl>,
}

impl Acls {
    pub fn get(&self, id: Uuid) -> Option<&Acl> {
        self.by_id.get(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Uuid, &Acl)> {
        self.by_id.iter().map(|(id, acl)| (*id, acl))
    }

    pub(crate) fn replay(&mut self, record: &AccessControlEntryRecord) {
        let acl = Acl {
            resource_type: record.resource_type,
            resource_name: record.resource_name.clone(),
            pattern_type: record.pattern_type,
            principal: record.principal.clone(),
            host: record.host.clone(),
            operation: record.operation,
            permission_type: record.permission_type,
        };
        self.by_id.insert(record.id, acl);
    }

    pub(crate) fn remove(&mut self, record: &RemoveAccessControlEntryRecord) -> Result<(), Unknown> {
        self.by_id.remove(&record.id).map(drop).ok_or_else(|| Unknown::new("access control entry", record.id))
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        self.by_id.iter().map(|(id, acl)| {
            AccessControlEntryRecord {
                id: *id,
                resource_type: acl.resource_type,
                resource_name: acl.resource_name.clone(),
                pattern_type: acl.pattern_type,
                principal: acl.principal.clone(),
                host: acl.host.clone(),
                operation: acl.operation,
                permission_type: acl.permission_type,
            }
            .into()
        })
    }
}
