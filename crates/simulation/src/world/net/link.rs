//! What happens on the way from one host to another.

use std::collections::BTreeSet;
use std::time::Duration;

use sim::Chance;

use super::HostId;

/// After how long what was lost is sent again.
pub(super) const RETRANSMISSION: Duration = Duration::from_millis(200);

/// How often a loss repeats itself at most.
const LOSSES_MAX: u32 = 5;

/// Delays and losses, everywhere.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    pub delay_min: Duration,
    pub delay_max: Duration,
    /// One segment in so many is lost, and sent again; 0 for none.
    pub lost_one_in: u64,
}

impl Weather {
    /// A network within a building.
    pub const FAIR: Self =
        Self { delay_min: Duration::from_micros(100), delay_max: Duration::from_millis(2), lost_one_in: 0 };
}

/// The links between all hosts.
pub(super) struct Links {
    pub weather: Weather,
    /// Links that nothing passes, from one host to another.
    cut: BTreeSet<(HostId, HostId)>,
}

impl Default for Links {
    fn default() -> Self {
        Self { weather: Weather::FAIR, cut: BTreeSet::new() }
    }
}

impl Links {
    pub fn cut(&mut self, from: HostId, to: HostId) {
        self.cut.insert((from, to));
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    pub fn passes(&self, from: HostId, to: HostId) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// How long the next segment takes, with the times that it is lost.
    pub fn delay(&self, from: HostId, to: HostId, chance: &mut Chance) -> Duration {
        if from == to {
            return Duration::ZERO;
        }
        let Weather { delay_min, delay_max, lost_one_in } = self.weather;
        let mut delay = chance.time(delay_min..=delay_max);
        let mut wait = RETRANSMISSION;
        for _ in 0..LOSSES_MAX {
            if lost_one_in == 0 || !chance.one_in(lost_one_in) {
                break;
            }
            delay += wait;
            wait *= 2;
        }
        delay
    }
}
