//! `riverrun bench`: how fast a cluster is, seen from here.

mod consume;
mod figures;
mod latency;
mod load;
mod lost;
mod produce;
mod scratch;

use clap::Subcommand;

use super::{Failure, Session};

#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Write records as fast as it goes, or at a rate.
    Produce(produce::Produce),
    /// Read the records of a topic as fast as it goes.
    Consume(consume::Consume),
    /// Write records at a rate and read them again: how long until they are acknowledged, and until they arrive.
    Latency(latency::Latency),
}

pub async fn run(bench: Bench, session: &Session) -> Result<(), Failure> {
    match bench {
        Bench::Produce(produce) => produce::run(produce, session).await,
        Bench::Consume(consume) => consume::run(consume, session).await,
        Bench::Latency(latency) => latency::run(latency, session).await,
    }
}
