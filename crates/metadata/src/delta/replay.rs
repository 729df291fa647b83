//! The one place where a record changes an image.

use std::sync::Arc;

use kernel::NodeId;

use super::Delta;
use crate::image::{ConfigResource, Unknown};
use crate::record::MetadataRecord;

impl Delta {
    pub(super) fn try_replay(&mut self, record: &MetadataRecord) -> Result<(), Unknown> {
        use MetadataRecord as R;
        match record {
            R::BeginTransaction(_) | R::EndTransaction(_) | R::AbortTransaction(_) => {
                self.replay_transaction(record)
            }
            R::Topic(_) | R::RemoveTopic(_) | R::Partition(_) | R::PartitionChange(_) | R::ClearElr(_) => {
                self.replay_topics(record)
            }
            R::RegisterBroker(_)
            | R::UnregisterBroker(_)
            | R::FenceBroker(_)
            | R::UnfenceBroker(_)
            | R::BrokerRegistrationChange(_) => self.replay_brokers(record),
            R::RegisterController(record) => {
                Arc::make_mut(&mut self.next.controllers).register(record);
                Ok(())
            }
            R::UnregisterController(record) => Arc::make_mut(&mut self.next.controllers).unregister(record),
            R::Config(record) => {
                let resource = Arc::make_mut(&mut self.next.configs).replay(record)?;
                self.touched.configs.insert(resource);
                Ok(())
            }
            R::FeatureLevel(record) => Arc::make_mut(&mut self.next.features).replay(record),
            R::ProducerIds(record) => {
                self.next.producer_ids.replay(record);
                Ok(())
            }
            R::ClientQuota(record) => Arc::make_mut(&mut self.next.quotas).replay(record),
            _ => self.replay_security(record),
        }
    }

    fn replay_topics(&mut self, record: &MetadataRecord) -> Result<(), Unknown> {
        let topics = Arc::make_mut(&mut self.next.topics);
        match record {
            MetadataRecord::Topic(record) => {
                self.touched.topics.entry(record.topic_id).or_default();
                if let Some(replaced) = topics.id_of(&record.name) {
                    self.touched.topics.entry(replaced).or_default();
                }
                topics.create(record)?;
            }
            MetadataRecord::RemoveTopic(record) => {
                let removed = topics.remove(record)?;
                self.touched.topics.entry(removed.id).or_default();
                // A topic's configuration goes with it: a later topic of this name starts afresh.
                let resource = ConfigResource::topic(removed.name.as_ref());
                if self.next.configs.get(&resource).is_some() {
                    Arc::make_mut(&mut self.next.configs).forget(&resource);
                    self.touched.configs.insert(resource);
                }
            }
            MetadataRecord::Partition(record) => {
                topics.set_partition(record)?;
                self.touched.topics.entry(record.topic_id).or_default().insert(record.partition_id);
            }
            MetadataRecord::PartitionChange(record) => {
                topics.change_partition(record)?;
                self.touched.topics.entry(record.topic_id).or_default().insert(record.partition_id);
            }
            MetadataRecord::ClearElr(record) => {
                for (topic, partition) in topics.clear_elr(record)? {
                    self.touched.topics.entry(topic).or_default().insert(partition);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn replay_brokers(&mut self, record: &MetadataRecord) -> Result<(), Unknown> {
        let brokers = Arc::make_mut(&mut self.next.brokers);
        let id = match record {
            MetadataRecord::RegisterBroker(record) => {
                brokers.register(record);
                record.broker_id
            }
            MetadataRecord::UnregisterBroker(record) => {
                brokers.unregister(record)?;
                record.broker_id
            }
            MetadataRecord::FenceBroker(record) => {
                brokers.set_fenced(record.id, record.epoch, true)?;
                record.id
            }
            MetadataRecord::UnfenceBroker(record) => {
                brokers.set_fenced(record.id, record.epoch, false)?;
                record.id
            }
            MetadataRecord::BrokerRegistrationChange(record) => {
                brokers.change_registration(record)?;
                record.broker_id
            }
            _ => return Ok(()),
        };
        self.touched.brokers.insert(NodeId(id));
        Ok(())
    }

    fn replay_security(&mut self, record: &MetadataRecord) -> Result<(), Unknown> {
        match record {
            MetadataRecord::AccessControlEntry(record) => Arc::make_mut(&mut self.next.acls).replay(record),
            MetadataRecord::RemoveAccessControlEntry(record) => {
                return Arc::make_mut(&mut self.next.acls).remove(record);
            }
            MetadataRecord::UserScramCredential(record) => Arc::make_mut(&mut self.next.scram).replay(record),
            MetadataRecord::RemoveUserScramCredential(record) => {
                return Arc::make_mut(&mut self.next.scram).remove(record);
            }
            MetadataRecord::DelegationToken(record) => Arc::make_mut(&mut self.next.tokens).replay(record),
            MetadataRecord::RemoveDelegationToken(record) => {
                return Arc::make_mut(&mut self.next.tokens).remove(record);
            }
            // A no-op only moves the offset, and the migration from ZooKeeper is over.
            _ => {}
        }
        Ok(())
    }

    fn replay_transaction(&mut self, record: &MetadataRecord) -> Result<(), Unknown> {
        match record {
            MetadataRecord::BeginTransaction(_) => {
                let nested = self.in_transaction();
                // Without an end the records of the one before never counted.
                let _ = self.abort();
                self.before_transaction = Some(Box::new(self.next.clone()));
                if nested {
                    return Err(Unknown::new("end", "of the transaction before"));
                }
            }
            MetadataRecord::EndTransaction(_) => {
                self.before_transaction.take().ok_or_else(|| Unknown::new("transaction", "to end"))?;
            }
            MetadataRecord::AbortTransaction(_) => {
                self.abort().ok_or_else(|| Unknown::new("transaction", "to abort"))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn abort(&mut self) -> Option<()> {
        self.next = *self.before_transaction.take()?;
        Some(())
    }
}
