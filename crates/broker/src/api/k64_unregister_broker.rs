//! UnregisterBroker (key 64), version 0 (KIP-631).

use std::sync::Arc;

use kernel::NodeId;
use metadata::controller::{Decision, Refusal, unregister_broker};
use wire::messages::unregister_broker_request::UnregisterBrokerRequestView;
use wire::messages::unregister_broker_response::UnregisterBrokerResponse;

use crate::node::Node;
use crate::request::{Handled, Request};
use crate::told::{told, undecided};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = UnregisterBrokerRequestView::decode(request.body(), request.version)?;
    let id = NodeId(asked.broker_id);
    let result = if id == node.id {
        // It would register again at once, and lead nothing until then.
        Err(Refusal::invalid_request(format!("Broker {} is alive; stop it first.", id.0)))
    } else {
        let change = node.change(|image, _| match unregister_broker(image, id) {
            Ok(decision) => decision.map(Ok),
            Err(refusal) => Decision::reply(Err(refusal)),
        });
        change.await.unwrap_or_else(|code| Err(undecided(code)))
    };
    let (error_code, error_message) = told(&result);
    request.reply(&UnregisterBrokerResponse {
        error_code,
        error_message,
        ..UnregisterBrokerResponse::default()
    })
}
