//! Who must have a record before it counts as written.

use clap::{Args, ValueEnum};
use client::ProducerConfig;
use client::config::Acks;

/// The option of every command that writes.
#[derive(Debug, Clone, Copy, Args)]
pub struct WhoAcknowledges {
    /// Who must have a record before it counts as written. With less than all, a record that is sent again may be written
    /// twice.
    #[arg(long, value_enum, default_value_t = Who::All)]
    acks: Who,
}

/// `acks`, as Kafka names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Who {
    /// All replicas that are in sync.
    #[value(alias = "-1")]
    All,
    /// The leader alone.
    #[value(alias = "1")]
    Leader,
    /// Nobody.
    #[value(alias = "0")]
    None,
}

impl WhoAcknowledges {
    /// Only what all have is written once.
    pub fn set(self, config: &mut ProducerConfig) {
        config.acks = match self.acks {
            Who::All => Acks::All,
            Who::Leader => Acks::Leader,
            Who::None => Acks::None,
        };
        config.enable_idempotence = config.acks == Acks::All;
    }

    /// What is known of a record when its delivery is over.
    pub fn delivered(self) -> &'static str {
        if self.acks == Who::None { "sent" } else { "acknowledged" }
    }
}

impl Default for WhoAcknowledges {
    fn default() -> Self {
        Self { acks: Who::All }
    }
}
