//! The connections on which records are sent that nobody acknowledges: their end is all that a broker has to refuse one with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::NodeId;
use tokio::time::Instant;

use crate::conn::Connection;

/// Those connections, for one producer.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    /// Those of now, and when something was sent on them last.
    open: BTreeMap<NodeId, (Arc<Connection>, Instant)>,
    /// How many have ended soon after something was sent on them.
    cut_off: u64,
}

impl Unanswered {
    /// A connection that ends so soon may have ended for what was sent.
    const SOON: Duration = Duration::from_secs(60);

    pub fn sent(&mut self, to: NodeId, connection: &Arc<Connection>) {
        let now = Instant::now();
        let before = self.open.insert(to, (Arc::clone(connection), now));
        let is_another = |(before, _): &(Arc<Connection>, Instant)| !Arc::ptr_eq(before, connection);
        if before.is_some_and(|before| is_another(&before) && now < before.1 + Self::SOON) {
            self.cut_off += 1;
        }
    }

    pub fn cut_off(&self) -> u64 {
        let now = Instant::now();
        let ended =
            self.open.values().filter(|(connection, sent)| !connection.is_open() && now < *sent + Self::SOON);
        self.cut_off.saturating_add(u64::try_from(ended.count()).unwrap_or(u64::MAX))
    }
}
