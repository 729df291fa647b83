//! Blocks of producer ids.

use kernel::{ErrorCode, NodeId, ProducerId};

use super::{Decision, Refusal};
use crate::image::Image;
use crate::record::ProducerIdsRecord;

/// How many producer ids a broker gets at a time.
pub const PRODUCER_ID_BLOCK: i32 = 1000;

/// Producer ids that one broker alone may give out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdBlock {
    pub first: ProducerId,
    pub len: i32,
}

/// Gives a broker the next block. Once the record is committed, no other broker ever gets these ids.
pub fn allocate_producer_ids(
    image: &Image,
    broker: NodeId,
    broker_epoch: i64,
) -> Result<Decision<ProducerIdBlock>, Refusal> {
    super::brokers::check_epoch(image, broker, broker_epoch)?;
    let first = image.producer_ids.next();
    let next = first.0.checked_add(i64::from(PRODUCER_ID_BLOCK)).ok_or_else(|| {
        Refusal::new(ErrorCode::UnknownServerError, "All producer ids have been given out.")
    })?;
    let record = ProducerIdsRecord { broker_id: broker.0, broker_epoch, next_producer_id: next };
    Ok(Decision::atomic([record.into()], ProducerIdBlock { first, len: PRODUCER_ID_BLOCK }))
}
