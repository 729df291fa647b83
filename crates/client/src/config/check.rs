//! Settings that cannot work are refused before anything is sent.

use std::time::Duration;

use kernel::topic_name;

use super::{Acks, ClientConfig, ConsumerConfig, ProducerConfig};
use crate::Error;
use crate::conn::{WAITING_MAX, secure};

/// How many requests may be on their way to a broker without the order of an idempotent producer getting lost.
const IDEMPOTENT_IN_FLIGHT_MAX: usize = 5;

/// `delivery.timeout.ms`, where nobody says otherwise.
const DELIVERY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(120);

/// What an answer to a fetch has beside records, at most.
const FETCH_OVERHEAD_BYTES: usize = 512;

/// The smallest `receive.message.max.bytes` that is any use.
const RECEIVE_BYTES_MIN: usize = 1000;

/// The largest `queued.max.messages.kbytes`, as in librdkafka.
const QUEUED_KBYTES_MAX: usize = i32::MAX as usize / 1024;

/// What a setting may be that the protocol, or Kafka, has as a number of 32 bits.
const INT_MAX: usize = i32::MAX as usize;

/// A check; the error names the setting and says what is wrong with it.
type Check = Result<(), Error>;

fn refuse(name: &'static str, reason: impl Into<String>) -> Check {
    Err(Error::Config { name, reason: reason.into() })
}

/// A time that Kafka has in milliseconds and in 32 bits.
fn int_millis(name: &'static str, time: Duration) -> Check {
    match i32::try_from(time.as_millis()) {
        Ok(_) => Ok(()),
        Err(_) => refuse(name, format!("at most {} ms", i32::MAX)),
    }
}

/// A time that Kafka has in milliseconds and in 64 bits.
fn long_millis(name: &'static str, time: Duration) -> Check {
    match i64::try_from(time.as_millis()) {
        Ok(_) => Ok(()),
        Err(_) => refuse(name, format!("at most {} ms", i64::MAX)),
    }
}

fn int(name: &'static str, number: usize) -> Check {
    if number > INT_MAX { refuse(name, format!("at most {INT_MAX}")) } else { Ok(()) }
}

fn not_negative(name: &'static str, number: i32) -> Check {
    if number < 0 { refuse(name, "at least 0") } else { Ok(()) }
}

/// Whether any comes twice.
fn has_twice<T: PartialEq>(all: &[T]) -> bool {
    all.iter().enumerate().any(|(place, one)| all.iter().skip(place + 1).any(|other| other == one))
}

impl ClientConfig {
    /// Whether it could be connected with.
    ///
    /// # Errors
    /// [`Error::Config`] names the setting that cannot work, and says why; [`Error::NotSupported`] is for one that cannot
    /// yet.
    pub fn check(&self) -> Result<(), Error> {
        secure::check(self.security_protocol)?;
        self.servers()?;
        if has_twice(&self.bootstrap_servers) {
            return refuse("bootstrap.servers", "a server comes twice");
        }
        if i16::try_from(self.client_id.len()).is_err() {
            return refuse("client.id", format!("at most {} bytes", i16::MAX));
        }
        if !(RECEIVE_BYTES_MIN..=INT_MAX).contains(&self.receive_message_max_bytes) {
            return refuse("receive.message.max.bytes", format!("from {RECEIVE_BYTES_MIN} to {INT_MAX}"));
        }
        int_millis("request.timeout.ms", self.request_timeout)?;
        int_millis("default.api.timeout.ms", self.default_api_timeout)?;
        long_millis("socket.connection.setup.timeout.ms", self.connection_setup_timeout)?;
        long_millis("retry.backoff.ms", self.retry_backoff)?;
        long_millis("retry.backoff.max.ms", self.retry_backoff_max)?;
        long_millis("reconnect.backoff.ms", self.reconnect_backoff)?;
        long_millis("reconnect.backoff.max.ms", self.reconnect_backoff_max)?;
        long_millis("metadata.max.age.ms", self.metadata_max_age)
    }
}

impl ProducerConfig {
    /// Whether it works, and works with the settings of the client.
    pub(crate) fn check(&self, client: &ClientConfig) -> Check {
        if self.enable_idempotence && self.acks != Acks::All {
            return refuse("acks", "an idempotent producer needs acks=all");
        }
        self.check_in_flight()?;
        self.check_sizes()?;
        self.check_levels()?;
        long_millis("linger.ms", self.linger)?;
        long_millis("max.block.ms", self.max_block)?;
        self.check_delivery_timeout(client)
    }

