//! Makes this node what the metadata says: opens the logs of partitions it got, closes those it lost, lets changed options
//! count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kernel::option::Overrides;
use kernel::port::Submission;
use kernel::{ErrorCode, Offset, TopicPartition};
use metadata::controller::Decision;
use metadata::image::{ConfigResource, ConfigResourceType};
use metadata::{Delta, Image, LocalReplica};
use storage::{Log, LogConfig, OpenParams, Rest, StorageError};
use tracing::{error, info, warn};

use crate::controller::Deciding;
use crate::dirs::Dir;
use crate::groups::OFFSETS_TOPIC;
use crate::node::Node;
use crate::partition::{Partition, World};
use crate::settings::{self, LastTopic};
use crate::slot::Slot;

/// What the log of a partition is begun with.
#[derive(Clone, Copy)]
pub(crate) enum Begin<'a> {
    /// Its files, if there are any.
    Files(OpenParams),
    /// What was remembered of it, in this directory.
    Rest(&'a Dir, Rest),
}

impl Node {
    /// Changes the cluster's facts, and this node with them.
    ///
    /// A change that has begun is made even where nobody waits for it any longer: a client that hangs up must not leave
    /// records in the log that are not in the image.
    pub async fn change<R>(
        self: &Arc<Self>,
        decide: impl FnOnce(&Image, Deciding) -> Decision<R>,
    ) -> Result<R, ErrorCode> {
        let (change, reply) = self.controller.decide(decide).await?;
        if let Some(change) = change {
            let node = Arc::clone(self);
            let made = host::task::spawn(async move {
                // A topic may have thousands of partitions to open.
                let apply = |delta: &Delta, image: &Arc<Image>| host::task::long(|| node.apply(delta, image));
                node.controller.finish(change, apply).await?;
                node.tell_cordoned().await;
                Ok(())
            });
            // It is given up only with the whole process.
            made.await.unwrap_or(Err(ErrorCode::BrokerNotAvailable))?;
        }
        Ok(reply)
    }

    pub(crate) fn apply(&self, delta: &Delta, image: &Arc<Image>) {
        let changes = delta.local_changes(self.id);
        let configs: Vec<ConfigResource> = delta.configs().cloned().collect();
        if configs.iter().any(|resource| resource.kind == ConfigResourceType::Broker) {
            self.reread_options(image);
            self.apply_topic_settings(image, |_| true);
        } else {
            self.apply_topic_settings(image, |topic| configs.contains(&ConfigResource::topic(topic)));
        }
        let mut deleted = BTreeMap::new();
        let mut cleaned = Vec::new();
        for replica in &changes.removed {
            cleaned.extend(self.remove(replica).filter(|gone| gone.glance().cleaned_to > Offset::ZERO));
            deleted.insert(Arc::clone(&replica.topic), replica.topic_id);
        }
        if !cleaned.is_empty()
            && let Err(problem) = self.dirs.keep_cleaned(&self.hosted.partitions(), &cleaned)
        {
            // The next topic of that name would count as cleaned.
            warn!(%problem, "the cleaner's checkpoint still names deleted partitions");
        }
        let mut settings = LastTopic::default();
        for replica in &changes.led {
            self.lead(replica, image, OpenParams { clean: true, ..OpenParams::default() }, &mut settings);
        }
        let offsets = image.topic(OFFSETS_TOPIC).map_or(0, |topic| topic.partitions.len());
        self.groups.set_partitions(i32::try_from(offsets).unwrap_or(i32::MAX));
        if !deleted.is_empty() {
            let gone = deleted.iter().filter(|(name, _)| image.topic(name).is_none());
            let topics: Vec<_> = gone.map(|(name, id)| (&**name, *id)).collect();
            self.groups.topics_deleted(&topics);
        }
    }

    /// Leads a partition from now on, opening its log if it is not open.
    pub(crate) fn lead(
        &self,
        replica: &LocalReplica,
        image: &Image,
        params: OpenParams,
        settings: &mut LastTopic,
    ) {
        if let Some(partition) = self.open(replica, image, Begin::Files(params), settings) {
            self.coordinate(&partition);
        }
    }

