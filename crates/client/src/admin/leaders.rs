//! Questions that the leaders of partitions answer, each for its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, NodeId, TopicPartition};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::backoff::Backoff;
use crate::cluster::Wanted;
use crate::cluster::asking::LOOK_EVERY;
use crate::metadata::Metadata;
use crate::{BrokerError, Client, Error};

/// What became of a question, for each partition.
pub(crate) type Each<A> = BTreeMap<TopicPartition, Result<A, Error>>;

/// What a leader answered, for each partition.
pub(crate) type Answered<A> = BTreeMap<TopicPartition, Result<A, BrokerError>>;

/// How long it may last before it is believed that a leader cannot use its log, or that a partition has none. If it has replicas
/// elsewhere, one of them leads by then; if not, only whoever mends the disk or starts the broker helps.
const BELIEVED: Duration = Duration::from_secs(2);

/// Asks the leaders of partitions with `ask`, all at once, and whoever took over where one is away or deposed, until every
/// partition has its answer, an error that trying again does not mend, or `default.api.timeout.ms` has passed. That a log is
/// offline is such an error if its leader stays the same, and that there is no leader if that lasts. A leader that is silent is
/// waited for only while it leads.
///
/// Partitions do not wait for each other: one without a leader leaves the others their answers.
pub(super) async fn ask_leaders<Q, A, F>(
    client: &Client,
    mut open: BTreeMap<TopicPartition, Q>,
    ask: impl Fn(Client, NodeId, Vec<(TopicPartition, Q)>) -> F,
) -> Each<A>
where
    Q: Clone + Send + 'static,
    A: Send + 'static,
    F: Future<Output = Result<Answered<A>, Error>> + Send + 'static,
{
    let time = client.config().default_api_timeout;
    let deadline = Instant::now() + time;
    let mut backoff = Backoff::default();
    let mut asking = Asking::default();
    while !open.is_empty() && Instant::now() < deadline {
        tokio::select! {
            biased;
            _ = timeout_at(deadline, ask_once(client, &open, &mut asking, &ask)) => {}
            () = until_others_lead(client, &open) => {}
        }
        open.retain(|name, _| !asking.settled.contains_key(name));
        if open.is_empty() {
            break;
        }
        let again = Instant::now() + backoff.next(client);
        if again >= deadline {
            break;
        }
        sleep_until(again).await;
        // What is wrong with it shows at the next question.
        let _ = timeout_at(deadline, refresh(client, &open)).await;
    }
    let late = || Error::Timeout { what: "asking the leaders of partitions".into(), after: time };
    let Asking { mut settled, mut reasons, .. } = asking;
    let unanswered = open.into_keys().map(|name| {
        let reason = reasons.remove(&name).unwrap_or_else(late);
        (name, Err(reason))
    });
    settled.extend(unanswered);
    settled
}

/// How far a question has come.
struct Asking<A> {
    settled: Each<A>,
    /// Why those that are open could not be asked, or were not answered.
    reasons: BTreeMap<TopicPartition, Error>,
    /// Whose log is offline: at which leader, and since when that is known. Where there is no leader, since when there is none.
    offline: BTreeMap<TopicPartition, (Option<NodeId>, Instant)>,
}

impl<A> Default for Asking<A> {
    fn default() -> Self {
        Self { settled: BTreeMap::new(), reasons: BTreeMap::new(), offline: BTreeMap::new() }
    }
}

impl<A> Asking<A> {
    fn put(&mut self, name: TopicPartition, result: Result<A, Error>) {
        match result {
            Err(reason) if reason.retriable() => drop(self.reasons.insert(name, reason)),
            result => drop(self.settled.insert(name, result)),
        }
    }

    /// The same of what a leader has answered.
    fn answered(&mut self, leader: Option<NodeId>, name: TopicPartition, result: Result<A, Error>) {
        let lasts = match result.as_ref().err().and_then(Error::code) {
            Some(ErrorCode::KafkaStorageError) => true,
            Some(ErrorCode::LeaderNotAvailable) => leader.is_none(),
            _ => false,
        };
        if !lasts {
            self.offline.remove(&name);
            return self.put(name, result);
        }
        let (told_by, since) = self.offline.entry(name.clone()).or_insert((leader, Instant::now()));
        if *told_by != leader {
            (*told_by, *since) = (leader, Instant::now());
        }
        if since.elapsed() >= BELIEVED {
            self.settled.insert(name, result);
        } else {
            self.put(name, result);
        }
    }
}

