use tokio::time::sleep;
use wire::messages::describe_cluster_request::DescribeClusterRequest;
use wire::messages::describe_cluster_response::DescribeClusterResponse;
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use wire::messages::list_groups_request::ListGroupsRequest;
use wire::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use wire::messages::offset_fetch_request::OffsetFetchRequest;
use wire::messages::offset_fetch_response::{OffsetFetchResponse, OffsetFetchResponseGroup};

use super::asking::{LOOK_EVERY, LOOK_MAX};
use super::*;
use crate::admin::{Admin, ConfigChange, ConfigResource};
use crate::scripted::{Cluster, Reply, metadata};

/// Both orders, as which server is asked first is a matter of chance.
const ORDERS: [&str; 2] = ["node:1,node:2", "node:2,node:1"];

/// One whose node 1 takes connections and ends them when it is asked for the brokers.
fn one_that_ends() -> Cluster {
    Cluster::new(|asked| match asked.node {
        1 => Reply::End,
        _ => asked.answer(&metadata(2, 1)),
    })
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_the_connection_is_passed_over() {
    for (servers, order) in ORDERS.into_iter().zip([&[1, 2][..], &[2]]) {
        let cluster = one_that_ends();
        let client = cluster.client_with(ClientConfig::new(servers)).await;
        assert_eq!(client.metadata().brokers.len(), 2);
        let asked: Vec<i32> = cluster.heard::<MetadataRequest>().iter().map(|(node, _)| *node).collect();
        assert_eq!(asked, order, "{servers}");
        assert_eq!(client.any().await.expect("node 2 is there").address(), "node:2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_serves_no_metadata_is_passed_over() {
    for servers in ORDERS {
        let cluster = Cluster::new(|asked| asked.answer(&metadata(2, 1)));
        cluster.make_controller(1);
        let client = cluster.client_with(ClientConfig::new(servers)).await;
        assert_eq!(client.metadata().brokers.len(), 2);
        // Neither where there is no connection any more, and nobody else can be reached.
        cluster.take_down(2);
        client.0.slots.lock().clear();
        client.0.metadata.lock().metadata = Arc::default();
        let refused = client.any().await.expect_err("node 1 is no broker");
        assert!(matches!(refused, Error::Unreachable { .. }), "node 2 may come back: {refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_reached_and_do_not_tell_are_each_asked_once() {
    let cluster = Cluster::new(|_| Reply::End);
    let refused = cluster.connect(ClientConfig::new(ORDERS[0])).await.expect_err("none tells");
    assert!(matches!(refused, Error::Connection { .. }), "{refused}");
    assert_eq!(cluster.heard::<MetadataRequest>().len(), 2);

    cluster.make_controller(1);
    cluster.make_controller(2);
    let refused = cluster.connect(ClientConfig::new(ORDERS[0])).await.expect_err("there is no broker");
    assert!(matches!(refused, Error::Unsupported { api: "Metadata", .. }), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn what_a_reached_server_failed_with_is_told_and_unreachable_where_none_is() {
    for servers in ORDERS {
        let cluster = one_that_ends();
        cluster.take_down(2);
        let refused = cluster.connect(ClientConfig::new(servers)).await.expect_err("none tells");
        assert!(matches!(&refused, Error::Connection { address, .. } if address == "node:1"), "{refused}");
        cluster.take_down(1);
        let refused = cluster.connect(ClientConfig::new(servers)).await.expect_err("none is there");
        assert!(matches!(refused, Error::Unreachable { .. }), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_leaves_time_for_the_next() {
    for servers in ORDERS {
        let cluster = Cluster::new(|asked| match asked.node {
            1 => Reply::Silence,
            _ => asked.answer(&metadata(2, 1)),
        });
        let client = cluster.client_with(ClientConfig::new(servers)).await;
        assert_eq!(client.any().await.expect("node 2 is there").address(), "node:2");
    }
}

/// Closes what is open, and lets no new connection to the node be made.
fn cut_off(cluster: &Cluster, client: &Client, node: u16) {
    cluster.cut_off(node);
    client.0.slots.lock().clear();
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_cannot_be_reached_holds_up_nobody_for_long() {
    let cluster = Cluster::new(|asked| asked.answer(&metadata(2, 1)));
    let client = cluster.client().await;
    cut_off(&cluster, &client, 1);
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..6 {
        let client = client.clone();
        calls.spawn(async move { client.fetch_metadata(None).await.map(drop) });
    }
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    assert!(begun.elapsed() < 2 * ALONE, "{:?}", begun.elapsed());
    let again = Instant::now();
    client.fetch_metadata(None).await.expect("node 2 answers");
    assert!(again.elapsed() < Duration::from_millis(1), "the connection to node 2 is there");
}

#[tokio::test(start_paused = true)]
async fn whoever_waited_for_an_attempt_does_not_make_another() {
    let cluster = Cluster::new(|asked| asked.answer(&metadata(2, 1)));
    let client = cluster.client().await;
    cut_off(&cluster, &client, 1);
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..6 {
        let client = client.clone();
        calls.spawn(async move { client.broker(NodeId(1), Lane::Produce).await.is_err() });
    }
    assert!(calls.join_all().await.into_iter().all(|failed| failed));
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_no_longer_than_it_may() {
    let cluster = Cluster::new(|asked| asked.answer(&metadata(1, 1)));
    let config = ClientConfig { default_api_timeout: Duration::from_secs(2), ..ClientConfig::new("node:1") };
    let client = cluster.client_with(config).await;
    cut_off(&cluster, &client, 1);
    cut_off(&cluster, &client, 2);
    let begun = Instant::now();
    assert!(client.fetch_metadata(None).await.is_err());
    assert!(begun.elapsed() <= Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// One that learns within ten seconds that its node 2 is gone, which does not answer any more, and whose groups node 1 has then.
fn one_that_loses_a_broker() -> Cluster {
    let begun = Instant::now();
    Cluster::new(move |asked| {
        let known = begun.elapsed() >= Duration::from_secs(9);
        if asked.is::<MetadataRequest>() && asked.node == 1 {
            let mut answer = metadata(1, 1);
            answer.brokers.retain(|broker| broker.node_id == 1 || !known);
            return asked.answer(&answer);
        }
        if asked.is::<ListGroupsRequest>() && asked.node == 1 {
            let moved = ListedGroup { group_id: "moved".to_owned(), ..Default::default() };
            let groups = if known { vec![moved] } else { Vec::new() };
            return asked.answer(&ListGroupsResponse { groups, ..Default::default() });
        }
        Reply::Silence
    })
}

#[tokio::test(start_paused = true)]
async fn a_broker_is_waited_for_until_the_others_know_that_it_is_gone() {
    // Whether it is silent or cannot be reached, and whichever address is known of it.
    for (down, servers) in [(false, "node:1"), (true, "node:1"), (false, ORDERS[0]), (false, ORDERS[1])] {
        let cluster = one_that_loses_a_broker();
        if down {
            cluster.take_down(2);
        }
        let client = cluster.client_with(ClientConfig::new(servers)).await;
        let begun = Instant::now();
        let asked = Admin::new(&client).describe_log_dirs(NodeId(2)).await;
        let took = begun.elapsed();
        assert!(
            matches!(&asked, Err(Error::Connection { address, .. }) if address == "broker 2"),
            "{asked:?}"
        );
        assert!(took < Duration::from_secs(15), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_less_time_ends_with_what_its_last_attempt_failed_with() {
    const TIME: Duration = Duration::from_secs(2);
    for down in [false, true] {
        let cluster = one_that_loses_a_broker();
        if down {
            cluster.take_down(2);
        }
        let client = cluster.client_with(ClientConfig::new("node:1")).await;
        let begun = Instant::now();
        let asked = Admin::new(&client).within(TIME).describe_log_dirs(NodeId(2)).await;
        let error = asked.expect_err("it answers never");
        let refused = matches!(&error, Error::Connection { address, .. } if address.starts_with("node:2"));
        let late = matches!(&error, Error::Timeout { after, .. } if *after == TIME);
        assert!(if down { refused } else { late }, "{error}");
        assert!(begun.elapsed() <= TIME, "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn groups_of_a_broker_that_is_gone_are_found_where_they_are_then() {
    let cluster = one_that_loses_a_broker();
    let client = cluster.client_with(ClientConfig::new("node:1")).await;
    let groups = Admin::new(&client).list_groups().await.expect("node 1 has them all");
    assert_eq!(groups.iter().map(|group| group.group.as_str()).collect::<Vec<_>>(), ["moved"]);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_is_silent_is_asked_only_until_the_others_know_that_it_is_gone() {
    let begun = Instant::now();
    let cluster = Cluster::new(move |asked| {
        let known = begun.elapsed() >= Duration::from_secs(9);
        if asked.node == 1 && asked.is::<MetadataRequest>() {
            let mut answer = metadata(1, 1);
            answer.brokers.retain(|broker| broker.node_id == 1 || !known);
            return asked.answer(&answer);
        }
        if asked.node == 1 && asked.is::<FindCoordinatorRequest>() {
            let coordinator = Coordinator { node_id: if known { 1 } else { 2 }, ..Default::default() };
            return asked
                .answer(&FindCoordinatorResponse { coordinators: vec![coordinator], ..Default::default() });
        }
        if asked.node == 1 && asked.is::<OffsetFetchRequest>() {
            let group = OffsetFetchResponseGroup { group_id: "g".to_owned(), ..Default::default() };
            return asked.answer(&OffsetFetchResponse { groups: vec![group], ..Default::default() });
        }
        Reply::Silence
    });
    let client = cluster.client_with(ClientConfig::new("node:1")).await;
    let committed = Admin::new(&client).committed_offsets("g", None).await;
    let took = begun.elapsed();
    assert!(committed.is_ok() && took < Duration::from_secs(15), "{committed:?} {took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_any_broker_answers_is_not_asked_of_one_that_is_silent() {
    let stopped = Arc::new(Mutex::new(false));
    let script = Arc::clone(&stopped);
    let cluster = Cluster::new(move |asked| match asked.node == 1 && *script.lock() {
        true => Reply::Silence,
        false => asked.answer(&metadata(2, 1)),
    });
    let client = cluster.client_with(ClientConfig::new("node:1")).await;
    *stopped.lock() = true;
    // Node 1 is known as a server to begin with, and as a broker: neither answers.
    for time in [2 * LOOK_MAX, Duration::ZERO] {
        let begun = Instant::now();
        client.fetch_metadata(None).await.expect("node 2 answers");
        assert!(begun.elapsed() <= time, "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_is_asked_of_another_broker_while_one_is_silent() {
    let cluster = Cluster::new(|asked| match asked.node == 1 && !asked.is::<MetadataRequest>() {
        true => Reply::Silence,
        false if asked.is::<DescribeClusterRequest>() => asked.answer(&DescribeClusterResponse::default()),
        false => asked.answer(&metadata(2, 1)),
    });
    let client = cluster.client_with(ClientConfig::new("node:1")).await;
    let begun = Instant::now();
    let described = Admin::new(&client).describe_cluster().await;
    assert!(described.is_ok() && begun.elapsed() <= 2 * LOOK_MAX, "{described:?} {:?}", begun.elapsed());
}

/// Two nodes, of which the second is known and does not answer; nor does the first what changes something.
fn one_with_a_silent_broker() -> Cluster {
    Cluster::new(|asked| {
        if asked.node == 1 && asked.is::<MetadataRequest>() {
            return asked.answer(&metadata(1, 1));
        }
        if asked.node == 1 && asked.is::<ListGroupsRequest>() {
            return asked.answer(&ListGroupsResponse::default());
        }
        Reply::Silence
    })
}

#[tokio::test(start_paused = true)]
async fn calls_of_settings_and_groups_end_with_their_time_and_name_who_was_silent() {
    let all = [ConfigChange::Delete { name: "a".to_owned() }];
    let (broker, logger) = (ConfigResource::Broker(NodeId(2)), ConfigResource::BrokerLogger(NodeId(2)));
    for call in 0..6 {
        let time = Duration::from_secs(4);
        let config = ClientConfig { default_api_timeout: time, ..ClientConfig::new("node:1") };
        let admin = Admin::new(&one_with_a_silent_broker().client_with(config).await);
        let begun = Instant::now();
        let called = match call {
            0 => admin.describe_configs(&broker).await.map(drop),
            1 => admin.describe_configs(&logger).await.map(drop),
            2 => admin.alter_configs(&broker, &all, false).await,
            3 => admin.replace_configs(&logger, &[], false).await,
            4 => admin.list_groups().await.map(drop),
            _ => admin.alter_configs(&ConfigResource::AllBrokers, &all, false).await,
        };
        let (error, took) = (called.expect_err("nobody answers"), begun.elapsed());
        let whose = if call == 5 { "node:1" } else { "broker 2" };
        assert_eq!(error.to_string(), format!("an answer of {whose} took longer than 4000 ms"), "{call}");
        assert!(took < time + LOOK_EVERY, "{call}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn settings_of_a_broker_that_is_gone_are_not_waited_for() {
    let broker = ConfigResource::Broker(NodeId(2));
    for changes in [false, true] {
        let client = one_that_loses_a_broker().client_with(ClientConfig::new("node:1")).await;
        let (admin, begun) = (Admin::new(&client), Instant::now());
        let called = match changes {
            true => admin.alter_configs(&broker, &[], false).await,
            false => admin.describe_configs(&broker).await.map(drop),
        };
        assert!(
            matches!(&called, Err(Error::Connection { address, .. }) if address == "broker 2"),
            "{called:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_is_told_as_unreachable_from_the_first_failure_until_a_connection_is_made() {
    let cluster = Cluster::new(|asked| asked.answer(&metadata(2, 1)));
    let client = cluster.client().await;
    let told = |lasting| {
        let unreachable = client.unreachable(lasting).into_iter();
        unreachable.map(|(id, error)| (id, error.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(told(Duration::ZERO), [], "nobody has tried");
    cluster.take_down(2);
    let attempt = async || client.broker(NodeId(2), Lane::Produce).await;
    attempt().await.expect_err("it is down");
    let [(NodeId(2), error)] = &told(Duration::ZERO)[..] else { panic!("{:?}", told(Duration::ZERO)) };
    assert!(error.starts_with("the connection to node:2 failed: "), "{error}");
    let lasting = Duration::from_secs(2);
    sleep(lasting).await;
    assert_eq!(told(lasting), [], "there was no other attempt");
    attempt().await.expect_err("it is down");
    assert_eq!(told(lasting).len(), 1);
    // An attempt that has not ended changes nothing.
    cluster.bring_back(2);
    cluster.cut_off(2);
    sleep(lasting).await;
    assert!(timeout(lasting, attempt()).await.is_err(), "nothing answers");
    assert_eq!(told(lasting).len(), 1);
    cluster.bring_back(2);
    attempt().await.expect("it is there");
    assert_eq!(told(Duration::ZERO), []);
}
