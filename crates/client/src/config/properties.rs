//! Settings by Kafka's names, in the form in which its files of properties have them.

use std::time::Duration;

use kernel::IsolationLevel;
use kernel::option::duration::parse_iso_ms;
use kernel::option::endpoint::SecurityProtocol;
use wire::compress::{Codec, ParseCodecError};

use super::{Acks, Assignor, ClientConfig, ConsumerConfig, OffsetReset, ProducerConfig};
use crate::Error;

/// The value of a setting.
trait Value: Sized {
    /// Reads it; the error says what is expected.
    fn read(text: &str) -> Result<Self, String>;
}

/// One of some words, in capitals or not.
fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("{text:?} is none of {}", words.join(", "))
    })
}

impl Value for usize {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text:?} is no whole number from 0 on"))
    }
}

impl Value for i32 {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text:?} is no whole number of 32 bits"))
    }
}

impl Value for Duration {
    fn read(text: &str) -> Result<Self, String> {
        let millis = text.parse().map_err(|_| format!("{text:?} is no number of milliseconds"))?;
        Ok(Duration::from_millis(millis))
    }
}

impl Value for bool {
    fn read(text: &str) -> Result<Self, String> {
        one_of(text, &[("true", true), ("false", false)])
    }
}

impl Value for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl<T: Value> Value for Option<T> {
    fn read(text: &str) -> Result<Self, String> {
        T::read(text).map(Some)
    }
}

impl Value for Vec<String> {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect())
    }
}

impl Value for SecurityProtocol {
    fn read(text: &str) -> Result<Self, String> {
        SecurityProtocol::parse(&text.to_ascii_uppercase())
            .ok_or_else(|| format!("{text:?} is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"))
    }
}

impl Value for Acks {
    fn read(text: &str) -> Result<Self, String> {
        one_of(text, &[("all", Acks::All), ("-1", Acks::All), ("1", Acks::Leader), ("0", Acks::None)])
    }
}

impl Value for Codec {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: ParseCodecError| error.to_string())
    }
}

impl Value for OffsetReset {
    fn read(text: &str) -> Result<Self, String> {
        if let Some(duration) = text.strip_prefix("by_duration:") {
            let ms = parse_iso_ms(duration).and_then(|ms| u64::try_from(ms).ok());
            let wrong =
                || format!("{duration:?} is no duration in ISO 8601 (PnDTnHnMn.nS) that is not negative");
            return ms.map(|ms| OffsetReset::ByDuration(Duration::from_millis(ms))).ok_or_else(wrong);
        }
        let words = [
            ("earliest", OffsetReset::Earliest),
            ("latest", OffsetReset::Latest),
            ("none", OffsetReset::None),
        ];
        one_of(text, &words).map_err(|reason| format!("{reason}, by_duration:PnDTnHnMn.nS"))
    }
}

impl Value for IsolationLevel {
    fn read(text: &str) -> Result<Self, String> {
        let words = [
            ("read_uncommitted", IsolationLevel::ReadUncommitted),
            ("read_committed", IsolationLevel::ReadCommitted),
        ];
        one_of(text, &words)
    }
}

impl Value for Vec<Assignor> {
    fn read(text: &str) -> Result<Self, String> {
        let all = [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky];
        let words = all.map(|assignor| (assignor.name(), assignor));
        text.split(',').map(|word| one_of(word.trim(), &words)).collect()
    }
}