/// Asks each leader that is known once. Partitions that are not settled then have a reason, if one is known.
async fn ask_once<Q, A, F>(
    client: &Client,
    open: &BTreeMap<TopicPartition, Q>,
    asking: &mut Asking<A>,
    ask: &impl Fn(Client, NodeId, Vec<(TopicPartition, Q)>) -> F,
) where
    Q: Clone + Send + 'static,
    A: Send + 'static,
    F: Future<Output = Result<Answered<A>, Error>> + Send + 'static,
{
    let mut metadata = client.metadata();
    if open.keys().any(|name| leader(&metadata, name).is_err()) {
        match refresh(client, open).await {
            Ok(fresh) => metadata = fresh,
            Err(error) => {
                return open.keys().for_each(|name| asking.put(name.clone(), Err(error.clone())));
            }
        }
    }
    let mut by_leader: BTreeMap<NodeId, Vec<(TopicPartition, Q)>> = BTreeMap::new();
    for (name, question) in open {
        match leader(&metadata, name) {
            Ok(leader) => by_leader.entry(leader).or_default().push((name.clone(), question.clone())),
            Err(error) => asking.answered(None, name.clone(), Err(error.into())),
        }
    }
    let mut asked = JoinSet::new();
    for (leader, partitions) in by_leader {
        let names: Vec<TopicPartition> = partitions.iter().map(|(name, _)| name.clone()).collect();
        let answer = ask(client.clone(), leader, partitions);
        asked.spawn(async move { (leader, names, answer.await) });
    }
    while let Some(Ok((leader, names, result))) = asked.join_next().await {
        let mut answered = match result {
            Ok(answered) => answered,
            Err(error) => {
                names.into_iter().for_each(|name| asking.put(name, Err(error.clone())));
                continue;
            }
        };
        for name in names {
            let result = answered.remove(&name);
            let result = result.map_or_else(|| Err(left_out(leader, &name)), |one| one.map_err(Error::from));
            asking.answered(Some(leader), name, result);
        }
    }
}

/// Ends once a partition is led by another broker than when this began, or by none: who is asked may be gone, and never answer.
async fn until_others_lead<Q>(client: &Client, open: &BTreeMap<TopicPartition, Q>) {
    let leads = |metadata: &Metadata| open.keys().map(|name| leader(metadata, name).ok()).collect::<Vec<_>>();
    let before = leads(&client.metadata());
    loop {
        sleep(LOOK_EVERY).await;
        let moved = |(before, now): (&Option<NodeId>, &Option<NodeId>)| before.is_some() && before != now;
        if let Ok(metadata) = refresh(client, open).await
            && before.iter().zip(&leads(&metadata)).any(moved)
        {
            return;
        }
    }
}

fn left_out(leader: NodeId, name: &TopicPartition) -> Error {
    let (address, reason) = (format!("broker {}", leader.0), format!("its answer leaves {name} out"));
    Error::Protocol { address, reason }
}

/// Who leads a partition, or why there is nobody to ask.
fn leader(metadata: &Metadata, name: &TopicPartition) -> Result<NodeId, BrokerError> {
    let refuse = |code: ErrorCode| BrokerError::new(code.code());
    let Some(topic) = metadata.topic(&name.topic) else {
        let code = metadata.error(&name.topic).unwrap_or(ErrorCode::UnknownTopicOrPartition);
        return Err(refuse(code).topic(name.topic.as_ref()));
    };
    let of_partition = |code| refuse(code).partition(name.topic.as_ref(), name.partition);
    let partition = topic.partitions.get(&name.partition);
    let partition = partition.ok_or_else(|| of_partition(ErrorCode::UnknownTopicOrPartition))?;
    partition.leader.ok_or_else(|| of_partition(ErrorCode::LeaderNotAvailable))
}

async fn refresh<Q>(client: &Client, open: &BTreeMap<TopicPartition, Q>) -> Result<Arc<Metadata>, Error> {
    let mut names: Vec<String> = open.keys().map(|name| name.topic.to_string()).collect();
    names.dedup();
    client.refresh(Wanted::Topics { names: &names, create: false }).await
}