    fn check_delivery_timeout(&self, client: &ClientConfig) -> Check {
        const NAME: &str = "delivery.timeout.ms";
        let Some(timeout) = self.delivery_timeout else {
            return Ok(());
        };
        int_millis(NAME, timeout)?;
        if timeout.as_millis() < self.least_delivery_timeout(client).as_millis() {
            let (linger, request) = (self.linger.as_millis(), client.request_timeout.as_millis());
            let reason = format!(
                "{} ms are less than linger.ms ({linger}) and request.timeout.ms ({request}) together",
                timeout.as_millis()
            );
            return refuse(NAME, reason);
        }
        Ok(())
    }

    /// How long a record may take that lingers, and whose first request is answered late. More than fits is never reached.
    fn least_delivery_timeout(&self, client: &ClientConfig) -> Duration {
        self.linger.saturating_add(client.request_timeout).min(Duration::from_millis(INT_MAX as u64))
    }

    /// When a record is given up: as was said, or else after the default, which gives way to the other two settings.
    pub(crate) fn delivery_timeout_with(&self, client: &ClientConfig) -> Duration {
        self.delivery_timeout
            .unwrap_or_else(|| DELIVERY_TIMEOUT_DEFAULT.max(self.least_delivery_timeout(client)))
    }

    fn check_levels(&self) -> Check {
        if self.compression_gzip_level != -1 && !(1..=9).contains(&self.compression_gzip_level) {
            return refuse("compression.gzip.level", "from 1 to 9, or -1");
        }
        if !(-131_072..=22).contains(&self.compression_zstd_level) {
            return refuse("compression.zstd.level", "from -131072 to 22");
        }
        match self.compression_lz4_level {
            9 => Ok(()),
            level @ 1..=17 => {
                Err(Error::NotSupported { name: "compression.lz4.level", value: level.to_string() })
            }
            _ => refuse("compression.lz4.level", "from 1 to 17"),
        }
    }

    fn check_in_flight(&self) -> Check {
        const NAME: &str = "max.in.flight.requests.per.connection";
        match self.max_in_flight {
            0 => refuse(NAME, "at least 1"),
            number if self.enable_idempotence && number > IDEMPOTENT_IN_FLIGHT_MAX => {
                refuse(NAME, format!("at most {IDEMPOTENT_IN_FLIGHT_MAX} with enable.idempotence"))
            }
            number if number > WAITING_MAX => refuse(NAME, format!("at most {WAITING_MAX}")),
            _ => Ok(()),
        }
    }

    fn check_sizes(&self) -> Check {
        int("batch.size", self.batch_size)?;
        int("max.request.size", self.max_request_size)?;
        if self.max_request_size > self.buffer_memory {
            return refuse("buffer.memory", "must hold a record of max.request.size");
        }
        if u32::try_from(self.buffer_memory).is_err() {
            return refuse("buffer.memory", "at most 4294967295 bytes");
        }
        Ok(())
    }
}

impl ConsumerConfig {
    /// Whether it works, and works with the settings of the client.
    pub(crate) fn check(&self, client: &ClientConfig) -> Check {
        self.check_group()?;
        self.check_fetches(client)?;
        int_millis("auto.commit.interval.ms", self.auto_commit_interval)?;
        match self.max_poll_records {
            0 => refuse("max.poll.records", "at least 1"),
            number => int("max.poll.records", number),
        }
    }

    fn check_group(&self) -> Check {
        if self.group_id.as_deref() == Some("") {
            return refuse("group.id", "it is empty");
        }
        if let Some(name) = &self.group_instance_id {
            topic_name::check(name).or_else(|reason| refuse("group.instance.id", reason))?;
        }
        int_millis("session.timeout.ms", self.session_timeout)?;
        int_millis("heartbeat.interval.ms", self.heartbeat_interval)?;
        int_millis("max.poll.interval.ms", self.max_poll_interval)?;
        if self.heartbeat_interval >= self.session_timeout {
            return refuse("heartbeat.interval.ms", "must be less than session.timeout.ms");
        }
        if self.max_poll_interval.as_millis() == 0 {
            return refuse("max.poll.interval.ms", "at least 1 ms");
        }
        if self.assignors.is_empty() {
            return refuse("partition.assignment.strategy", "it names no assignor");
        }
        if has_twice(&self.assignors) {
            return refuse("partition.assignment.strategy", "an assignor comes twice");
        }
        Ok(())
    }

