//! What is counted on the way of requests, each with one addition that orders nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use wire::api_table::ApiKey;

use crate::dispatch::ROUTES;

/// What clients sent and were sent since the node began.
#[derive(Debug)]
pub struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
    /// Requests that were begun, by their place in [`ROUTES`].
    begun: Box<[AtomicU64]>,
    refused: AtomicU64,
}

impl Default for Traffic {
    fn default() -> Self {
        let begun = ROUTES.iter().map(|_| AtomicU64::new(0)).collect();
        Self { received: AtomicU64::new(0), sent: AtomicU64::new(0), begun, refused: AtomicU64::new(0) }
    }
}

/// The counts of a [`Traffic`] at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficCounts {
    pub received: u64,
    pub sent: u64,
    pub begun: Vec<(ApiKey, u64)>,
    pub refused: u64,
}

impl Traffic {
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A request is begun, by the handler at this place of [`ROUTES`].
    pub(crate) fn began(&self, route: usize) {
        if let Some(count) = self.begun.get(route) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request ended its connection instead of being answered.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub fn counts(&self) -> TrafficCounts {
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        TrafficCounts {
            received: now(&self.received),
            sent: now(&self.sent),
            begun: ROUTES.iter().zip(&self.begun).map(|(route, count)| (route.key, now(count))).collect(),
            refused: now(&self.refused),
        }
    }
}
