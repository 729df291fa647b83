//! Ids for idempotent producers, out of blocks that the controller gives to this node alone.

use std::ops::Range;
use std::sync::Arc;

use kernel::{ErrorCode, ProducerId};
use tokio::sync::Mutex;

use crate::node::Node;

/// The rest of the block that this node has.
#[derive(Debug, Default)]
pub struct ProducerIds {
    block: Mutex<Range<i64>>,
}

impl ProducerIds {
    /// An id that no other producer of the cluster has or will have.
    pub async fn next(&self, node: &Arc<Node>) -> Result<ProducerId, ErrorCode> {
        let mut block = self.block.lock().await;
        if block.is_empty() {
            *block = allocate(node).await?;
        }
        block.next().map(ProducerId).ok_or(ErrorCode::CoordinatorLoadInProgress)
    }
}

async fn allocate(node: &Arc<Node>) -> Result<Range<i64>, ErrorCode> {
    let id = node.id;
    let allocated = node
        .change(move |image, _| {
            let epoch = image.broker(id).map_or(-1, |broker| broker.epoch);
            match metadata::controller::allocate_producer_ids(image, id, epoch) {
                Ok(decision) => decision.map(Ok),
                Err(refusal) => metadata::controller::Decision::reply(Err(refusal)),
            }
        })
        .await?;
    let block = allocated.map_err(|refusal| refusal.code)?;
    Ok(block.first.0..block.first.0 + i64::from(block.len))
}
