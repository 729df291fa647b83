// Writes records with keys, waits until they are acknowledged, and reads all of them again.

use std::error::Error;
use std::time::Duration;

use client::{
    Client, ClientConfig, Consumer, ConsumerConfig, Producer, ProducerConfig, ProducerRecord, Start,
    TopicPartition,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run("127.0.0.1:9092").await
}

pub async fn run(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(ClientConfig::new(bootstrap)).await?;

    let producer = Producer::new(&client, ProducerConfig::default())?;
    let mut deliveries = Vec::new();
    for (who, what) in [("ada", "two teapots"), ("grace", "one kettle"), ("ada", "a cup")] {
        // It is on its way when this returns; several are sent together.
        deliveries.push(producer.send(ProducerRecord::new("orders").key(who).value(what)).await?);
    }
    for delivery in deliveries {
        let written = delivery.await?;
        println!("{} at offset {:?}", written.partition, written.offset);
    }
    producer.close().await?;

    let mut consumer = Consumer::new(&client, ConsumerConfig::default())?;
    let partitions = client.fetch_metadata(Some(&["orders".to_owned()])).await?;
    let topic = partitions.topic("orders").ok_or("the topic is gone")?;
    let from_start = |number: &i32| (TopicPartition::new("orders", *number), Start::Earliest);
    consumer.assign(topic.partitions.keys().map(from_start))?;
    let mut read = 0;
    while read < 3 {
        for record in consumer.poll(Duration::from_secs(1)).await? {
            println!("{}-{} {}: {:?}", record.topic, record.partition, record.offset, record.value);
            read += 1;
        }
    }
    consumer.close().await?;
    Ok(())
}
