//! Analytics: what sells, and what it brings in.
//!
//! It keeps nothing but what it has in memory: at each start it reads both topics from their beginnings and arrives at the same
//! figures. A log is worth keeping for that: a question that nobody had thought of can be put to all that ever happened.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use client::{Consumer, Rebalance, RebalanceListener, Start};
use shop::{ORDERS, Order, PAYMENTS, Payment, Report, Seen, Service, from_value, member_of};

const POLL: Duration = Duration::from_millis(200);

struct FromTheFirst;

impl RebalanceListener for FromTheFirst {
    fn assigned(&mut self, rebalance: &mut Rebalance<'_>) {
        for partition in rebalance.partitions() {
            rebalance.seek(partition, Start::Earliest);
        }
    }
}

struct Figures {
    orders: Seen,
    payments: Seen,
    sold: BTreeMap<String, u64>,
    revenue_cents: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut service = Service::start("analytics").await?;
    let mut consumer = Consumer::new(&service.client, member_of("analytics"))?;
    consumer.on_rebalance(FromTheFirst);
    consumer.subscribe([ORDERS, PAYMENTS])?;
    let mut figures = Figures {
        orders: Seen::from_the_first(),
        payments: Seen::from_the_first(),
        sold: BTreeMap::new(),
        revenue_cents: 0,
    };

    loop {
        let records = tokio::select! {
            () = service.stopped() => break,
            records = consumer.poll(POLL) => records?,
        };
        for record in &records {
            service.work().await;
            match &*record.topic {
                ORDERS => figures.order(&from_value(record.value.as_ref())?),
                _ => figures.payment(&from_value(record.value.as_ref())?),
            }
        }
        if !records.is_empty() {
            // So that everybody can see how far it is.
            consumer.commit().await?;
        }
        service.report(|| figures.report());
    }
    Ok(consumer.close().await?)
}

impl Figures {
    fn order(&mut self, order: &Order) {
        if self.orders.is_new(&order.product, order.number) {
            *self.sold.entry(order.product.clone()).or_default() += u64::from(order.quantity);
        }
    }

    fn payment(&mut self, payment: &Payment) {
        if self.payments.is_new(&payment.product, payment.number) && payment.accepted {
            self.revenue_cents += payment.cents;
        }
    }

    fn report(&self) -> Report {
        let best = self.sold.iter().max_by_key(|(_, count)| **count);
        let best = best.map_or(String::new(), |(product, count)| format!(", best {product} ({count})"));
        Report {
            // An order is done with here once its payment is known.
            events: self.orders.events.min(self.payments.events),
            repeated: self.orders.repeated + self.payments.repeated,
            lost: self.orders.lost + self.payments.lost,
            says: format!("revenue {:.2}{best}", self.revenue_cents as f64 / 100.0),
        }
    }
}
