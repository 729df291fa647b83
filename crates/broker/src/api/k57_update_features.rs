//! UpdateFeatures (key 57), versions 0 to 2.
//!
//! 1 kinds of upgrades, and a dry run (KIP-778) · 2 no results by feature: all are updated or none

use std::sync::Arc;

use kernel::ErrorCode;
use metadata::controller::{FeatureUpdate, UpdateFeatures, UpgradeType, features, update_features};
use tracing::{error, info};
use wire::messages::update_features_request::{FeatureUpdateKeyView, UpdateFeaturesRequestView};
use wire::messages::update_features_response::{UpdatableFeatureResult, UpdateFeaturesResponse};

use crate::node::Node;
use crate::quorum;
use crate::request::{Handled, Request};
use crate::told::{told, undecided, within};

/// The last version that tells a result for each feature.
const RESULTS_BY_FEATURE: i16 = 1;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = UpdateFeaturesRequestView::decode(request.body(), request.version)?;
    let version = request.version;
    let min_in_sync = node.options().effective().number("min.insync.replicas");
    let command = UpdateFeatures {
        updates: asked.feature_updates.iter().map(|update| feature_update(update, version)).collect(),
        validate_only: version >= 1 && asked.validate_only,
        controller: node.id,
        supported: features::SERVED,
        min_in_sync_replicas: i32::try_from(min_in_sync).unwrap_or(1),
        voters_known: quorum::itself(&node).is_some(),
    };
    let change = async {
        let decided = node.change(|image, _| update_features(image, &command)).await?;
        if decided.is_ok() && !command.validate_only && command.names_voters() {
            name_voters(&node).await?;
        }
        Ok(decided)
    };
    let result = within(asked.timeout_ms, change).await.unwrap_or_else(|code| Err(undecided(code)));
    if result.is_ok() && !command.validate_only {
        for update in &command.updates {
            info!(feature = %update.name, level = update.level, "feature updated");
        }
    }
    let (error_code, error_message) = told(&result);
    let each = command.updates.iter().filter(|_| result.is_ok() && version <= RESULTS_BY_FEATURE);
    let results = each.map(|update| UpdatableFeatureResult {
        feature: update.name.clone(),
        error_code: ErrorCode::None.code(),
        // Kafka gives the code's name where nothing is wrong, too.
        error_message: Some(ErrorCode::None.name().to_owned()),
    });
    request.reply(&UpdateFeaturesResponse {
        error_code,
        error_message,
        results: results.collect(),
        ..UpdateFeaturesResponse::default()
    })
}

/// Says in the log who the voters are, if it does not yet. That goes on where nobody waits for it any longer: what is in the
/// log has to come into the image.
async fn name_voters(node: &Arc<Node>) -> Result<(), ErrorCode> {
    let Some(voters) = quorum::itself(node) else { return Ok(()) };
    let node = Arc::clone(node);
    let named = host::task::spawn(async move { node.controller.found_quorum(&voters).await });
    match named.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(problem)) => {
            error!(%problem, "the voters cannot be named");
            Err(ErrorCode::KafkaStorageError)
        }
        // It is given up only with the whole process.
        Err(_) => Err(ErrorCode::BrokerNotAvailable),
    }
}

fn feature_update(update: FeatureUpdateKeyView<'_>, version: i16) -> FeatureUpdate {
    let upgrade_type = match version {
        0 if update.allow_downgrade => UpgradeType::SafeDowngrade,
        0 => UpgradeType::Upgrade,
        _ => UpgradeType::from_number(update.upgrade_type),
    };
    FeatureUpdate { name: update.feature.to_owned(), level: update.max_version_level, upgrade_type }
}
