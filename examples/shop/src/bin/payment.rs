//! Payment: each order is charged for, and what came of it is an event of its own.
//!
//! First the payments are in the log, then the orders are committed as dealt with. After a crash in between some are charged
//! for again; the readers of `payments` notice by the number, as a bank would by the order's id.

use std::error::Error;
use std::time::Duration;

use client::{Consumer, Producer, ProducerConfig, ProducerRecord};
use shop::{ORDERS, Order, PAYMENTS, Payment, Report, Seen, Service, from_value, member_of, to_value};

const POLL: Duration = Duration::from_millis(200);

/// What one customer can pay at a time.
const LIMIT_CENTS: u64 = 3_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut service = Service::start("payment").await?;
    let producer = Producer::new(&service.client, ProducerConfig::default())?;
    let mut consumer = Consumer::new(&service.client, member_of("payment"))?;
    consumer.subscribe([ORDERS])?;
    let mut seen = Seen::default();
    let (mut accepted, mut declined) = (0_u64, 0_u64);

    loop {
        let records = tokio::select! {
            () = service.stopped() => break,
            records = consumer.poll(POLL) => records?,
        };
        let mut charged = Vec::new();
        for record in &records {
            let order: Order = from_value(record.value.as_ref())?;
            if !seen.is_new(&order.product, order.number) {
                continue;
            }
            service.work().await;
            let payment = Payment {
                order: order.id,
                product: order.product,
                number: order.number,
                cents: order.cents,
                accepted: order.cents <= LIMIT_CENTS,
            };
            if payment.accepted {
                accepted += 1
            } else {
                declined += 1
            }
            let record =
                ProducerRecord::new(PAYMENTS).key(payment.product.clone()).value(to_value(&payment)?);
            charged.push(producer.send(record).await?);
        }
        for payment in charged {
            payment.await?;
        }
        if !records.is_empty() {
            consumer.commit().await?;
        }
        let Seen { events, repeated, lost, .. } = seen.clone();
        let says = format!("{accepted} accepted, {declined} declined");
        service.report(|| Report { events, repeated, lost, says });
    }
    producer.close().await?;
    Ok(consumer.close().await?)
}
