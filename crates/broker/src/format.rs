//! What may be settled before a node's first start: the cluster's id and the features that it begins with. They are left
//! in the log directories as Kafka's format step leaves them, so that its directories and ours begin in the same way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::Uuid;
use kernel::option::{BrokerConfig, OptionError};
use kernel::port::{Clock, Disk, Entropy};
pub use metadata::MetadataVersion;
use metadata::controller::features::SERVED;
use metadata::controller::{BOOTSTRAP_FEATURES, bootstrap};
use metadata::image::KRAFT_VERSION;
use metadata::log::{MetadataBatch, SnapshotId, encode_snapshot};
use metadata::{Delta, Image};
use storage::{LogDir, MetaProperties, StorageError};

use crate::controller::{BOOTSTRAP_CHECKPOINT, METADATA_FOLDER};
use crate::quorum;
use crate::start::advertised;

/// How a node is to begin.
#[derive(Debug, Clone)]
pub struct Format {
    pub cluster_id: String,
    /// The level of `metadata.version`; the newest one without it.
    pub release: Option<MetadataVersion>,
    /// Levels of other features.
    pub features: Vec<(String, i16)>,
    /// Leave directories alone that are formatted already, instead of refusing.
    pub ignore_formatted: bool,
    /// Only look at what there is, and write nothing.
    pub dry_run: bool,
}

/// Why nothing was formatted.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    #[error(transparent)]
    Option(#[from] OptionError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(
        "{0:?} cannot be the id of a cluster: it has 1 to 64 letters, digits, dots, dashes and underscores"
    )]
    ClusterId(String),
    #[error("{0} is already formatted")]
    Formatted(PathBuf),
    #[error("{path} belongs to node {node} of cluster {cluster}, which is not the one to be formatted")]
    Other { path: PathBuf, node: i32, cluster: String },
    #[error("the feature {name} is not served at level {level}. Served are: {}", served())]
    NotServed { name: String, level: i16 },
    #[error(
        "kraft.version is {0} with this configuration: it is 1 where a controller listens and controller.quorum.voters is not \
         set, so that the log names the voters, and 0 elsewhere"
    )]
    QuorumVersion(i16),
    #[error("metadata.version is named by the release; it cannot be a feature beside it")]
    VersionTwice,
    #[error("the first records cannot be written: {0}")]
    Records(String),
}

fn served() -> String {
    let served = SERVED.iter().map(|feature| format!("{} {}-{}", feature.name, feature.min, feature.max));
    served.collect::<Vec<_>>().join(", ")
}

/// A directory that was formatted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormattedDir {
    pub path: PathBuf,
    /// The one of the metadata log, where the first records wait.
    pub metadata: bool,
}

/// Formats the log directories that are not yet, or says which those are; nothing is written if anything is wrong.
pub fn format(
    config: &BrokerConfig,
    wanted: &Format,
    disk: &Arc<dyn Disk>,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(MetadataVersion, Vec<FormattedDir>), FormatError> {
    check_cluster_id(&wanted.cluster_id)?;
    let (version, features) = levels(wanted, quorum::founding_level(config))?;
    let metadata_dir = Path::new(&config.metadata_log_dir);
    let mut paths: Vec<&Path> = config.log_dirs.iter().map(Path::new).collect();
    if !paths.contains(&metadata_dir) {
        paths.push(metadata_dir);
    }
    let mut fresh = Vec::new();
    for path in paths {
        let (dir, meta) = match wanted.dry_run {
            true => (None, LogDir::look(&**disk, path)?),
            false => {
                let dir = LogDir::lock(Arc::clone(disk), path)?;
                let meta = dir.meta()?;
                (Some(dir), meta)
            }
        };
        match meta {
            None => fresh.push((path, dir)),
            Some(meta) if meta.cluster_id != wanted.cluster_id || meta.node_id != config.node_id.0 => {
                let path = path.to_owned();
                return Err(FormatError::Other { path, node: meta.node_id, cluster: meta.cluster_id });
            }
            Some(_) if wanted.ignore_formatted => {}
            Some(_) => return Err(FormatError::Formatted(path.to_owned())),
        }
    }
    let first_records = first_records(&features, clock)?;
    let mut formatted = Vec::new();
    for (path, dir) in fresh {
        let metadata = path == metadata_dir;
        if let Some(dir) = dir {
            let directory_id = entropy.uuid();
            if metadata {
                dir.write_file(BOOTSTRAP_CHECKPOINT, &first_records)?;
                let folder = Path::new(METADATA_FOLDER);
                // A log that is there names them, or has others.
                let begun = disk.exists(&path.join(folder));
                if let Some((name, voters)) = first_voters(config, directory_id, clock)?.filter(|_| !begun) {
                    dir.write_file(folder.join(name), &voters)?;
                }
            }
            // Last, as it makes the directory a formatted one.
            dir.write_meta(&MetaProperties {
                cluster_id: wanted.cluster_id.clone(),
                node_id: config.node_id.0,
                directory_id,
            })?;
        }
        formatted.push(FormattedDir { path: path.to_owned(), metadata });
    }
    Ok((version, formatted))
}

fn check_cluster_id(id: &str) -> Result<(), FormatError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=64).contains(&id.len()) && id.bytes().all(fits) {
        return Ok(());
    }
    Err(FormatError::ClusterId(id.to_owned()))
}

