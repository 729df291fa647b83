//! What the operator may set about groups and offsets, as the coordinator needs it.

use std::time::Duration;

/// The options of the group coordinator. The defaults are Kafka's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`
    pub session_timeout_min: Duration,
    /// `group.max.session.timeout.ms`
    pub session_timeout_max: Duration,
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`
    pub group_size_max: usize,
    /// How long a join of a new member may be parked; Kafka does not let it be configured.
    pub new_member_join_timeout: Duration,
    /// `group.consumer.session.timeout.ms`: how long members of groups that are not served here may still come back to
    /// the broker that served them.
    pub foreign_session_timeout: Duration,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_max: usize,
    /// `offsets.retention.minutes`
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`
    pub offsets_retention_check_interval: Duration,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            session_timeout_min: Duration::from_millis(6_000),
            session_timeout_max: Duration::from_millis(1_800_000),
            initial_rebalance_delay: Duration::from_millis(3_000),
            group_size_max: i32::MAX as usize,
            new_member_join_timeout: Duration::from_secs(5 * 60),
            foreign_session_timeout: Duration::from_secs(45),
            offset_metadata_max: 4096,
            offsets_retention: Duration::from_secs(10_080 * 60),
            offsets_retention_check_interval: Duration::from_millis(600_000),
        }
    }
}
