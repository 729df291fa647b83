//! What is measured: each figure declared once, with its name, its unit and which way is better.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Higher,
    Lower,
}
use Better::{Higher, Lower};

macro_rules! metrics {
    ($($name:ident, $title:literal, $digits:literal, $better:expr;)*) => {
        /// A figure of a run. Tables show them in this order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Metric {
            $($name,)*
        }

        impl Metric {
            fn declared(self) -> (&'static str, usize, Better) {
                match self {
                    $(Metric::$name => ($title, $digits, $better),)*
                }
            }
        }
    };
}

metrics! {
    RecordsPerCpuSecond, "records per CPU-s",            0, Higher;
    MbPerCpuSecond,     "MB per CPU-s",                  0, Higher;
    CpuUsPerRequest,    "CPU us per request",            1, Lower;
    MbPerSecond,        "MB/s",                          0, Higher;
    RequestsPerSecond,  "requests/s",                    0, Higher;
    RecordsPerSecond,   "records/s",                     0, Higher;
    P50Us,              "p50 us",                        0, Lower;
    P99Us,              "p99 us",                        0, Lower;
    P999Us,             "p99.9 us",                      0, Lower;
    ConsumedP50Us,      "consumed p50 us",               0, Lower;
    ConsumedP99Us,      "consumed p99 us",               0, Lower;
    ConsumedP999Us,     "consumed p99.9 us",             0, Lower;
    ReadMbPerSecond,    "cold read MB/s",                0, Higher;
    AloneP99Us,         "p99 us without the reader",     0, Lower;
    P99Times,           "p99, times that without",       1, Lower;
    ResidentMb,         "resident MB",                   0, Lower;
    MostResidentMb,     "most resident MB",              0, Lower;
    CreateSeconds,      "create, s",                     2, Lower;
    PartitionKib,       "resident KiB per partition",    1, Lower;
    IdleCpuPercent,     "idle CPU, % of a core",         1, Lower;
    StopSeconds,        "stop, s",                       2, Lower;
    EmptyStartMs,       "first ack, empty, ms",          0, Lower;
    CleanStartMs,       "first ack after a stop, ms",    0, Lower;
    CrashStartMs,       "first ack after kill -9, ms",   0, Lower;
    AllServedMs,        "all partitions, ms",            0, Lower;
    IdleMb,             "idle, resident MB",             1, Lower;
    LoadedMb,           "under W1, most resident MB",    0, Lower;
    BinaryMb,           "binary MB",                     1, Lower;
}

impl Metric {
    pub fn title(self) -> &'static str {
        self.declared().0
    }

    pub fn digits(self) -> usize {
        self.declared().1
    }

    /// How many times better one value is than another.
    pub fn times_better(self, one: f64, other: f64) -> f64 {
        match self.declared().2 {
            Higher => one / other,
            Lower => other / one,
        }
    }
}
