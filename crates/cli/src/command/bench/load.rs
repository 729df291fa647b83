//! What is sent, and how often.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use client::{Codec, Consumer, ConsumerConfig, Error, ErrorCode, Producer, ProducerConfig};
use host::RealEntropy;
use kernel::port::Entropy;
use tokio::time::{Instant, sleep_until};

use crate::command::acks::WhoAcknowledges;
use crate::command::{Failure, Session, units};
use crate::print::Left;

/// How records are written.
#[derive(Debug, Args)]
pub struct Load {
    /// How long to go on.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = units::some_time)]
    pub time: Duration,
    /// Stop after so many records.
    #[arg(short = 'n', long = "number", value_name = "N", value_parser = units::count)]
    pub number: Option<u64>,
    /// How many partitions the topic of this run gets, if none is named.
    #[arg(long, value_name = "N", default_value_t = 6, conflicts_with = "topic", value_parser = units::within(1..=i32::MAX))]
    pub partitions: i32,
    #[command(flatten)]
    acks: WhoAcknowledges,
    /// The codec of the batches.
    #[arg(long, value_name = "CODEC", default_value = "none")]
    compression: Codec,
}

/// What a record takes besides its value, amply.
pub const RECORD_OVERHEAD: usize = 1024;

/// The largest value of a run.
const VALUE_SIZE_MAX: u32 = 64 << 20;

/// Why records could not be written.
pub fn unwritten(error: Error, doing: &str) -> Failure {
    let lacks_key = error.code() == Some(ErrorCode::InvalidRecord);
    let failure = Failure::of(error, doing);
    match lacks_key {
        true => {
            failure.next("a run writes records without keys: name a topic that is not compacted, or none")
        }
        false => failure,
    }
}

impl Load {
    /// Refuses what the settings of the client could not send, before anything is made for it.
    pub fn check_size(&self, value_size: u32, session: &Session) -> Result<(), Failure> {
        let config = self.config(0, value_size, Duration::ZERO, session)?;
        let (value_size, limit) =
            (usize::try_from(value_size).unwrap_or(usize::MAX), config.max_request_size);
        match value_size < limit {
            true => Ok(()),
            false => Err(Failure::of(
                Error::RecordTooLarge { size: value_size, setting: "max.request.size", limit },
                "cannot write values of that --size",
            )),
        }
    }

    /// A producer that writes so.
    pub fn producer(
        &self,
        batch_size: usize,
        value_size: u32,
        linger: Duration,
        session: &Session,
    ) -> Result<Producer, Failure> {
        let config = self.config(batch_size, value_size, linger, session)?;
        let producer = Producer::new(&session.client, config);
        producer.map_err(|error| Failure::of(error, "cannot write"))
    }

    fn config(
        &self,
        batch_size: usize,
        value_size: u32,
        linger: Duration,
        session: &Session,
    ) -> Result<ProducerConfig, Failure> {
        let record_size = usize::try_from(value_size).unwrap_or(usize::MAX).saturating_add(RECORD_OVERHEAD);
        let defaults = ProducerConfig::default();
        let mut config = ProducerConfig {
            batch_size,
            linger,
            // One that is deleted during the run is not to come back.
            allow_auto_create_topics: false,
            max_request_size: defaults.max_request_size.max(batch_size).max(record_size),
            buffer_memory: defaults.buffer_memory.max(record_size),
            ..defaults
        };
        self.acks.set(&mut config);
        let mut config = config.codec(self.compression);
        session.settings.set_producer(&mut config)?;
        Ok(config)
    }

    /// What is known of a record when its delivery is over.
    pub fn delivered(&self) -> &'static str {
        self.acks.delivered()
    }

    /// What such a run has still to do: until its time is up, or its records are written.
    pub fn left(&self, begun: Instant, sent: u64) -> Left {
        let time = self.time.saturating_sub(begun.elapsed());
        let rate = sent as f64 / begun.elapsed().as_secs_f64().max(0.001);
        match self.number.map(|number| number.saturating_sub(sent)) {
            Some(records) if (records as f64) < rate * time.as_secs_f64() => Left::Records(records),
            _ => Left::Time(time),
        }
    }

    /// Whether a run that began then goes on with one more record.
    pub fn goes_on(&self, begun: Instant, sent: u64) -> bool {
        begun.elapsed() < self.time && self.number.is_none_or(|number| sent < number)
    }

    /// Waits until record number `sent` is due, or until the time of the run is up if it is not due in it. Returns whether it is.
    pub async fn due(&self, begun: Instant, sent: u64, per_second: f64) -> bool {
        let in_time = Duration::from_secs_f64(sent as f64 / per_second) < self.time;
        if in_time {
            due(begun, sent, per_second).await;
        } else {
            sleep_until(begun + self.time).await;
        }
        in_time
    }
}

/// What was set for a consumer.
pub fn consumer_config(session: &Session) -> Result<ConsumerConfig, Failure> {
    let mut config = ConsumerConfig::default();
    session.settings.set_consumer(&mut config)?;
    Ok(config)
}

/// A consumer, with what was set for it.
pub fn consumer(session: &Session) -> Result<Consumer, Failure> {
    let config = consumer_config(session)?;
    Consumer::new(&session.client, config).map_err(|error| Failure::of(error, "cannot read the topic"))
}

/// Waits until record number `sent` is due.
pub async fn due(begun: Instant, sent: u64, per_second: f64) {
    let due = begun + Duration::from_secs_f64(sent as f64 / per_second);
    if due > Instant::now() {
        sleep_until(due).await;
    }
}

/// Reads how many a second.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| (0.001..=1e9).contains(rate));
    rate.ok_or_else(|| format!("{text:?} is no number of records a second"))
}

/// Reads how many bytes a value has; `min` of them have a meaning.
pub fn size(text: &str, min: u32) -> Result<u32, String> {
    let size =
        text.parse().map_err(|_| format!("{text:?} is no number of bytes from {min} to {VALUE_SIZE_MAX}"))?;
    match size {
        size if size > VALUE_SIZE_MAX => Err(format!(
            "at most {VALUE_SIZE_MAX}: a run raises max.request.size so far and no further, as a record is sent whole"
        )),
        size if size < min => Err(format!("at least {min}: the first bytes of a value are its number")),
        size => Ok(size),
    }
}

/// Bytes that no codec makes much of, from which values are cut.
#[derive(Debug)]
pub struct Values {
    noise: Bytes,
    size: usize,
    at: usize,
}

const NOISE: usize = 1 << 20;

impl Values {
    /// Values of so many bytes.
    pub fn new(size: usize) -> Self {
        let mut noise = vec![0; NOISE + size];
        RealEntropy.fill(&mut noise);
        Self { noise: noise.into(), size, at: 0 }
    }

    pub fn next(&mut self) -> Bytes {
        let at = self.at;
        self.at = (at + self.size.max(1)) % NOISE;
        self.noise.slice(at..at + self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_size_and_differ() {
        let mut values = Values::new(1000);
        let taken: Vec<Bytes> = (0..3000).map(|_| values.next()).collect();
        assert!(taken.iter().all(|value| value.len() == 1000));
        assert_ne!(taken[0], taken[1]);
        assert_eq!(Values::new(0).next().len(), 0);
    }

    #[test]
    fn a_rate_is_above_nothing() {
        assert_eq!(rate("2.5"), Ok(2.5));
        for wrong in ["0", "-1", "fast", "NaN", "inf"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
