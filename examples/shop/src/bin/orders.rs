//! Orders: what customers order becomes events.
//!
//! An order counts once the log has it, which the producer waits for. How far that is stands in a file: after a crash
//! the service goes on from there, and publishes again what it is not sure of. Readers notice by the number.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use client::{Delivery, Producer, ProducerConfig, ProducerRecord};
use shop::{ORDERS, Order, Report, Service, State, to_value};

/// How many orders may be on their way before the service waits for the oldest.
const UNDER_WAY_MAX: usize = 1000;

/// In which steps the rate is kept, and after how many orders it is written down how far the log has them.
const STEP: Duration = Duration::from_millis(10);
const SAVE_EVERY: u64 = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut service = Service::start("orders").await?;
    let producer = Producer::new(&service.client, ProducerConfig::default())?;
    // The id of the first order that the log may not have.
    let mut published = State::load(&service, 0_u64)?;
    let mut next = published.value;
    let mut under_way: VecDeque<Delivery> = VecDeque::new();
    let mut steps = tokio::time::interval(STEP);
    let mut due = 0.0;
    let all = if service.orders == 0 { u64::MAX } else { service.orders };

    while published.value < all {
        let stop = tokio::select! {
            () = service.stopped() => true,
            _ = steps.tick() => false,
        };
        due += service.rate as f64 * STEP.as_secs_f64();
        while due >= 1.0 && next < all && !stop {
            due -= 1.0;
            service.work().await;
            let order = Order::with_id(next);
            let record = ProducerRecord::new(ORDERS).key(order.product.clone()).value(to_value(&order)?);
            under_way.push_back(producer.send(record).await?);
            next += 1;
        }
        // Deliveries end in the order of the sends within a partition, so that waiting for the oldest is no loss.
        while under_way.len() > UNDER_WAY_MAX || ((stop || next == all) && !under_way.is_empty()) {
            let Some(oldest) = under_way.pop_front() else { break };
            oldest.await?;
        }
        let sure = next - under_way.len() as u64;
        if sure >= published.value + SAVE_EVERY || under_way.is_empty() {
            published.value = sure;
            published.save()?;
        }
        let says = format!("{next} published");
        service.report(|| Report { events: sure, says, ..Report::default() });
        if stop {
            break;
        }
    }
    producer.close().await?;
    let events = published.value;
    service.conclude(&Report { events, says: format!("{events} published"), ..Report::default() });
    Ok(())
}
