//! What there is to say of a setting besides its value.

use client::admin::{ConfigEntry, ConfigResource};

use super::advice::known;
use super::get::{kind, source, type_of};
use super::kind_of;

/// The rest of a setting, for who asks for more.
#[derive(Debug)]
pub struct More {
    /// Who has set it; nothing where nobody tells of it.
    pub source: Option<String>,
    pub kind: &'static str,
    pub does: String,
}

impl More {
    /// Of a setting as it is told by the cluster, or else as this release knows it.
    pub fn of(key: &str, entry: Option<&ConfigEntry>, resource: &ConfigResource) -> More {
        let def = known(key, kind_of(resource));
        let told = entry.and_then(|entry| entry.documentation.as_deref()).unwrap_or_default();
        More {
            source: entry.map(|entry| source(entry.source, resource)),
            kind: match (entry, def) {
                (Some(entry), _) => kind(entry.kind),
                (None, Some(def)) => kind(type_of(def.kind)),
                (None, None) => "unknown",
            },
            // Its own words fit on a line; those of a cluster may be paragraphs.
            does: def.map_or_else(|| told.lines().next().unwrap_or_default(), |def| def.doc).to_owned(),
        }
    }
}
