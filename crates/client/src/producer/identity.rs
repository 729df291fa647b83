//! Who an idempotent producer is.

use kernel::{ErrorCode, ProducerEpoch, ProducerId};
use wire::messages::init_producer_id_request::InitProducerIdRequest;

use crate::{BrokerError, Client, Error};

/// Who a producer is, as a broker has told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub id: ProducerId,
    /// The first epoch that it may use.
    pub epoch: ProducerEpoch,
}

/// Asks a broker who this producer is to be.
pub(super) async fn identify(client: &Client) -> Result<Identity, Error> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        ..Default::default()
    };
    // An id that nobody uses harms nobody, so that another broker may be asked for one while one is silent.
    let asked = client.read_any(&request).await;
    let answer = asked.map_err(|error| match error {
        Error::Timeout { after, .. } => Error::Timeout { what: "asking for a producer id".into(), after },
        error => error,
    })?;
    BrokerError::check(answer.error_code)?;
    let identity =
        Identity { id: ProducerId(answer.producer_id), epoch: ProducerEpoch(answer.producer_epoch) };
    let nameless = || BrokerError::new(ErrorCode::UnknownServerError.code()).message(Some("no producer id"));
    if identity.id.is_some() && identity.epoch.0 >= 0 { Ok(identity) } else { Err(nameless().into()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use wire::batch::BatchView;
    use wire::messages::init_producer_id_response::InitProducerIdResponse;
    use wire::messages::metadata_request::MetadataRequest;
    use wire::messages::produce_request::ProduceRequest;
    use wire::messages::produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
    use wire::primitive::Records;

    use super::*;
    use crate::scripted::{Asked, Cluster, TOPIC, TOPIC_ID, metadata};
    use crate::{Producer, ProducerConfig, ProducerRecord};

    /// Who wrote a batch, and under which numbers.
    type Numbers = (i64, i16, i32);

    fn numbers(asked: &Asked) -> Numbers {
        let request = asked.read::<ProduceRequest>();
        let Records::Bytes(bytes) = &request.topic_data[0].partition_data[0].records else {
            panic!("there are records");
        };
        let (batch, _) = BatchView::parse(bytes).expect("it is whole");
        (batch.producer_id().0, batch.producer_epoch().0, batch.base_sequence())
    }

    #[tokio::test(start_paused = true)]
    async fn after_its_last_epoch_a_producer_goes_on_as_another() {
        let seen: Arc<Mutex<Vec<Numbers>>> = Arc::default();
        let seen_by_broker = Arc::clone(&seen);
        let named = Mutex::new([(7, i16::MAX - 1), (8, 0)].into_iter());
        let cluster = Cluster::new(move |asked| {
            if asked.is::<MetadataRequest>() {
                return asked.answer(&metadata(1, 1));
            }
            if asked.is::<InitProducerIdRequest>() {
                let (producer_id, producer_epoch) = named.lock().next().expect("no other is needed");
                return asked.answer(&InitProducerIdResponse {
                    producer_id,
                    producer_epoch,
                    ..Default::default()
                });
            }
            let writer = numbers(asked);
            seen_by_broker.lock().push(writer);
            // It has forgotten everybody but the last.
            let error_code = if writer.0 == 8 { 0 } else { ErrorCode::UnknownProducerId.code() };
            let partition = PartitionProduceResponse { error_code, ..Default::default() };
            let topic = TopicProduceResponse {
                topic_id: TOPIC_ID,
                partition_responses: vec![partition],
                ..Default::default()
            };
            asked.answer(&ProduceResponse { responses: vec![topic], ..Default::default() })
        });
        let producer =
            Producer::new(&cluster.client().await, ProducerConfig::default()).expect("the defaults work");
        for _ in 0..2 {
            let delivery = producer.send(ProducerRecord::new(TOPIC).value("v")).await.expect("there is room");
            delivery.await.expect("it is written");
        }
        let expected = [(7, i16::MAX - 1, 0), (7, i16::MAX, 0), (8, 0, 0), (8, 0, 1)];
        assert_eq!(*seen.lock(), expected);
    }
}
