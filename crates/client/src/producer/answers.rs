//! What a broker said of each batch of a request.

use std::collections::BTreeMap;

use kernel::{Offset, Timestamp, Uuid};
use wire::messages::produce_response::ProduceResponse;

use super::batch::Written;
use crate::BrokerError;

pub(super) type Answers = BTreeMap<(Uuid, String, i32), Result<Written, Refused>>;

/// Why a batch was refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub error: BrokerError,
    /// What is wrong with which of its records, by their place; nothing if the broker speaks of the batch as a whole.
    pub records: BTreeMap<i32, Option<String>>,
}

/// What a broker said, by topic id or name, and partition.
pub(super) fn answers(response: &ProduceResponse) -> Answers {
    let mut answers = BTreeMap::new();
    for topic in &response.responses {
        for partition in &topic.partition_responses {
            let result = match BrokerError::check(partition.error_code) {
                Ok(()) => Ok(Written {
                    base_offset: (partition.base_offset >= 0).then_some(Offset(partition.base_offset)),
                    log_append_time: (partition.log_append_time_ms >= 0)
                        .then_some(Timestamp(partition.log_append_time_ms)),
                }),
                Err(error) => {
                    let of_record = partition
                        .record_errors
                        .iter()
                        .map(|record| (record.batch_index, record.batch_index_error_message.clone()));
                    let first = partition.record_errors.first();
                    let detail = first.and_then(|record| record.batch_index_error_message.as_deref());
                    let error = error.message(partition.error_message.as_deref().or(detail));
                    Err(Refused { error, records: of_record.collect() })
                }
            };
            answers.insert((topic.topic_id, topic.name.clone(), partition.index), result);
        }
    }
    answers
}
