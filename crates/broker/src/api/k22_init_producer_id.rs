//! InitProducerId (key 22), versions 0 to 5.
//!
//! 2 flexible · 3 a producer that recovers says who it was (KIP-360) · 4 PRODUCER_FENCED · 5 TRANSACTION_ABORTABLE
//!
//! Idempotent producers only. A transactional id is refused with UNSUPPORTED_VERSION, which every client takes for final.

use std::sync::Arc;

use kernel::ErrorCode;
use wire::messages::init_producer_id_request::InitProducerIdRequestView;
use wire::messages::init_producer_id_response::InitProducerIdResponse;

use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = InitProducerIdRequestView::decode(request.body(), request.version)?;
    let refused = match asked.transactional_id {
        // A producer that recovers knows its id and epoch, any other neither.
        None if (asked.producer_id == -1) != (asked.producer_epoch == -1) => Some(ErrorCode::InvalidRequest),
        None => None,
        Some("") => Some(ErrorCode::InvalidRequest),
        Some(_) => Some(ErrorCode::UnsupportedVersion),
    };
    let given = match refused {
        Some(code) => Err(code),
        None => node.producer_ids.next(&node).await,
    };
    let error_code = given.err().unwrap_or_default().code();
    let (producer_id, producer_epoch) = given.map_or((-1, -1), |id| (id.0, 0));
    request.reply(&InitProducerIdResponse {
        error_code,
        producer_id,
        producer_epoch,
        ..InitProducerIdResponse::default()
    })
}
