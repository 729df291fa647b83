//! The workloads that produce, each shape declared once.

use super::load::Pace;

/// A load to put on each side.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    pub id: &'static str,
    pub shape: &'static str,
    pub connections: usize,
    pub pace: Pace,
    pub partitions: i32,
    /// Records in a batch.
    pub records: usize,
    pub value_bytes: usize,
    /// Whether one request has a batch for every partition, or for one.
    pub every_partition: bool,
    pub idempotent: bool,
    /// Whether a record is synced before it is acknowledged (`flush.messages=1`).
    pub flushed: bool,
    /// Whether a consumer follows.
    pub consumed: bool,
}

/// What the others are varied from.
pub const PLAIN: Workload = Workload {
    id: "",
    shape: "",
    connections: 4,
    pace: Pace::InFlight(4),
    partitions: 12,
    records: 1,
    value_bytes: 100,
    every_partition: false,
    idempotent: false,
    flushed: false,
    consumed: false,
};

/// Values of 1,024 bytes, with what a record and a batch add just below the size in the name.
const W1: Workload = Workload { id: "W1", value_bytes: 1024, ..PLAIN };
const W2: Workload = Workload { id: "W2", connections: 64, partitions: 64, idempotent: true, ..PLAIN };
const W6: Workload = Workload { id: "W6", connections: 8, pace: Pace::PerSecond(5000), ..PLAIN };
/// Four values of 999 bytes are a batch just below 4 KiB.
const W7: Workload = Workload {
    id: "W7",
    connections: 16,
    partitions: 128,
    records: 4,
    value_bytes: 999,
    flushed: true,
    ..PLAIN
};

pub const WORKLOADS: &[Workload] = &[
    Workload { shape: "16 KiB batches", records: 15, ..W1 },
    W1_64_KIB,
    Workload { shape: "1 MiB batches", records: 1014, ..W1 },
    Workload { shape: "1 in flight", pace: Pace::InFlight(1), ..W2 },
    Workload { shape: "5 in flight", pace: Pace::InFlight(5), ..W2 },
    Workload { shape: "as it is", ..W6 },
    Workload { shape: "synced", flushed: true, ..W6 },
    Workload { shape: "with a consumer", consumed: true, ..W6 },
    Workload { shape: "as fast as it goes", pace: Pace::InFlight(8), ..W7 },
    Workload { shape: "2,000 batches a second", pace: Pace::PerSecond(2000), ..W7 },
    Workload {
        shape: "all partitions in each request",
        connections: 1,
        pace: Pace::InFlight(1),
        every_partition: true,
        ..W7
    },
];

/// What a broker is under for W12 as well.
pub const W1_64_KIB: Workload = Workload { shape: "64 KiB batches", records: 63, ..W1 };

/// What a broker is killed under.
pub const W16: Workload = Workload { id: "W16", shape: "64 KiB batches", partitions: 1000, ..W1_64_KIB };

impl Workload {
    /// What is sent, in words.
    pub fn what(&self) -> String {
        let Self { connections, partitions, records, value_bytes, .. } = self;
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let pace = match self.pace {
            Pace::InFlight(count) => format!("{count} request{} in flight each", plural(count)),
            Pace::PerSecond(rate) => {
                format!("{rate} requests a second in all, latency from the intended start")
            }
        };
        let whole = if self.every_partition { ", a batch for each in every request" } else { "" };
        let producers = if self.idempotent { ", idempotent producers" } else { "" };
        let synced = if self.flushed { ", `flush.messages=1`" } else { "" };
        let consumer = if self.consumed { ", one consumer at the tail of all partitions" } else { "" };
        format!(
            "batches of {records} record{} of {value_bytes} bytes, {connections} connection{} with {pace}, \
             {partitions} partitions{whole}, acks=1{producers}{synced}{consumer}",
            plural(*records),
            plural(*connections),
        )
    }

    pub fn is_open(&self) -> bool {
        matches!(self.pace, Pace::PerSecond(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::frames::Payload;

    #[test]
    fn batches_of_w1_and_w7_are_just_below_the_size_in_their_name() {
        for (workload, size) in WORKLOADS.iter().filter(|one| one.id == "W1").zip([16, 64, 1024]) {
            let batch = Payload::new(workload.records, workload.value_bytes, false).unwrap().len();
            assert!((size * 1024 * 9 / 10..=size * 1024).contains(&batch), "{}: {batch}", workload.shape);
        }
        let batch = Payload::new(W7.records, W7.value_bytes, false).unwrap().len();
        assert!((4000..=4096).contains(&batch), "{batch}");
    }
}
