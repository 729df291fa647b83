//! Other levels for the features of a cluster.

use wire::messages::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};

use super::Admin;
use crate::config::millis;
use crate::{BrokerError, Error};

/// Another level for a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureUpdate {
    /// As Kafka names it: `metadata.version`, `group.version` and so on.
    pub name: String,
    /// 0 turns it off.
    pub level: i16,
    /// Where the level may be lower than the one before.
    pub allowed: FeatureChange,
}

/// How far a level may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureChange {
    /// Only to a higher level.
    Upgrade,
    /// Only to a lower level at which nothing is lost.
    SafeDowngrade,
    /// Only to a lower level, also where metadata is lost. Kafka and Riverrun refuse that loss for `metadata.version` all
    /// the same. Needs Kafka 3.3.
    UnsafeDowngrade,
}

/// The version from which a downgrade says of which kind it is.
const KINDS_FROM: i16 = 1;

impl Admin {
    /// Changes levels of features, all or none; with `validate_only`, only says whether that could be, which needs Kafka
    /// 3.3. The brokers know of it a moment later.
    ///
    /// # Errors
    /// `INVALID_UPDATE_VERSION` for a level that cannot be, or not by such a change. `FEATURE_UPDATE_FAILED` where a broker
    /// or a controller does not support it: bring that up to date first. `CLUSTER_AUTHORIZATION_FAILED` without `Alter` of the
    /// cluster.
    pub async fn update_features(&self, updates: &[FeatureUpdate], validate_only: bool) -> Result<(), Error> {
        let connection = self.client.any().await?;
        let version = connection.version::<UpdateFeaturesRequest>()?;
        let is_unsafe = |update: &FeatureUpdate| update.allowed == FeatureChange::UnsafeDowngrade;
        if version < KINDS_FROM && (validate_only || updates.iter().any(is_unsafe)) {
            let address = connection.address().to_owned();
            return Err(Error::Unsupported {
                address,
                api: "UpdateFeatures with trials and unsafe downgrades",
            });
        }
        let request = UpdateFeaturesRequest {
            timeout_ms: millis(self.client.config().request_timeout),
            feature_updates: updates.iter().map(|update| update_key(update, version)).collect(),
            validate_only,
        };
        let answer = connection.ask_in(&request, version, connection.request_timeout()).await?;
        for result in answer.results {
            BrokerError::check(result.error_code).map_err(|error| {
                let words = result.error_message.unwrap_or_default();
                error.message(Some(format!("{}: {words}", result.feature)))
            })?;
        }
        BrokerError::check(answer.error_code)
            .map_err(|error| Error::from(error.message(answer.error_message)))
    }
}

fn update_key(update: &FeatureUpdate, version: i16) -> FeatureUpdateKey {
    const UPGRADE: i8 = 1;
    let key = FeatureUpdateKey {
        feature: update.name.clone(),
        max_version_level: update.level,
        ..Default::default()
    };
    if version < KINDS_FROM {
        return FeatureUpdateKey { allow_downgrade: update.allowed != FeatureChange::Upgrade, ..key };
    }
    let upgrade_type = match update.allowed {
        FeatureChange::Upgrade => UPGRADE,
        FeatureChange::SafeDowngrade => 2,
        FeatureChange::UnsafeDowngrade => 3,
    };
    FeatureUpdateKey { upgrade_type, ..key }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Cluster, metadata};
    use wire::api_table::ApiKey;
    use wire::messages::metadata_request::MetadataRequest;
    use wire::messages::update_features_response::UpdateFeaturesResponse;

    #[tokio::test(start_paused = true)]
    async fn a_downgrade_says_of_which_kind_it_is_where_that_can_be_said() {
        for version in [2, 0] {
            let cluster = Cluster::of_versions([(ApiKey::UpdateFeatures, version)], |asked| {
                match asked.is::<MetadataRequest>() {
                    true => asked.answer(&metadata(1, 1)),
                    false => asked.answer(&UpdateFeaturesResponse::default()),
                }
            });
            let admin = Admin::new(&cluster.client().await);
            let update = |allowed| FeatureUpdate { name: "group.version".to_owned(), level: 0, allowed };
            let safe = admin.update_features(&[update(FeatureChange::SafeDowngrade)], false).await;
            assert_eq!(safe, Ok(()), "version {version}");
            let without_care = admin.update_features(&[update(FeatureChange::UnsafeDowngrade)], false).await;
            let asked = cluster.heard::<UpdateFeaturesRequest>();
            let kinds: Vec<(bool, i8)> = asked
                .iter()
                .map(|(_, request)| &request.feature_updates[0])
                .map(|key| (key.allow_downgrade, key.upgrade_type))
                .collect();
            match version {
                0 => {
                    assert_eq!(kinds, [(true, 1)]);
                    assert!(matches!(without_care, Err(Error::Unsupported { .. })), "{without_care:?}");
                }
                _ => assert_eq!((kinds, without_care), (vec![(false, 2), (false, 3)], Ok(()))),
            }
        }
    }
}