/// Features by name, with their levels.
type Levels<'a> = Vec<(&'a str, i16)>;

/// The level of `metadata.version`, and those of all features.
fn levels(wanted: &Format, quorum: i16) -> Result<(MetadataVersion, Levels<'_>), FormatError> {
    let mut version = wanted.release;
    let mut levels = Levels::new();
    for (name, level) in &wanted.features {
        let not_served = || FormatError::NotServed { name: name.clone(), level: *level };
        // A feature is off at level 0, and of that every feature is capable that is not served.
        let (min, max) = SERVED.iter().find(|one| one.name == name).map_or((0, 0), |one| (one.min, one.max));
        if !(min..=max).contains(level) {
            return Err(not_served());
        }
        if name == MetadataVersion::FEATURE {
            if version.is_some() {
                return Err(FormatError::VersionTwice);
            }
            version = MetadataVersion::from_level(*level);
        } else if name == KRAFT_VERSION {
            // The quorum's own records say it, at the first start.
            if *level != quorum {
                return Err(FormatError::QuorumVersion(quorum));
            }
        } else {
            levels.push((name, *level));
        }
    }
    let version = version.unwrap_or(MetadataVersion::LATEST);
    let given: Vec<&str> = levels.iter().map(|(name, _)| *name).collect();
    let others = BOOTSTRAP_FEATURES
        .iter()
        .filter(|(name, _)| *name != MetadataVersion::FEATURE && !given.contains(name));
    levels.extend(others);
    levels.push((MetadataVersion::FEATURE, version.0));
    Ok((version, levels))
}

/// The first records of the cluster, in the form of a snapshot.
fn first_records(features: &[(&str, i16)], clock: &dyn Clock) -> Result<Vec<u8>, FormatError> {
    let mut delta = Delta::from_snapshot(&Arc::new(Image::default()));
    // Eligible leader replicas would bring the node's min.insync.replicas with them; they are not served.
    bootstrap(features, 1).iter().for_each(|record| delta.replay(record));
    let pieces = encode_snapshot(&delta.apply(), clock.now().wall);
    pieces.map(|pieces| pieces.concat()).map_err(|error| FormatError::Records(error.to_string()))
}

/// The snapshot before all records that names this node as the only voter, without which Kafka does not go on with the
/// directory, and its name. Nothing where the log does not name them, or where the port is chosen by the first start.
fn first_voters(
    config: &BrokerConfig,
    directory: Uuid,
    clock: &dyn Clock,
) -> Result<Option<(String, Vec<u8>)>, FormatError> {
    let told = advertised(&config.listeners.controller_advertised, &[]);
    if quorum::founding_level(config) == 0 || told.iter().any(|one| one.port == 0) {
        return Ok(None);
    }
    let voters = quorum::alone(config.node_id, directory, &told);
    let Some(voters) = voters else { return Ok(None) };
    let failed = |error: &dyn std::fmt::Display| FormatError::Records(error.to_string());
    let quorum = quorum::first_records(&voters).map_err(|error| failed(&error))?;
    let mut delta = Delta::from_snapshot(&Arc::new(Image::default()));
    let provenance = Image::default().provenance;
    delta.replay_batch(&MetadataBatch { records: Vec::new(), quorum, provenance });
    let image = delta.apply();
    let pieces = encode_snapshot(&image, clock.now().wall).map_err(|error| failed(&error))?;
    Ok(Some((SnapshotId::of(&image).file_name(), pieces.concat())))
}
