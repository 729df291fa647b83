//! Tells whoever follows a topic that the cluster is gone, and that it is back: the client goes on trying without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use client::{Admin, Client, ErrorCode, NodeId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Session;
use super::failure::{look_where_advertised, of_broker};
use crate::print::note;
use crate::print::text::visible;

/// How often it is looked whether the cluster is there, and how long it may take to answer.
const LOOK: Duration = Duration::from_secs(5);

/// How often in a row a topic is not there until it counts as deleted: a cluster that begins may not know it yet.
const MISSED: u32 = 2;

/// How long a broker is tried in vain until that is told: one that is there again so soon, as after a restart, held up nobody.
const IN_VAIN: Duration = Duration::from_secs(3);

/// Looks after the cluster until it is dropped.
#[derive(Debug)]
pub struct Watch {
    task: JoinHandle<()>,
    topics: watch::Sender<BTreeSet<String>>,
    deleted: Option<mpsc::Receiver<String>>,
    /// Since when no broker answers, if none does.
    gone: watch::Receiver<Option<Instant>>,
}

impl Watch {
    /// Looks after the cluster, and after some of its topics.
    pub fn begin(session: &Session, topics: Vec<String>) -> Watch {
        let (client, admin, place) =
            (session.client.clone(), session.admin.clone(), session.place.to_string());
        // Each of them is told once.
        let (tell, deleted) = mpsc::channel(topics.len().max(1));
        let (topics, looked_after) = watch::channel(topics.into_iter().collect());
        let (tell_gone, gone) = watch::channel(None);
        let task = tokio::spawn(look(client, admin, place, looked_after, tell, tell_gone));
        Watch { task, topics, deleted: Some(deleted), gone }
    }

    /// Looks after these topics from now on as well.
    pub fn look_after<'t>(&self, topics: impl Iterator<Item = &'t str>) {
        self.topics.send_if_modified(|known| {
            let before = known.len();
            for topic in topics {
                if !known.contains(topic) {
                    known.insert(topic.to_owned());
                }
            }
            known.len() > before
        });
    }

    /// Says of a topic that is gone what else [`Watch::deleted`] would return.
    pub fn only_tell(&mut self) {
        if let Some(mut deleted) = self.deleted.take() {
            while let Ok(topic) = deleted.try_recv() {
                was_deleted(&topic);
            }
        }
    }

    /// For who waits no longer than some time for a broker.
    pub fn silence(&self) -> Silence {
        Silence(self.gone.clone())
    }

    /// Waits until one of the topics is gone that was not told of before; returns which.
    pub async fn deleted(&mut self) -> String {
        if let Some(deleted) = &mut self.deleted
            && let Some(topic) = deleted.recv().await
        {
            return topic;
        }
        // Nobody wants to know, or nobody looks any more.
        std::future::pending().await
    }
}

/// Whether any broker answers.
#[derive(Debug)]
pub struct Silence(watch::Receiver<Option<Instant>>);

impl Silence {
    /// Waits until none has answered for so long.
    pub async fn lasts(&mut self, time: Duration) {
        loop {
            let since = *self.0.borrow_and_update();
            let over = async {
                match since {
                    Some(since) => tokio::time::sleep_until(since + time).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return,
                changed = self.0.changed() => match changed {
                    Ok(()) => {}
                    // Nobody looks any more.
                    Err(_) => std::future::pending().await,
                },
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(
    client: Client,
    admin: Admin,
    place: String,
    topics: watch::Receiver<BTreeSet<String>>,
    tell: mpsc::Sender<String>,
    tell_gone: watch::Sender<Option<Instant>>,
) {
    let mut gone = false;
    let mut unreachable = BTreeSet::new();
    let mut told: BTreeSet<String> = BTreeSet::new();
    let mut missed: BTreeMap<String, u32> = BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let answered = tokio::time::timeout(LOOK, admin.describe_cluster()).await;
        let there = matches!(answered, Ok(Ok(_)));
        if there == gone {
            gone = !there;
            tell_gone.send_replace(gone.then(Instant::now));
            note(&match gone {
                true => format!("no broker answers at {place}; waiting for one, Ctrl-C ends"),
                false if place.contains(',') => format!("one of {place} answers again"),
                false => format!("{place} answers again"),
            });
        }
        if gone {
            continue;
        }
        tell_unreachable(&client, &mut unreachable);
        let mut deleted = Vec::new();
        // Also what is gone is asked for: when it is made anew, the client knows of it, and whoever reads it goes on.
        let wanted: Vec<String> = topics.borrow().iter().cloned().collect();
        for name in &wanted {
            let Ok(described) = tokio::time::timeout(LOOK, admin.describe_topic(name)).await else {
                break;
            };
            let code = described.err().and_then(|error| error.code());
            if code != Some(ErrorCode::UnknownTopicOrPartition) {
                missed.remove(name);
                told.remove(name);
                continue;
            }
            let times = missed.entry(name.clone()).or_default();
            *times = times.saturating_add(1);
            if *times >= MISSED && !told.contains(name) {
                deleted.push(name.clone());
            }
        }
        for name in deleted {
            told.insert(name.clone());
            // Whoever does not wait for it is told as others are.
            if let Err(untold) = tell.try_send(name) {
                was_deleted(&untold.into_inner());
            }
        }
    }
}

fn was_deleted(topic: &str) {
    note(&format!("{topic} was deleted"));
}

/// Tells once of each broker that cannot be reached though others can, and when that is over.
fn tell_unreachable(client: &Client, told: &mut BTreeSet<NodeId>) {
    // What was told is over with a connection, not with the first moment without an attempt.
    let still: BTreeSet<NodeId> = client.unreachable(Duration::ZERO).into_iter().map(|(id, _)| id).collect();
    let known = client.metadata();
    told.retain(|id| {
        let is_still = still.contains(id);
        if !is_still {
            let what = if known.brokers.contains_key(id) {
                "can be reached again"
            } else {
                "is not in the cluster any more"
            };
            note(&format!("{} {what}", of_broker(*id)));
        }
        is_still
    });
    for (id, error) in client.unreachable(IN_VAIN) {
        if told.insert(id) {
            note(&format!(
                "{} cannot be reached: {}; trying again",
                of_broker(id),
                visible(&error.to_string())
            ));
            note(&format!("next: {}", look_where_advertised(std::iter::once(of_broker(id)))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silence_lasts_from_when_nobody_answers_until_somebody_does() {
        let (tell, gone) = watch::channel(None);
        let mut silence = Silence(gone);
        let begun = Instant::now();
        let later = async {
            for since in [Some(Instant::now()), None, Some(Instant::now() + Duration::from_secs(30))] {
                tell.send_replace(since);
                tokio::time::sleep(Duration::from_secs(15)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = silence.lasts(Duration::from_secs(20)) => {}
            () = later => {}
        }
        assert_eq!(begun.elapsed().as_secs(), 50);
    }
}