    fn check_fetches(&self, client: &ClientConfig) -> Check {
        not_negative("fetch.min.bytes", self.fetch_min_bytes)?;
        not_negative("fetch.max.bytes", self.fetch_max_bytes)?;
        not_negative("max.partition.fetch.bytes", self.max_partition_fetch_bytes)?;
        int_millis("fetch.max.wait.ms", self.fetch_max_wait)?;
        if !(1..=QUEUED_KBYTES_MAX).contains(&self.queued_max_messages_kbytes) {
            return refuse("queued.max.messages.kbytes", format!("from 1 to {QUEUED_KBYTES_MAX}"));
        }
        let fetch_max_bytes = usize::try_from(self.fetch_max_bytes).unwrap_or(0);
        if fetch_max_bytes + FETCH_OVERHEAD_BYTES > client.receive_message_max_bytes {
            return refuse(
                "fetch.max.bytes",
                format!("must be {FETCH_OVERHEAD_BYTES} less than receive.message.max.bytes, or lower still"),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Assignor;

    fn client() -> ClientConfig {
        ClientConfig::new("h:1")
    }

    /// The setting that is refused.
    #[track_caller]
    fn refused(check: Check) -> (&'static str, String) {
        match check {
            Err(Error::Config { name, reason }) => (name, reason),
            other => panic!("it is not refused: {other:?}"),
        }
    }

    #[test]
    fn the_defaults_work() {
        assert_eq!(client().check(), Ok(()));
        assert_eq!(ProducerConfig::default().check(&client()), Ok(()));
        assert_eq!(ConsumerConfig::default().check(&client()), Ok(()));
        assert_eq!(ConsumerConfig::group("g").check(&client()), Ok(()));
    }

    #[test]
    fn a_record_is_given_up_no_earlier_than_a_request_for_it() {
        let of = |delivery: Option<u64>, linger: u64, request: u64| {
            let client = ClientConfig { request_timeout: Duration::from_millis(request), ..client() };
            let producer = ProducerConfig {
                delivery_timeout: delivery.map(Duration::from_millis),
                linger: Duration::from_millis(linger),
                ..ProducerConfig::default()
            };
            (producer.check(&client), producer.delivery_timeout_with(&client).as_millis())
        };
        assert_eq!(of(Some(30_005), 5, 30_000), (Ok(()), 30_005));
        let (name, reason) = refused(of(Some(30_004), 5, 30_000).0);
        assert_eq!(name, "delivery.timeout.ms");
        assert!(reason.contains("linger.ms") && reason.contains("request.timeout.ms"), "{reason}");
        // The largest that there is waits for whatever is asked of it.
        assert_eq!(of(Some(i32::MAX as u64), i32::MAX as u64, 30_000).0, Ok(()));
        // What nobody has said gives way.
        assert_eq!(of(None, 5, 30_000), (Ok(()), 120_000));
        assert_eq!(of(None, 5, 120_000), (Ok(()), 120_005));
        assert_eq!(of(None, u64::MAX / 2, 30_000), (Ok(()), i32::MAX as u128));
    }

    #[test]
    fn what_idempotence_needs_is_asked_for() {
        let check = |producer: ProducerConfig| producer.check(&client());
        for acks in [Acks::None, Acks::Leader] {
            assert_eq!(refused(check(ProducerConfig { acks, ..Default::default() })).0, "acks");
            let without = ProducerConfig { acks, enable_idempotence: false, ..Default::default() };
            assert_eq!(check(without), Ok(()));
        }
        const IN_FLIGHT: &str = "max.in.flight.requests.per.connection";
        for (max_in_flight, with, without) in [(0, false, false), (5, true, true), (6, false, true)] {
            for (enable_idempotence, works) in [(true, with), (false, without)] {
                let producer = ProducerConfig { max_in_flight, enable_idempotence, ..Default::default() };
                match works {
                    true => assert_eq!(check(producer), Ok(()), "{max_in_flight}"),
                    false => assert_eq!(refused(check(producer)).0, IN_FLIGHT),
                }
            }
        }
    }

    #[test]
    fn sizes_of_a_producer_have_bounds() {
        let check = |producer: ProducerConfig| refused(producer.check(&client())).0;
        let big = 1 << 31;
        assert_eq!(check(ProducerConfig { batch_size: big, ..Default::default() }), "batch.size");
        let request = ProducerConfig { max_request_size: big, buffer_memory: big, ..Default::default() };
        assert_eq!(check(request), "max.request.size");
        let small = ProducerConfig { buffer_memory: 1 << 19, ..Default::default() };
        assert_eq!(check(small), "buffer.memory");
    }

    #[test]
    fn levels_of_codecs_have_kafkas_ranges_and_those_that_are_not_there_are_refused() {
        let of = |gzip: i32, lz4: i32, zstd: i32| {
            let producer = ProducerConfig {
                compression_gzip_level: gzip,
                compression_lz4_level: lz4,
                compression_zstd_level: zstd,
                ..Default::default()
            };
            producer.check(&client())
        };
        for (gzip, zstd) in [(-1, -131_072), (1, 22), (9, 0)] {
            assert_eq!(of(gzip, 9, zstd), Ok(()));
        }
        for gzip in [-2, 0, 10] {
            assert_eq!(refused(of(gzip, 9, 3)).0, "compression.gzip.level");
        }
        for zstd in [-131_073, 23] {
            assert_eq!(refused(of(-1, 9, zstd)).0, "compression.zstd.level");
        }
        for lz4 in [0, 18] {
            assert_eq!(refused(of(-1, lz4, 3)).0, "compression.lz4.level");
        }
        for lz4 in [1, 17] {
            assert!(matches!(of(-1, lz4, 3), Err(Error::NotSupported { .. })), "it is not ignored");
        }
    }

    #[test]
    fn a_member_of_a_group_is_looked_at() {
        let check = |consumer: ConsumerConfig| refused(consumer.check(&client())).0;
        let group = || ConsumerConfig::group("g");
        assert_eq!(check(ConsumerConfig::group("")), "group.id");
        for name in ["", ".", "..", "a b", &"x".repeat(250)] {
            let named = ConsumerConfig { group_instance_id: Some(name.to_owned()), ..group() };
            assert_eq!(check(named), "group.instance.id", "{name:?}");
        }
        let beats = ConsumerConfig { heartbeat_interval: Duration::from_secs(45), ..group() };
        assert_eq!(check(beats), "heartbeat.interval.ms");
        let never = ConsumerConfig { max_poll_interval: Duration::ZERO, ..group() };
        assert_eq!(check(never), "max.poll.interval.ms");
        for assignors in [vec![], vec![Assignor::Range, Assignor::Range]] {
            assert_eq!(check(ConsumerConfig { assignors, ..group() }), "partition.assignment.strategy");
        }
        let patient = ConsumerConfig { session_timeout: Duration::from_secs(1 << 32), ..group() };
        assert_eq!(check(patient), "session.timeout.ms");
    }

    #[test]
    fn fetches_are_of_a_size_that_is_read() {
        let check = |consumer: ConsumerConfig, client: &ClientConfig| refused(consumer.check(client)).0;
        let with = ConsumerConfig::default;
        assert_eq!(check(ConsumerConfig { fetch_min_bytes: -1, ..with() }, &client()), "fetch.min.bytes");
        assert_eq!(check(ConsumerConfig { fetch_max_bytes: -1, ..with() }, &client()), "fetch.max.bytes");
        let partition = ConsumerConfig { max_partition_fetch_bytes: -1, ..with() };
        assert_eq!(check(partition, &client()), "max.partition.fetch.bytes");
        assert_eq!(check(ConsumerConfig { max_poll_records: 0, ..with() }, &client()), "max.poll.records");
        for queued_max_messages_kbytes in [0, 2_097_152] {
            let held = ConsumerConfig { queued_max_messages_kbytes, ..with() };
            assert_eq!(check(held, &client()), "queued.max.messages.kbytes");
        }
        let fits =
            |receive_message_max_bytes| with().check(&ClientConfig { receive_message_max_bytes, ..client() });
        assert_eq!(fits((50 << 20) + 512), Ok(()));
        assert_eq!(refused(fits((50 << 20) + 511)).0, "fetch.max.bytes");
    }

    #[test]
    fn what_all_parts_share_is_looked_at() {
        let check = |client: ClientConfig| refused(client.check()).0;
        assert_eq!(check(ClientConfig::new("h:1,g:1,h:1")), "bootstrap.servers");
        assert_eq!(check(ClientConfig { client_id: "x".repeat(1 << 15), ..client() }), "client.id");
        for receive_message_max_bytes in [999, 1 << 31] {
            let client = ClientConfig { receive_message_max_bytes, ..client() };
            assert_eq!(check(client), "receive.message.max.bytes");
        }
        let forever = Duration::MAX;
        assert_eq!(check(ClientConfig { request_timeout: forever, ..client() }), "request.timeout.ms");
        assert_eq!(check(ClientConfig { metadata_max_age: forever, ..client() }), "metadata.max.age.ms");
    }
}