macro_rules! settings {
    ($config:ty: $($name:literal => $field:ident,)*) => {
        impl $config {
            /// The settings that [`Self::set`] takes, in Kafka's names.
            pub const NAMES: &[&str] = &[$($name),*];

            /// Sets what has this name of Kafka's, from the text that a file of properties would have: times in milliseconds,
            /// sizes in bytes. Returns whether there is such a setting here. A text that is no value of it is
            /// [`Error::Config`]; whether the value can work is found when it is used.
            pub fn set(&mut self, name: &str, value: &str) -> Result<bool, Error> {
                match name {
                    $($name => {
                        self.$field =
                            Value::read(value.trim()).map_err(|reason| Error::Config { name: $name, reason })?;
                    })*
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}

settings! { ClientConfig:
    "bootstrap.servers" => bootstrap_servers,
    "client.id" => client_id,
    "security.protocol" => security_protocol,
    "request.timeout.ms" => request_timeout,
    "socket.connection.setup.timeout.ms" => connection_setup_timeout,
    "default.api.timeout.ms" => default_api_timeout,
    "retry.backoff.ms" => retry_backoff,
    "retry.backoff.max.ms" => retry_backoff_max,
    "reconnect.backoff.ms" => reconnect_backoff,
    "reconnect.backoff.max.ms" => reconnect_backoff_max,
    "metadata.max.age.ms" => metadata_max_age,
    "receive.message.max.bytes" => receive_message_max_bytes,
}

settings! { ProducerConfig:
    "acks" => acks,
    "enable.idempotence" => enable_idempotence,
    "batch.size" => batch_size,
    "linger.ms" => linger,
    "compression.type" => compression,
    "compression.gzip.level" => compression_gzip_level,
    "compression.lz4.level" => compression_lz4_level,
    "compression.zstd.level" => compression_zstd_level,
    "delivery.timeout.ms" => delivery_timeout,
    "allow.auto.create.topics" => allow_auto_create_topics,
    "partitioner.adaptive.partitioning.enable" => adaptive_partitioning,
    "max.block.ms" => max_block,
    "buffer.memory" => buffer_memory,
    "max.request.size" => max_request_size,
    "max.in.flight.requests.per.connection" => max_in_flight,
}

settings! { ConsumerConfig:
    "group.id" => group_id,
    "group.instance.id" => group_instance_id,
    "auto.offset.reset" => auto_offset_reset,
    "enable.auto.commit" => enable_auto_commit,
    "auto.commit.interval.ms" => auto_commit_interval,
    "fetch.min.bytes" => fetch_min_bytes,
    "fetch.max.wait.ms" => fetch_max_wait,
    "fetch.max.bytes" => fetch_max_bytes,
    "max.partition.fetch.bytes" => max_partition_fetch_bytes,
    "queued.max.messages.kbytes" => queued_max_messages_kbytes,
    "max.poll.records" => max_poll_records,
    "isolation.level" => isolation_level,
    "check.crcs" => check_crcs,
    "client.rack" => client_rack,
    "session.timeout.ms" => session_timeout,
    "heartbeat.interval.ms" => heartbeat_interval,
    "max.poll.interval.ms" => max_poll_interval,
    "partition.assignment.strategy" => assignors,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_set_by_kafkas_names() {
        let mut producer = ProducerConfig::default();
        let given = [
            ("acks", "1"),
            ("enable.idempotence", "False"),
            ("linger.ms", " 20"),
            ("compression.type", "zstd"),
            ("max.request.size", "50000000"),
        ];
        assert!(given.iter().all(|(name, value)| producer.set(name, value) == Ok(true)));
        let wanted = ProducerConfig {
            acks: Acks::Leader,
            enable_idempotence: false,
            linger: Duration::from_millis(20),
            max_request_size: 50_000_000,
            ..ProducerConfig::default().codec(Codec::Zstd)
        };
        assert_eq!(producer, wanted);
        let mut consumer = ConsumerConfig::default();
        assert_eq!(consumer.set("partition.assignment.strategy", "range, cooperative-sticky"), Ok(true));
        assert_eq!(consumer.assignors, [Assignor::Range, Assignor::CooperativeSticky]);
        assert_eq!(consumer.set("linger.ms", "5"), Ok(false), "that is a producer's");
    }

    #[test]
    fn where_to_begin_may_be_a_duration_back() {
        let mut consumer = ConsumerConfig::default();
        for (text, ms) in [("PT1H30M", 5_400_000), ("P2DT0.5S", 172_800_500), ("PT0S", 0)] {
            assert_eq!(consumer.set("auto.offset.reset", &format!("by_duration:{text}")), Ok(true));
            assert_eq!(
                consumer.auto_offset_reset,
                OffsetReset::ByDuration(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for wrong in [
            "by_duration",
            "by_duration:",
            "by_duration:1h",
            "by_duration:PT-1S",
            "by_duration:P1W",
            "oldest",
        ] {
            let refused = consumer.set("auto.offset.reset", wrong);
            assert!(matches!(refused, Err(Error::Config { name: "auto.offset.reset", .. })), "{wrong}");
        }
    }

    #[test]
    fn each_codec_has_a_level_of_its_own_whichever_is_set_first() {
        let mut producer = ProducerConfig::default();
        let levels = [("gzip", "1"), ("lz4", "9"), ("zstd", "-7")];
        for (codec, level) in levels {
            assert_eq!(producer.set(&format!("compression.{codec}.level"), level), Ok(true));
        }
        for (codec, level) in levels {
            assert_eq!(producer.set("compression.type", codec), Ok(true));
            let compression = producer.compression_at_level();
            assert_eq!(
                (compression.codec().name(), compression.level().to_string().as_str()),
                (codec, level)
            );
        }
        assert!(producer.set("compression.zstd.level", "high").is_err());
    }

    #[test]
    fn what_is_no_value_is_refused_with_the_name_of_the_setting() {
        let refused = |name: &str, value: &str| match ProducerConfig::default().set(name, value) {
            Err(Error::Config { name: told, .. }) => told == name,
            _ => false,
        };
        for (name, value) in
            [("acks", "2"), ("linger.ms", "5ms"), ("batch.size", "-1"), ("compression.type", "zip")]
        {
            assert!(refused(name, value), "{name}={value}");
        }
    }
}