/// The answers of all partitions, or the first error of one.
pub(super) fn all<A>(each: Each<A>) -> Result<BTreeMap<TopicPartition, A>, Error> {
    each.into_iter().map(|(name, result)| Ok((name, result?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{Admin, OffsetSpec};
    use crate::config::IsolationLevel;
    use crate::scripted::{Cluster, Reply, TOPIC, metadata};
    use wire::messages::list_offsets_request::ListOffsetsRequest;
    use wire::messages::list_offsets_response::{
        ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
    };
    use wire::messages::metadata_request::MetadataRequest;
    use wire::messages::metadata_response::MetadataResponsePartition;

    /// Partition 0 is led by node 1, partition 1 by node 2, partition 2 by nobody; the answer leaves partition 3 out, and
    /// refuses partition 4.
    fn cluster() -> Cluster {
        Cluster::new(|asked| {
            if asked.is::<MetadataRequest>() {
                let mut answer = metadata(1, 1);
                let one = answer.topics[0].partitions[0].clone();
                let partitions = [1, 2, -1, 1, 1].into_iter().enumerate();
                let partitions = partitions.map(|(index, leader_id)| MetadataResponsePartition {
                    partition_index: i32::try_from(index).expect("there are few"),
                    leader_id,
                    ..one.clone()
                });
                answer.topics[0].partitions = partitions.collect();
                return asked.answer(&answer);
            }
            let request: ListOffsetsRequest = asked.read();
            let told = request.topics[0].partitions.iter().filter(|wanted| wanted.partition_index != 3);
            let told = told.map(|wanted| ListOffsetsPartitionResponse {
                partition_index: wanted.partition_index,
                error_code: if wanted.partition_index == 4 {
                    ErrorCode::TopicAuthorizationFailed.code()
                } else {
                    0
                },
                offset: 7,
                ..Default::default()
            });
            let topic = ListOffsetsTopicResponse { name: TOPIC.to_owned(), partitions: told.collect() };
            asked.answer(&ListOffsetsResponse { topics: vec![topic], ..Default::default() })
        })
    }

    #[tokio::test(start_paused = true)]
    async fn each_partition_has_its_own_outcome() {
        let cluster = cluster();
        cluster.take_down(2);
        let admin = Admin::new(&cluster.client().await);
        let wanted: Vec<_> = (0..5).map(|p| (TopicPartition::new(TOPIC, p), OffsetSpec::Latest)).collect();
        let begun = Instant::now();
        let each = admin.list_offsets_each(&wanted, IsolationLevel::ReadUncommitted).await;
        let seconds = begun.elapsed().as_secs();
        assert!((55..=60).contains(&seconds), "as long as the call may take: {seconds}");
        let outcome = |partition| &each[&TopicPartition::new(TOPIC, partition)];
        let offset = outcome(0).as_ref().map(|listed| listed.offset);
        assert_eq!(offset, Ok(Some(kernel::Offset(7))));
        assert!(matches!(outcome(1), Err(Error::Connection { .. })), "{:?}", outcome(1));
        let code = |partition| outcome(partition).as_ref().err().and_then(Error::code);
        assert_eq!(code(2), Some(ErrorCode::LeaderNotAvailable));
        assert!(matches!(outcome(3), Err(Error::Protocol { .. })), "{:?}", outcome(3));
        assert_eq!(code(4), Some(ErrorCode::TopicAuthorizationFailed));
        let asked = cluster.heard::<ListOffsetsRequest>();
        assert_eq!(asked.len(), 1, "what is settled is not asked for again");

        let all = admin.list_offsets(&wanted[..1], IsolationLevel::ReadUncommitted).await;
        assert_eq!(all.map(|listed| listed.len()), Ok(1));
        let all = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await;
        assert!(matches!(all, Err(Error::Connection { .. })), "that of the first: {all:?}");
    }

    /// A cluster whose only partition has an offline log at node 1, and is led by `leader` of the seconds since it began.
    fn with_a_log_offline(leader: impl Fn(u64) -> i32 + Send + Sync + 'static) -> Cluster {
        let begun = Instant::now();
        Cluster::new(move |asked| {
            let leader = leader(begun.elapsed().as_secs());
            if asked.is::<MetadataRequest>() {
                return asked.answer(&metadata(leader, leader));
            }
            let error_code = if asked.node == 1 { ErrorCode::KafkaStorageError.code() } else { 0 };
            let partitions =
                vec![ListOffsetsPartitionResponse { error_code, offset: 7, ..Default::default() }];
            let topic = ListOffsetsTopicResponse { name: TOPIC.to_owned(), partitions };
            asked.answer(&ListOffsetsResponse { topics: vec![topic], ..Default::default() })
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_is_offline_is_told_of_soon_unless_another_replica_takes_over() {
        let ask = async |cluster: Cluster| {
            let admin = Admin::new(&cluster.client().await);
            let wanted = [(TopicPartition::new(TOPIC, 0), OffsetSpec::Latest)];
            let begun = Instant::now();
            let asked = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await;
            (asked.map_err(|error| error.code()).map(|listed| listed.len()), begun.elapsed().as_secs())
        };
        let (alone, seconds) = ask(with_a_log_offline(|_| 1)).await;
        assert_eq!(alone, Err(Some(ErrorCode::KafkaStorageError)));
        assert!((2..=4).contains(&seconds), "{seconds}");
        let (taken_over, _) = ask(with_a_log_offline(|seconds| if seconds < 1 { 1 } else { 2 })).await;
        assert_eq!(taken_over, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_partition_without_a_leader_is_waited_for_only_as_long_as_an_election_takes() {
        let led_from = |second: u64| with_a_log_offline(move |now| if now < second { -1 } else { 2 });
        let wanted = [(TopicPartition::new(TOPIC, 0), OffsetSpec::Latest)];
        let ask = async |cluster: Cluster| {
            let admin = Admin::new(&cluster.client().await);
            let begun = Instant::now();
            let asked = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await;
            (asked.map_err(|error| error.code()).map(|listed| listed.len()), begun.elapsed().as_secs())
        };
        let (listed, took) = ask(led_from(1)).await;
        assert!(listed == Ok(1) && took < 3, "{listed:?} {took}");
        let (listed, took) = ask(led_from(u64::MAX)).await;
        assert!(listed == Err(Some(ErrorCode::LeaderNotAvailable)) && took < 5, "{listed:?} {took}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_leader_is_waited_for_only_while_it_leads() {
        let ask = async |leads_later: i32| {
            let begun = Instant::now();
            let cluster = Cluster::new(move |asked| {
                let of_second = if begun.elapsed().as_secs() < 9 { 1 } else { leads_later };
                if asked.is::<MetadataRequest>() {
                    let mut answer = metadata(2, 2);
                    let mut second = answer.topics[0].partitions[0].clone();
                    (second.partition_index, second.leader_id) = (1, of_second);
                    answer.topics[0].partitions.push(second);
                    return asked.answer(&answer);
                }
                if asked.node == 1 {
                    return Reply::Silence;
                }
                let request: ListOffsetsRequest = asked.read();
                let told = request.topics[0].partitions.iter().map(|wanted| ListOffsetsPartitionResponse {
                    partition_index: wanted.partition_index,
                    offset: 7,
                    ..Default::default()
                });
                let topic = ListOffsetsTopicResponse { name: TOPIC.to_owned(), partitions: told.collect() };
                asked.answer(&ListOffsetsResponse { topics: vec![topic], ..Default::default() })
            });
            let admin = Admin::new(&cluster.client().await);
            let wanted = [0, 1].map(|p| (TopicPartition::new(TOPIC, p), OffsetSpec::Latest));
            let each = admin.list_offsets_each(&wanted, IsolationLevel::ReadUncommitted).await;
            let seconds = begun.elapsed().as_secs();
            assert!((9..14).contains(&seconds), "{seconds}");
            let asked = cluster.heard::<ListOffsetsRequest>();
            let of_first = |(_, request): &(i32, ListOffsetsRequest)| {
                request.topics[0].partitions.iter().any(|wanted| wanted.partition_index == 0)
            };
            assert_eq!(asked.iter().filter(|asked| of_first(asked)).count(), 1, "it has answered");
            each.into_values().map(|one| one.map(drop).map_err(|error| error.code())).collect::<Vec<_>>()
        };
        assert_eq!(ask(2).await, [Ok(()), Ok(())]);
        assert_eq!(ask(-1).await, [Ok(()), Err(Some(ErrorCode::LeaderNotAvailable))]);
    }
}
