//! What is shown of a shop that runs.

use std::collections::BTreeMap;
use std::time::Duration;

use client::admin::OffsetSpec;
use client::config::IsolationLevel;
use client::{Admin, Error, TopicPartition};
use shop::{ORDERS, PAYMENTS};
use tokio::time::timeout;

use super::services::{NAMES, Services};

/// How many events each group has still to read.
pub type Lags = BTreeMap<&'static str, i64>;

/// A broker that is away must not hold up the screen.
const PATIENCE: Duration = Duration::from_secs(2);

/// The groups, and what they read.
const GROUPS: [(&str, &[&str]); 4] = [
    ("inventory", &[ORDERS]),
    ("payment", &[ORDERS]),
    ("notification", &[ORDERS]),
    ("analytics", &[ORDERS, PAYMENTS]),
];

/// Asks the cluster how far the groups are.
pub async fn lags(admin: &Admin) -> Option<Lags> {
    timeout(PATIENCE, ask(admin)).await.ok()?.ok()
}

async fn ask(admin: &Admin) -> Result<Lags, Error> {
    // Before the ends, so that nobody is ahead of them.
    let mut committed = BTreeMap::new();
    for (group, _) in GROUPS {
        committed.insert(group, admin.committed_offsets(group, None).await.unwrap_or_default());
    }
    let mut ends = BTreeMap::new();
    for topic in [ORDERS, PAYMENTS] {
        let partitions = admin.describe_topic(topic).await?.partitions.len() as i32;
        let wanted: Vec<_> = (0..partitions)
            .map(|partition| (TopicPartition::new(topic, partition), OffsetSpec::Latest))
            .collect();
        ends.extend(admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await?);
    }
    let mut lags = Lags::new();
    for (group, topics) in GROUPS {
        let committed = committed.remove(group).unwrap_or_default();
        let read = ends.iter().filter(|(name, _)| topics.contains(&&*name.topic));
        let left = read.map(|(name, end)| {
            let end = end.offset.map_or(0, |offset| offset.0);
            end - committed.get(name).map_or(0, |committed| committed.offset.0)
        });
        lags.insert(group, left.sum());
    }
    Ok(lags)
}

/// Whether every group has read everything.
pub fn all_caught_up(lags: &Lags) -> bool {
    lags.len() == GROUPS.len() && lags.values().all(|lag| *lag == 0)
}

/// A table that stays in its place on a terminal; a line for each moment elsewhere.
pub fn show(services: &Services, lags: &Lags, live: bool) {
    let rows = NAMES.iter().filter_map(|name| {
        let service = services.get(name)?;
        let report = service.report();
        let lag = lags.get(name).map_or("-".to_owned(), i64::to_string);
        Some((*name, service.note, report, lag, service.restarts))
    });
    if !live {
        let (words, says): (Vec<String>, Vec<String>) = rows
            .map(|(name, _, report, lag, _)| {
                (format!("{name} {} (lag {lag})", report.events), format!("{name}: {}", report.says))
            })
            .unzip();
        println!("{} | {}", words.join(" · "), says.join(" · "));
        return;
    }
    println!(
        "\x1b[2J\x1b[H{:<14}{:<15}{:>10}{:>8}{:>10}{:>6}  says",
        "service", "", "events", "lag", "restarts", "lost"
    );
    for (name, note, report, lag, restarts) in rows {
        let (events, lost, says) = (report.events, report.lost, report.says);
        println!("{name:<14}{note:<15}{events:>10}{lag:>8}{restarts:>10}{lost:>6}  {says}");
    }
    println!(
        "\nIn another terminal: shop stop|start|crash|replay SERVICE, shop slow SERVICE MS. Ctrl-C ends it."
    );
}
