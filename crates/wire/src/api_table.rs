//! The requests there are: one declaration each, taken from `schema/*_request.msg`.

pub use crate::generated::api_table::{APIS, ApiKey};

/// What is fixed about one API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    pub key: ApiKey,
    pub name: &'static str,
    /// The lowest version that can be decoded.
    pub min: i16,
    /// The highest version that is stable.
    pub max: i16,
    /// The version above `max` that is served only where unstable versions are enabled.
    pub unstable: Option<i16>,
    /// The lowest version to advertise. It is below `min` where clients cannot bear the truth.
    pub advertised_min: i16,
    /// The first version with compact lengths and tagged fields, or `NEVER_FLEXIBLE`.
    pub flexible_from: i16,
    pub listeners: Listeners,
    pub note: &'static str,
}

/// Where an API may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listeners {
    pub broker: bool,
    pub controller: bool,
}

impl Api {
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }

    /// Whether the codec knows the version and it is stable.
    pub fn serves(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    pub fn request_header_version(&self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    pub fn response_header_version(&self, version: i16) -> i16 {
        // Who asks for the versions does not know yet whether the answer may be flexible (KIP-511).
        i16::from(self.is_flexible(version) && self.key != ApiKey::ApiVersions)
    }
}

impl ApiKey {
    pub fn code(self) -> i16 {
        self as i16
    }

    pub fn api(self) -> &'static Api {
        lookup(self.code()).expect("every key has a row in the table it is generated from")
    }
}

/// The API with this number, if there is one.
pub fn lookup(key: i16) -> Option<&'static Api> {
    let index = APIS.binary_search_by_key(&key, |api| api.key.code()).ok()?;
    APIS.get(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_is_found_by_its_key() {
        assert_eq!(APIS.len(), 91);
        for api in &APIS {
            assert_eq!(lookup(api.key.code()), Some(api));
        }
        for retired in [-1, 4, 5, 6, 7, 95, i16::MAX] {
            assert_eq!(lookup(retired), None);
        }
    }

    #[test]
    fn what_clients_must_be_told_differently_is_in_the_table() {
        let produce = ApiKey::Produce.api();
        assert_eq!((produce.advertised_min, produce.min, produce.max), (0, 3, 13));
        let init_producer_id = ApiKey::InitProducerId.api();
        assert_eq!((init_producer_id.max, init_producer_id.unstable), (5, Some(6)));
        assert!(!ApiKey::SaslHandshake.api().is_flexible(1));
        assert_eq!(ApiKey::ApiVersions.api().response_header_version(5), 0);
        assert_eq!(ApiKey::ApiVersions.api().request_header_version(5), 2);
        assert!(!ApiKey::Vote.api().listeners.broker);
    }
}
