//! The kinds of fault.

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A process ends without a word; what it has written stays.
    Crash,
    /// A host ends; only what was synced is sure to stay.
    PowerCut,
    /// A process, or its host, ends in the middle of a change of its disk.
    HaltedWrite,
    /// A process ends in order, and starts again.
    Stop,
    /// A process stands still for a while.
    Pause,
    FailedSync,
    FailedWrite,
    FullDisk,
    SlowDisk,
    /// A disk gets very slow, clients lose their connections and ask again, and in the middle of it the host may go down:
    /// what was written a moment ago is asked for before it is durable.
    DyingDisk,
    /// Everything on the network takes long, and connections overtake each other.
    Delay,
    /// Segments are lost, and sent again.
    Loss,
    /// Connections end, in the middle of anything.
    Reset,
    /// A node and some of its clients cannot reach each other.
    Partition,
    /// The same in one direction.
    OneWay,
    /// The wall clock of a host is set wrong.
    ClockJump,
    /// A client ends without a word.
    ClientCrash,
    /// A client stands still, perhaps for longer than its session lasts.
    ClientPause,
}

impl Kind {
    pub const ALL: &[Self] = &[
        Self::Crash,
        Self::PowerCut,
        Self::HaltedWrite,
        Self::Stop,
        Self::Pause,
        Self::FailedSync,
        Self::FailedWrite,
        Self::FullDisk,
        Self::SlowDisk,
        Self::DyingDisk,
        Self::Delay,
        Self::Loss,
        Self::Reset,
        Self::Partition,
        Self::OneWay,
        Self::ClockJump,
        Self::ClientCrash,
        Self::ClientPause,
    ];
}
