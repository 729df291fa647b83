//! `riverrun format`: settles a cluster's id and first features before a node's first start, as Kafka's
//! `kafka-storage.sh format`.

use std::path::Path;
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
use super::start::refused;
use crate::print::{Output, note};

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
    for warning in options.fixed().warnings() {
        note(&format!("warning: {warning}"));
    }
    let config = options.broker_config();
    let config = config.map_err(|error| with_option(Failure::wrong_use(error.to_string()), &error.name))?;
    let disk: Arc<dyn Disk> = match RealDisk::new() {
        Ok(disk) => Arc::new(disk),
        Err(error) => return Err(refused("the disk threads cannot be started", error)),
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
    let mut output = output(&wanted, drawn, version, &formatted);
    for tight in
        formatted.iter().filter_map(|dir| no_room(&*disk, &dir.path, config.background.journal_bytes))
    {
        output = output.hint(tight);
    }
    output.print(form).map_err(Failure::from)
}

/// What the first start will want and not find. There is time to make room, so that this is no failure.
fn no_room(disk: &dyn Disk, dir: &Path, journal_bytes: u64) -> Option<String> {
    // A directory that is not there yet is on the disk of the one above it.
    let usable = dir.ancestors().find_map(|dir| disk.space(dir).ok())?.usable;
    (usable < journal_bytes).then(|| {
        format!(
            "the first start takes {journal_bytes} bytes in {} for the journal (log.journal.bytes), and {usable} are free there",
            dir.display()
        )
    })
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
    let message = error.to_string();
    match error {
        FormatError::ClusterId(_) => Failure::wrong_use(message)
            .next("leave --cluster-id out to have one drawn, or give the one of the cluster, as Mk3OEYBSD34fcwNTJENDQA"),
        FormatError::NotServed { .. } => Failure::wrong_use(message)
            .next("leave --feature out to begin with all that this release serves, or name a level that is served"),
        FormatError::QuorumVersion(level) => Failure::wrong_use(message)
            .next(format!("give --feature kraft.version={level}, or leave it out: it follows from the configuration")),
        FormatError::VersionTwice => Failure::wrong_use(message)
            .next("keep one of --release-version and --feature metadata.version"),
        FormatError::Storage(error) => Failure::failed(message).next(storage_next(&error)),
        FormatError::Option(error) => with_option(Failure::wrong_use(message), &error.name),
        FormatError::Formatted(_) => Failure::failed(message)
            .next("`riverrun start` takes it as it is; --ignore-formatted formats those that are not yet"),
        FormatError::Other { node, cluster, .. } => Failure::failed(message).next(format!(
            "leave the directory out of log.dirs; or, if it belongs here, give --cluster-id {cluster} and --set node.id={node}"
        )),
        FormatError::Records(_) => Failure::failed(message)
            .next("name an older release with --release-version, or fewer of --feature"),
    }
}
