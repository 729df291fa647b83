//! What the five services share: the events on the wire, and how a service starts, reports and ends.

mod seen;
mod service;

pub use seen::Seen;
pub use service::{Report, Service, State};

use std::time::Duration;

use bytes::Bytes;
use client::ConsumerConfig;
use client::config::OffsetReset;
use serde::{Deserialize, Serialize};

/// What customers order. The key of its records is the product, so that a product's orders are in one partition and stay in
/// order.
pub const ORDERS: &str = "orders";

/// What became of their money. The key is the product here, too.
pub const PAYMENTS: &str = "payments";

pub const PRODUCTS: [&str; 7] = ["teapot", "cup", "kettle", "spoon", "tray", "sugar", "oolong"];

/// Somebody ordered something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub id: u64,
    pub product: String,
    /// How many orders of this product came before it: by this a reader notices one that is missing, or comes again.
    pub number: u64,
    pub quantity: u32,
    pub cents: u64,
    pub customer: String,
}

/// An order was paid for, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    pub order: u64,
    pub product: String,
    pub number: u64,
    pub cents: u64,
    pub accepted: bool,
}

impl Order {
    /// The order with this id: ids count up from 0, and go round the products.
    pub fn with_id(id: u64) -> Self {
        let count = PRODUCTS.len() as u64;
        let product = PRODUCTS.iter().cycle().nth((id % count) as usize).copied().unwrap_or_default();
        let quantity = (id % 4 + 1) as u32;
        Self {
            id,
            product: product.to_owned(),
            number: id / count,
            quantity,
            cents: u64::from(quantity) * (199 + 100 * (id % count)),
            customer: format!("customer-{}", id % 1000),
        }
    }
}

/// How services read: as the only member of a group of their own, from the first event on, and committing what they have dealt
/// with. Six seconds after a crash the group takes the member for gone, and its successor reads on.
pub fn member_of(group: &str) -> ConsumerConfig {
    ConsumerConfig {
        auto_offset_reset: OffsetReset::Earliest,
        enable_auto_commit: false,
        session_timeout: Duration::from_secs(6),
        heartbeat_interval: Duration::from_secs(2),
        ..ConsumerConfig::group(group)
    }
}

/// An event as the value of a record.
pub fn to_value(event: &impl Serialize) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(event).map(Bytes::from)
}

/// The event in a record's value.
pub fn from_value<'v, E: Deserialize<'v>>(value: Option<&'v Bytes>) -> Result<E, serde_json::Error> {
    serde_json::from_slice(value.map(|bytes| bytes.as_ref()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orders_of_a_product_are_numbered_without_a_gap() {
        let orders: Vec<Order> = (0..100).map(Order::with_id).collect();
        for product in PRODUCTS {
            let numbers = orders.iter().filter(|order| order.product == product).map(|order| order.number);
            assert!(numbers.enumerate().all(|(index, number)| index as u64 == number), "{product}");
        }
    }

    #[test]
    fn an_event_comes_back_from_its_record() {
        let order = Order::with_id(17);
        assert_eq!(from_value::<Order>(Some(&to_value(&order).unwrap())).unwrap(), order);
        assert!(from_value::<Order>(None).is_err());
    }
}
