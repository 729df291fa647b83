//! Makes this node what the metadata says: opens the logs of partitions it got, closes those it lost, lets changed options
//! count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kernel::option::Overrides;
use kernel::port::Submission;
use kernel::{ErrorCode, Offset, TopicPartition};
use metadata::controller::{Decision, DirectoryAssignment};
use metadata::image::{ConfigResource, ConfigResourceType};
use metadata::{Delta, Image, LocalReplica};
use storage::{Log, LogConfig, OpenParams, Rest, StorageError};
use tracing::{error, warn};

use crate::controller::Deciding;
use crate::dirs::Dir;
use crate::groups::OFFSETS_TOPIC;
use crate::node::Node;
use crate::partition::{Partition, World};
use crate::settings::{self, LastTopic};
use crate::slot::{Slot, report_recovery};

/// What the log of a partition is begun with.
#[derive(Clone, Copy)]
pub(crate) enum Begin<'a> {
    /// Nothing: the partition is new.
    New,
    /// The cluster knows the partition. Its files are wherever they are found.
    Known,
    /// The files in this directory.
    Files(&'a Dir, OpenParams),
    /// What was remembered of it, in this directory.
    Rest(&'a Dir, Rest),
    /// The cluster knows the partition, and no directory that can be used has its files.
    Missing,
    /// The same, but that one has a copy that was to take the log's place and may not be whole.
    OnlyCopy(&'a Path),
}

/// What a log is begun with, in a directory.
enum Files {
    There(OpenParams),
    Remembered(Rest),
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
                node.tell_located().await;
                node.tell_cordoned().await;
                Ok(())
            });
            // It is given up only with the whole process.
            made.await.unwrap_or(Err(ErrorCode::BrokerNotAvailable))?;
        }
        Ok(reply)
    }

    /// As [`Node::change`], for a task that will not be given up, and for what opens no logs.
    pub(crate) async fn change_within<R>(
        self: &Arc<Self>,
        decide: impl FnOnce(&Image, Deciding) -> Decision<R>,
    ) -> Result<R, ErrorCode> {
        let (change, reply) = self.controller.decide(decide).await?;
        if let Some(change) = change {
            self.controller.finish(change, |delta, image| self.apply(delta, image)).await?;
        }
        Ok(reply)
    }

    pub(crate) fn apply(&self, delta: &Delta, image: &Arc<Image>) {
        let changes = delta.local_changes(self.id);
        let configs: Vec<ConfigResource> = delta.configs().cloned().collect();
        if configs.iter().any(|resource| resource.kind == ConfigResourceType::Broker) {
            self.reread_options(image);
            self.apply_topic_settings(image, &self.hosted.partitions());
        } else {
            let topics = configs.iter().filter(|resource| resource.kind == ConfigResourceType::Topic);
            for topic in topics.filter_map(|resource| self.hosted.by_name(&resource.name)) {
                self.apply_topic_settings(image, &topic.partitions());
            }
        }
        let mut deleted = BTreeMap::new();
        let (mut cleaned, mut had_records) = (Vec::new(), false);
        for replica in &changes.removed {
            let gone = self.remove(replica);
            had_records |= gone.as_ref().is_some_and(|gone| gone.known().end > Offset::ZERO);
            cleaned.extend(gone.filter(|gone| gone.known().cleaned_to > Offset::ZERO));
            deleted.insert(Arc::clone(&replica.topic), replica.topic_id);
        }
        if !cleaned.is_empty()
            && let Err(problem) = self.dirs.keep_cleaned(&self.hosted.partitions(), &cleaned)
        {
            // The next topic of that name would count as cleaned.
            warn!(%problem, "the cleaner's checkpoint still names deleted partitions");
        }
        if had_records && let Err(problem) = self.dirs.write_checkpoints(&self.hosted.partitions()) {
            // The next topic of that name would count as durable up to there after a crash.
            warn!(%problem, "the checkpoints still name deleted partitions");
        }
        let mut settings = LastTopic::default();
        for replica in &changes.led {
            let begin = if replica.before.is_none() { Begin::New } else { Begin::Known };
            self.lead(replica, image, begin, &mut settings);
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
        begin: Begin<'_>,
        settings: &mut LastTopic,
    ) {
        if let Some(partition) = self.open(replica, image, begin, settings) {
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
        let found = self.find_dir(replica, image, begin);
        let opened = found.map_err(|problem| (problem, None)).and_then(|(dir, files)| {
            let slot = self.open_slot(replica, dir, files, config);
            slot.map(|slot| (slot, dir)).map_err(|problem| (problem, Some(dir.id)))
        });
        let (slot, dir) = match opened {
            Ok(opened) => opened,
            Err((problem, dir)) => {
                self.hosted.add_offline(replica.topic_id, replica.index, dir);
                error!(topic = %replica.topic, partition = replica.index, %problem, "the partition is offline");
                return None;
            }
        };
        dir.opened();
        if replica.partition.directory(self.id) != Some(dir.id) {
            let (topic, partition) = (replica.topic_id, replica.index);
            self.dirs.locate(DirectoryAssignment { topic, partition, directory: dir.id });
        }
        let name = (Arc::clone(&replica.topic), replica.topic_id, replica.index);
        let world = World {
            disk: Arc::clone(&self.disk),
            clock: Arc::clone(&self.clock),
            home: Arc::clone(&dir.home),
            awake: Arc::clone(&self.awake),
        };
        let partition = Partition::new(slot, name, epoch, rules, world);
        partition.begin_chores();
        self.hosted.add(Arc::clone(&partition));
        Some(partition)
    }

    /// The directory for a replica, and what its log there begins with: nothing but what was remembered if it has no files.
    fn find_dir<'a>(
        &'a self,
        replica: &LocalReplica,
        image: &Image,
        begin: Begin<'a>,
    ) -> Result<(&'a Dir, Files), StorageError> {
        let name = TopicPartition::new(Arc::clone(&replica.topic), replica.index);
        let folder = name.to_string();
        match begin {
            Begin::Rest(dir, rest) => return Ok((dir, Files::Remembered(rest))),
            Begin::Files(dir, params) => return Ok((dir, Files::There(params))),
            Begin::New | Begin::Known => {
                // Where the files are already, else where the metadata wants them.
                let holding = self.dirs.online().find(|dir| self.disk.exists(&dir.path().join(&folder)));
                if let Some(dir) = holding {
                    let params = OpenParams { clean: true, ..OpenParams::default() };
                    return Ok((dir, Files::There(params)));
                }
            }
            Begin::Missing => {}
            Begin::OnlyCopy(copy) => {
                let why = "only a copy of it is there, which may not be whole: bring the log directory back that it was \
                           copied from, or delete the topic";
                return Err(StorageError::offline(copy, why));
            }
        }
        let preferred = self.dirs.take_preferred(&name).filter(|_| matches!(begin, Begin::New));
        let wanted = preferred.or_else(|| replica.partition.directory(self.id));
        let cordoned = self.cordoned_directories(image);
        let placed = match begin {
            Begin::New => {
                self.dirs.place(wanted, &cordoned).ok_or_else(|| "no log directory is left".to_owned())
            }
            _ => self.dirs.place_known(wanted, &cordoned),
        };
        let dir = placed.map_err(|why| StorageError::offline(Path::new(&folder), &why))?;
        // Files are made when the first record comes.
        Ok((dir, Files::Remembered(Rest::unwritten(Offset::ZERO))))
    }

    fn open_slot(
        &self,
        replica: &LocalReplica,
        dir: &Dir,
        files: Files,
        config: Arc<LogConfig>,
    ) -> Result<Slot, StorageError> {
        let params = match files {
            Files::Remembered(rest) => return Ok(Slot::resting(config, rest)),
            Files::There(params) => params,
        };
        let partition = TopicPartition::new(Arc::clone(&replica.topic), replica.index);
        let folder = partition.to_string();
        let now = self.now().wall;
        let disk = Arc::clone(&self.disk);
        let synced_later = !config.write_caching;
        let flush_messages = config.flush_messages;
        let (mut log, report) =
            Log::open(disk, dir.path(), partition, Some(replica.topic_id), config, params, now)?;
        report_recovery(&folder, &report);
        let unsynced = log.end_offset().get().saturating_sub(log.recovery_point().get());
        if unsynced >= flush_messages.max(1) && !synced_later {
            // All that is there is given to readers, and then it must stay. Elsewhere that comes with the replay of the
            // journal.
            log.flush(now)?;
        }
        Ok(Slot::opened(log))
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
                if let Some(dir) = self.dirs.of(&partition.home()) {
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
        for dir in self.dirs.online().filter(|dir| self.disk.exists(&dir.dir.path().join(&folder))) {
            match dir.dir.set_aside(&partition, *self.random_uuid().as_bytes()) {
                Ok(path) => {
                    warn!(path = %path.display(), "a damaged partition was deleted; its files are kept")
                }
                Err(problem) => warn!(%partition, %problem, "the files of a deleted partition remain"),
            }
        }
    }

    pub(crate) fn remove_later(&self, path: PathBuf, delay: Duration) {
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

    fn apply_topic_settings(&self, image: &Image, partitions: &[Arc<Partition>]) {
        let mut settings = LastTopic::default();
        for partition in partitions {
            let (config, rules) = settings.of(self, image, &partition.topic);
            partition.set_log_config(config);
            partition.set_rules(rules);
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
