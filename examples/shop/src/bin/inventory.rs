//! Inventory: how much of each product is left.
//!
//! The stock and the offsets that it stands for are saved together. A consumer that begins where its own state ends needs
//! no commit of the group, and counts nothing twice; it commits all the same, so that everybody can see how far it is.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use client::{Consumer, Offset, Rebalance, RebalanceListener, Start};
use serde::{Deserialize, Serialize};
use shop::{ORDERS, Order, PRODUCTS, Report, Seen, Service, State, from_value, member_of};

const POLL: Duration = Duration::from_millis(200);

/// What the shop begins with of each product, and what it buys whenever there is less than a tenth left.
const FULL: i64 = 1_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stock {
    left: BTreeMap<String, i64>,
    bought: u64,
    seen: Seen,
    /// The next offset of each partition.
    next: BTreeMap<i32, i64>,
}

/// Begins each partition where the saved state ends.
struct FromState(BTreeMap<i32, i64>);

impl RebalanceListener for FromState {
    fn assigned(&mut self, rebalance: &mut Rebalance<'_>) {
        for partition in rebalance.partitions() {
            let next = self.0.get(&partition.partition).copied().unwrap_or(0);
            rebalance.seek(partition, Start::Offset(Offset(next)));
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut service = Service::start("inventory").await?;
    let first = Stock {
        left: PRODUCTS.iter().map(|product| ((*product).to_owned(), FULL)).collect(),
        bought: 0,
        seen: Seen::from_the_first(),
        next: BTreeMap::new(),
    };
    let mut stock = State::load(&service, first)?;
    let mut consumer = Consumer::new(&service.client, member_of("inventory"))?;
    consumer.on_rebalance(FromState(stock.value.next.clone()));
    consumer.subscribe([ORDERS])?;

    loop {
        let records = tokio::select! {
            () = service.stopped() => break,
            records = consumer.poll(POLL) => records?,
        };
        for record in &records {
            let order: Order = from_value(record.value.as_ref())?;
            service.work().await;
            take(&mut stock.value, &order);
            stock.value.next.insert(record.partition, record.offset.0 + 1);
        }
        if !records.is_empty() {
            stock.save()?;
            consumer.commit().await?;
        }
        service.report(|| report(&stock.value));
    }
    Ok(consumer.close().await?)
}

fn take(stock: &mut Stock, order: &Order) {
    if !stock.seen.is_new(&order.product, order.number) {
        return;
    }
    let left = stock.left.entry(order.product.clone()).or_insert(FULL);
    *left -= i64::from(order.quantity);
    if *left < FULL / 10 {
        stock.bought += (FULL - *left) as u64;
        *left = FULL;
    }
}

fn report(stock: &Stock) -> Report {
    let Seen { events, repeated, lost, .. } = stock.seen.clone();
    let left: i64 = stock.left.values().sum();
    Report { events, repeated, lost, says: format!("{left} in stock, {} bought", stock.bought) }
}