    /// Coordinates the groups of a partition of the offsets topic.
    pub(crate) fn coordinate(&self, partition: &Arc<Partition>) {
        if *partition.topic == *OFFSETS_TOPIC {
            self.groups.lead(partition);
        }
    }

    /// Opens the log of a partition that this node leads. Returns the partition if it was not open.
    pub(crate) fn open(
        &self,
        replica: &LocalReplica,
        image: &Image,
        begin: Begin<'_>,
        settings: &mut LastTopic,
    ) -> Option<Arc<Partition>> {
        let epoch = replica.partition.leader_epoch;
        let known = self.hosted.by_id(replica.topic_id).and_then(|topic| topic.partition(replica.index));
        if let Some(partition) = known {
            partition.set_leader_epoch(epoch);
            return None;
        }
        if self.hosted.is_offline(replica.topic_id, replica.index) {
            // It needs the recovery of a start, and what the journal has for it.
            return None;
        }
        let (config, rules) = settings.of(self, image, &replica.topic);
        match self.open_slot(replica, image, begin, config) {
            Ok((slot, dir)) => {
                dir.opened();
                let name = (Arc::clone(&replica.topic), replica.topic_id, replica.index);
                let world = World {
                    disk: Arc::clone(&self.disk),
                    clock: Arc::clone(&self.clock),
                    journal: Arc::clone(&dir.journal),
                    log_dir: Arc::clone(dir.path()),
                    awake: Arc::clone(&self.awake),
                };
                let partition = Partition::new(slot, name, epoch, rules, world);
                partition.begin_chores();
                self.hosted.add(Arc::clone(&partition));
                Some(partition)
            }
            Err(problem) => {
                self.hosted.add_offline(replica.topic_id, replica.index);
                error!(topic = %replica.topic, partition = replica.index, %problem, "the partition is offline");
                None
            }
        }
    }

