// Reads as a member of a group that commits what it has dealt with, and hears what it is given and what is taken from it.

use std::error::Error;
use std::time::Duration;

use client::config::OffsetReset;
use client::{Client, ClientConfig, Consumer, ConsumerConfig, Rebalance, RebalanceListener};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run("127.0.0.1:9092").await
}

pub async fn run(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(ClientConfig::new(bootstrap)).await?;
    let config = ConsumerConfig {
        auto_offset_reset: OffsetReset::Earliest,
        enable_auto_commit: false,
        ..ConsumerConfig::group("kitchen")
    };
    let mut consumer = Consumer::new(&client, config)?;
    consumer.on_rebalance(Told);
    consumer.subscribe(["orders"])?;

    let mut idle = 0;
    while idle < 3 {
        let records = consumer.poll(Duration::from_secs(1)).await?;
        idle = if records.is_empty() { idle + 1 } else { 0 };
        for record in &records {
            println!("{:?} ordered {:?}", record.key, record.value);
        }
        if !records.is_empty() {
            // Whoever reads on after a crash begins after the last of these.
            consumer.commit().await?;
        }
    }
    // Leaves the group, so that others need not wait until it is missed.
    consumer.close().await?;
    Ok(())
}

/// Prints what comes and goes. What a partition's records have led to would be loaded and put away here.
struct Told;

impl RebalanceListener for Told {
    fn assigned(&mut self, rebalance: &mut Rebalance<'_>) {
        println!("given: {:?}", rebalance.partitions());
    }

    fn revoked(&mut self, rebalance: &mut Rebalance<'_>) {
        println!("taken: {:?}", rebalance.partitions());
    }
}
