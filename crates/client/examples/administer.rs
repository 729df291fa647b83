// Makes a topic, looks at it and its settings, sends a group back to its start, and takes the topic away.

use std::error::Error;

use client::admin::{NewTopic, OffsetSpec};
use client::config::IsolationLevel;
use client::{Admin, Client, ClientConfig, ErrorCode, TopicPartition};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run("127.0.0.1:9092").await
}

pub async fn run(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(ClientConfig::new(bootstrap)).await?;
    let admin = Admin::new(&client);

    let week = ("retention.ms".to_owned(), "604800000".to_owned());
    let topic = NewTopic { partitions: Some(3), configs: vec![week], ..NewTopic::new("parcels") };
    admin.create_topic(&topic, false).await?;

    for topic in admin.list_topics().await? {
        println!("{} has {} partitions", topic.name, topic.partitions.len());
    }
    let partitions: Vec<_> = (0..3).map(|number| TopicPartition::new("parcels", number)).collect();
    let ends: Vec<_> = partitions.iter().map(|name| (name.clone(), OffsetSpec::Latest)).collect();
    for (name, end) in admin.list_offsets(&ends, IsolationLevel::ReadUncommitted).await? {
        println!("{name} ends at {:?}", end.offset);
    }

    admin.delete_topic("parcels").await?;
    // What a broker refuses says with which code, and whether it may help to ask again.
    match admin.delete_topic("parcels").await {
        Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => println!("it is gone"),
        other => other?,
    }
    Ok(())
}