    fn open_slot<'a>(
        &'a self,
        replica: &LocalReplica,
        image: &Image,
        begin: Begin<'a>,
        config: Arc<LogConfig>,
    ) -> Result<(Slot, &'a Dir), StorageError> {
        let params = match begin {
            Begin::Rest(dir, rest) => return Ok((Slot::resting(config, rest), dir)),
            Begin::Files(params) => params,
        };
        let partition = TopicPartition::new(Arc::clone(&replica.topic), replica.index);
        let folder = partition.to_string();
        // Where the files are already, else where the metadata wants them.
        let holding = self.dirs.iter().find(|dir| self.disk.exists(&dir.dir.path().join(&folder)));
        let Some(dir) = holding else {
            let wanted = replica.partition.directory(self.id);
            let dir = self.dirs.place(wanted, &self.cordoned_directories(image));
            let dir =
                dir.ok_or_else(|| StorageError::offline(Path::new(&folder), "no log directory is left"))?;
            // Files are made when the first record comes.
            return Ok((Slot::resting(config, Rest::unwritten(params.log_start)), dir));
        };
        let now = self.now().wall;
        let disk = Arc::clone(&self.disk);
        let synced_later = !config.write_caching;
        let flush_messages = config.flush_messages;
        let (mut log, report) =
            Log::open(disk, dir.dir.path(), partition, Some(replica.topic_id), config, params, now)?;
        if report.lost_durable || report.segments_dropped > 0 {
            error!(partition = %folder, ?report,
                "records that had been whole are damaged: the log ends before them, and what follows is kept in its folder, \
                 in files that end in .damaged");
        } else if report.is_notable() {
            info!(partition = %folder, ?report, "log recovered");
        }
        let unsynced = log.end_offset().get().saturating_sub(log.recovery_point().get());
        if unsynced >= flush_messages.max(1) && !synced_later {
            // All that is there is given to readers, and then it must stay. Elsewhere that comes with the replay of the
            // journal.
            log.flush(now)?;
        }
        Ok((Slot::opened(log), dir))
    }

    fn remove(&self, replica: &LocalReplica) -> Option<Arc<Partition>> {
        let Some(partition) = self.hosted.remove(replica.topic_id, replica.index) else {
            self.remove_unopened(replica);
            return None;
        };
        if *replica.topic == *OFFSETS_TOPIC {
            self.groups.resign(replica.index);
        }
        let delay = partition.log_config().file_delete_delay_ms;
        match partition.delete(*self.random_uuid().as_bytes()) {
            Ok(path) => {
                if let Some(dir) = self.dirs.iter().find(|dir| dir.dir.path() == partition.log_dir()) {
                    dir.closed();
                }
                let Some(path) = path else { return Some(partition) };
                self.remove_later(path, Duration::from_millis(u64::try_from(delay).unwrap_or(0)));
            }
            Err(problem) => {
                warn!(partition = %partition.name(), %problem, "the files of a deleted partition remain")
            }
        }
        Some(partition)
    }

    /// A partition whose log could not be opened leaves its name to the next topic of that name.
    fn remove_unopened(&self, replica: &LocalReplica) {
        let partition = TopicPartition::new(Arc::clone(&replica.topic), replica.index);
        let folder = partition.to_string();
        for dir in self.dirs.iter().filter(|dir| self.disk.exists(&dir.dir.path().join(&folder))) {
            match dir.dir.set_aside(&partition, *self.random_uuid().as_bytes()) {
                Ok(path) => {
                    warn!(path = %path.display(), "a damaged partition was deleted; its files are kept")
                }
                Err(problem) => warn!(%partition, %problem, "the files of a deleted partition remain"),
            }
        }
    }

    fn remove_later(&self, path: PathBuf, delay: Duration) {
        let disk = Arc::clone(&self.disk);
        let mut stopping = self.stopping();
        host::task::spawn(async move {
            tokio::select! {
                biased;
                // Recovery removes it at the next start.
                () = stopping.wait() => {}
                () = tokio::time::sleep(delay) => {
                    let done = move |result: std::io::Result<()>| {
                        if let Err(error) = result {
                            warn!(%error, "the files of a deleted partition remain");
                        }
                    };
                    disk.submit(Submission::Remove(path), Box::new(done));
                }
            }
        });
    }

    /// The settings of a topic's logs.
    pub fn log_settings(&self, image: &Image, topic: &str) -> kernel::option::LogSettings {
        self.options().log_settings(&topic_overrides(image, topic))
    }

    fn apply_topic_settings(&self, image: &Image, changed: impl Fn(&str) -> bool) {
        let mut settings = LastTopic::default();
        for partition in self.hosted.partitions() {
            if changed(&partition.topic) {
                let (config, rules) = settings.of(self, image, &partition.topic);
                partition.set_log_config(config);
                partition.set_rules(rules);
            }
        }
    }

    /// Takes over the dynamic options of brokers.
    pub(crate) fn reread_options(&self, image: &Image) {
        let cluster = overrides(image, &ConfigResource::all_brokers());
        let own = ConfigResource::new(ConfigResourceType::Broker, self.id.0.to_string());
        let (options, warnings) = self.options().with_dynamic(&cluster, &overrides(image, &own));
        for warning in warnings {
            warn!("{warning}");
        }
        match options.broker_config() {
            Ok(config) => {
                self.groups.reconfigure(settings::group_config(&config));
                self.connections.set_limits(&config.network);
                *self.config.write() = Arc::new(config);
                *self.options.write() = Arc::new(options);
            }
            Err(error) => warn!(%error, "the dynamic options are not used"),
        }
    }
}

/// What is set on a topic.
pub fn topic_overrides(image: &Image, topic: &str) -> Overrides {
    overrides(image, &ConfigResource::topic(topic))
}

/// What is set on a resource.
pub fn overrides(image: &Image, resource: &ConfigResource) -> Overrides {
    image.configs.get(resource).map(|values| values.as_map().clone()).unwrap_or_default()
}
