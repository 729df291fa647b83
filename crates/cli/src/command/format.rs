//! `riverrun format`: settles a cluster's id and first features before a node's first start, as Kafka's
//! `kafka-storage.sh format`.

use std::sync::Arc;

use broker::format::{Format as Wanted, FormatError, FormattedDir, MetadataVersion, format};
use clap::Args;
use host::{RealClock, RealDisk, RealEntropy};
use kernel::port::{Disk, Entropy};
use serde_json::json;

use super::Format as Form;
use super::ask::Change;
use super::cannot_start::{storage_next, with_option};
use super::failure::Failure;
use super::settings::Settings;
use crate::print::Output;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun format --config server.properties --cluster-id Mk3OEYBSD34fcwNTJENDQA
  riverrun format --config server.properties --release-version 4.1 --ignore-formatted
  riverrun format --config server.properties --dry-run

Nothing has to be formatted: a node that starts on empty directories draws an id for its cluster and begins with
everything that this release serves. Directories that Kafka's tools have formatted are taken as they are.")]
pub struct Format {
    #[command(flatten)]
    settings: Settings,
    /// The id of the cluster; without it that of directories which are formatted already, or else one is drawn.
    #[arg(long, short = 't', value_name = "ID")]
    cluster_id: Option<String>,
    /// The release whose metadata.version the cluster begins with, as 4.3 or 4.3-IV0; the newest without it.
    #[arg(long, short, value_name = "RELEASE", value_parser = release)]
    release_version: Option<MetadataVersion>,
    /// The level of another feature; may be given several times.
    #[arg(long, short, value_name = "NAME=LEVEL", value_parser = feature)]
    feature: Vec<(String, i16)>,
    /// Leave directories alone that are formatted already.
    #[arg(long, short = 'g')]
    ignore_formatted: bool,
    /// Begin as the only controller. Every node of this release does, with this word or without it.
    #[arg(long, short)]
    standalone: bool,
    #[command(flatten)]
    change: Change,
}

fn release(text: &str) -> Result<MetadataVersion, String> {
    MetadataVersion::from_release(text).ok_or_else(|| {
        let name = |version: MetadataVersion| version.release().unwrap_or_default();
        let (oldest, latest) = (name(MetadataVersion::OLDEST), name(MetadataVersion::LATEST));
        format!("releases from {oldest} to {latest} are known")
    })
}

fn feature(text: &str) -> Result<(String, i16), String> {
    let (name, level) = text.split_once('=').ok_or("a name, an equals sign and a level are expected")?;
    let level =
        level.trim().parse().map_err(|_| format!("{level:?} is not a level: a number is expected"))?;
    Ok((name.trim().to_owned(), level))
}

pub fn run(asked: Format, form: Form) -> Result<(), Failure> {
    let options = asked.settings.read()?;
    let config = options.broker_config();
    let config = config.map_err(|error| with_option(Failure::wrong_use(error.to_string()), &error.name))?;
    let disk: Arc<dyn Disk> = match RealDisk::new() {
        Ok(disk) => Arc::new(disk),
        Err(error) => return Err(Failure::failed(format!("the disk threads cannot be started: {error}"))),
    };
    let (drawn, dry_run) = (asked.cluster_id.is_none(), asked.change.dry_run);
    let mut wanted = Wanted {
        cluster_id: asked.cluster_id.unwrap_or_else(|| RealEntropy.uuid().to_string()),
        release: asked.release_version,
        features: asked.feature,
        ignore_formatted: asked.ignore_formatted,
        dry_run,
    };
    let mut outcome = format(&config, &wanted, &disk, &RealClock::new(), &RealEntropy);
    if let (true, Err(FormatError::Other { node, cluster, .. })) = (drawn, &outcome)
        && *node == config.node_id.0
    {
        // Who names no id means the cluster that is there.
        wanted.cluster_id.clone_from(cluster);
        outcome = format(&config, &wanted, &disk, &RealClock::new(), &RealEntropy);
    }
    let (version, formatted) = outcome.map_err(failure)?;
    output(&wanted, drawn, version, &formatted).print(form).map_err(Failure::from)
}

/// What was done, or would be.
fn output(wanted: &Wanted, drawn: bool, version: MetadataVersion, formatted: &[FormattedDir]) -> Output {
    let dry_run = wanted.dry_run;
    // Who lets it be drawn gets another one when it is done.
    let is_settled = !dry_run || !drawn || formatted.is_empty();
    let release = version.release().unwrap_or_default();
    let dir =
        |dir: &FormattedDir| json!({ "path": dir.path.display().to_string(), "metadata": dir.metadata });
    let value = json!({
        "cluster_id": is_settled.then_some(&wanted.cluster_id),
        "metadata_version": release,
        "formatted": formatted.iter().map(dir).collect::<Vec<_>>(),
        "dry_run": dry_run,
    });
    let mut output = Output::new(value).names(formatted.iter().map(|dir| dir.path.display().to_string()));
    for dir in formatted {
        let kind = if dir.metadata { "metadata" } else { "data" };
        let path = dir.path.display();
        output = output.line(match dry_run {
            true => format!("Would format {kind} directory {path} with metadata.version {release}."),
            false => format!("Formatted {kind} directory {path} with metadata.version {release}."),
        });
    }
    let output = output.line(match (formatted.is_empty(), is_settled) {
        (true, _) => "All of the log directories are already formatted.".to_owned(),
        (false, true) if dry_run => format!("The id of the cluster would be {}.", wanted.cluster_id),
        (false, true) => format!("The id of the cluster is {}.", wanted.cluster_id),
        (false, false) => "The id of the cluster would be drawn.".to_owned(),
    });
    if dry_run { output.hint("nothing was written (--dry-run)") } else { output }
}

fn failure(error: FormatError) -> Failure {
    match error {
        FormatError::ClusterId(_)
        | FormatError::NotServed { .. }
        | FormatError::QuorumVersion(_)
        | FormatError::VersionTwice => Failure::wrong_use(error.to_string()),
        FormatError::Storage(error) => Failure::failed(error.to_string()).next(storage_next(&error)),
        other => Failure::failed(other.to_string()),
    }
}
