//! What a server serves.

use std::collections::BTreeMap;

use kernel::ErrorCode;
use wire::api_table::ApiKey;
use wire::messages::api_versions_response::ApiVersionsResponseView;

use super::Answer;
use crate::{BrokerError, Error};

/// The lowest and highest version of each API.
#[derive(Debug, Default, Clone)]
pub(crate) struct Versions(BTreeMap<i16, (i16, i16)>);

impl Versions {
    /// Reads the answer to a question in `asked`; the inner error is the version to ask in instead.
    pub fn read(answer: &Answer, asked: i16) -> Result<Result<Versions, i16>, Error> {
        let unsupported = ErrorCode::UnsupportedVersion.code().to_be_bytes();
        // Who does not know the version that was asked in answers in the oldest.
        let version = if answer.body().starts_with(&unsupported) { 0 } else { asked };
        let view = ApiVersionsResponseView::decode(answer.body(), version)
            .map_err(|error| answer.nonsense(error))?;
        let ranges = view.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
        let versions = Versions(ranges.collect());
        if view.error_code != ErrorCode::UnsupportedVersion.code() {
            BrokerError::check(view.error_code)?;
            return Ok(Ok(versions));
        }
        match versions.choose(ApiKey::ApiVersions.code(), 0, asked - 1) {
            Some(supported) => Ok(Err(supported)),
            None if asked > 0 => Ok(Err(0)),
            None => Err(BrokerError::new(view.error_code).into()),
        }
    }

    /// The highest version within `min..=max` that the server has.
    pub fn choose(&self, api_key: i16, min: i16, max: i16) -> Option<i16> {
        let (server_min, server_max) = *self.0.get(&api_key)?;
        let version = server_max.min(max);
        (version >= server_min.max(min)).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_that_both_know_is_chosen() {
        let versions = Versions(BTreeMap::from([(3, (4, 9))]));
        assert_eq!(versions.choose(3, 0, 13), Some(9));
        assert_eq!(versions.choose(3, 0, 7), Some(7));
        assert_eq!(versions.choose(3, 0, 3), None);
        assert_eq!(versions.choose(3, 10, 13), None);
        assert_eq!(versions.choose(0, 0, 13), None);
    }
}
