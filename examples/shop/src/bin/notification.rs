//! Notification: one mail for each order.
//!
//! Mails cannot be taken back, so that what was sent is looked up before anything is sent: the mails are lines of a file, which
//! stands for the mail server. A service that was away goes on where its group has committed to.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use client::Consumer;
use shop::{ORDERS, Order, Report, Seen, Service, from_value, member_of};

const POLL: Duration = Duration::from_millis(200);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut service = Service::start("notification").await?;
    let path = service.file("mails");
    let mut mails = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
    let mut sent = Seen::from_the_first();
    for line in BufReader::new(&mails).lines() {
        let line = line?;
        // A line that a crash cut off is no mail.
        let Some(whole) = line.strip_suffix('.') else { continue };
        if let [product, number, ..] = whole.split_whitespace().collect::<Vec<_>>()[..] {
            sent.is_new(product, number.parse()?);
        }
    }
    writeln!(mails, "{} on duty", service.name)?;
    let mut consumer = Consumer::new(&service.client, member_of("notification"))?;
    consumer.subscribe([ORDERS])?;

    loop {
        let records = tokio::select! {
            () = service.stopped() => break,
            records = consumer.poll(POLL) => records?,
        };
        for record in &records {
            let order: Order = from_value(record.value.as_ref())?;
            if sent.is_new(&order.product, order.number) {
                service.work().await;
                let Order { product, number, customer, id, .. } = order;
                writeln!(mails, "{product} {number} {customer} thank you for order {id}.")?;
            }
        }
        if !records.is_empty() {
            mails.sync_data()?;
            consumer.commit().await?;
        }
        let Seen { events, repeated, lost, .. } = sent.clone();
        service.report(|| Report { events, repeated, lost, says: format!("{events} mails sent") });
    }
    Ok(consumer.close().await?)
}
