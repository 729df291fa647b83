//! What a node tells monitors.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use broker::StartError;
use kernel::limits::MAX_METRICS_CONNECTIONS;
use kernel::metric;
use wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use crate::client::batch;
use crate::compaction::{EAGER, OFTEN, updates, wait_for, wait_until_clean};
use crate::support::{Client, TestNode};

/// Monitors that wait longer have failed.
const ANSWER_MAX: Duration = Duration::from_secs(30);

const LISTENER: &str = "metrics.listener=127.0.0.1:0";

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the node listens");
    stream.set_read_timeout(Some(ANSWER_MAX)).expect("a timeout can be set");
    stream
}

/// Sends a request and reads until the node ends the connection.
fn ask(node: &TestNode, request: &str) -> String {
    let mut stream = connect(node.metrics());
    stream.write_all(request.as_bytes()).expect("the node reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the node answers");
    answer
}

/// Every series and its value.
fn scrape(node: &TestNode) -> BTreeMap<String, f64> {
    let answer = ask(node, "GET /metrics HTTP/1.1\r\nhost: test\r\naccept: */*\r\n\r\n");
    let (head, page) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(page.ends_with("# EOF\n"), "{page}");
    let series = page.lines().filter(|line| !line.starts_with('#'));
    let series = series.map(|line| line.rsplit_once(' ').expect("a series and its value"));
    series.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

fn value(scraped: &BTreeMap<String, f64>, series: &str) -> f64 {
    *scraped.get(series).unwrap_or_else(|| panic!("no {series} in {scraped:#?}"))
}

/// Makes a group by committing an offset that belongs to no member.
fn commit(client: &mut Client, group: &str, topic: &str) {
    client.topics(&["__consumer_offsets"]);
    let partition =
        OffsetCommitRequestPartition { committed_offset: 1, ..OffsetCommitRequestPartition::default() };
    let topic = OffsetCommitRequestTopic {
        name: topic.to_owned(),
        partitions: vec![partition],
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: group.to_owned(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    };
    assert_eq!(client.call(8, &request).topics[0].partitions[0].error_code, 0);
}

#[test]
fn every_declared_metric_has_a_value_once_there_is_something_to_tell() {
    // So slow that a cleaning is still under way when it is looked at.
    let slow = "log.cleaner.io.max.bytes.per.second=60000";
    let node = TestNode::start_with("metrics-all", &[LISTENER, OFTEN, slow]);
    let mut client = node.client();
    client.create("t", EAGER);
    commit(&mut client, "g", "t");
    updates(&mut client, "t", 0, 300, &mut BTreeMap::new());
    wait_for(&node, "a cleaning", |status| status.cleanings() > 0);
    updates(&mut client, "t", 300, 300, &mut BTreeMap::new());
    let wanted: Vec<&str> = metric::all().map(|def| def.name).collect();
    let mut missing = Vec::new();
    for _ in 0..2000 {
        let scraped = scrape(&node);
        let has = |name: &str| {
            scraped.keys().any(|series| series.split('{').next().is_some_and(|family| family == name))
        };
        missing = wanted.iter().filter(|name| !has(name)).collect();
        if missing.is_empty() {
            return;
        }
        client.append("t", batch(&["more"]));
    }
    panic!("no value of {missing:?}");
}

#[test]
fn what_clients_do_is_counted() {
    let node = TestNode::start_with("metrics-counts", &[LISTENER]);
    let (mut client, mut other) = (node.client(), node.client());
    client.create("t", &[]);
    let before = scrape(&node);
    for _ in 0..5 {
        client.append("t", batch(&[&"x".repeat(10_000)]));
    }
    assert_eq!(other.fetch("t", 0).error_code, 0);
    let after = scrape(&node);
    let dir = node.dir().display();
    let grown = |series: &str| value(&after, series) - value(&before, series);
    assert_eq!(grown("riverrun_requests_total{api=\"Produce\"}"), 5.0);
    assert_eq!(grown("riverrun_requests_total{api=\"Fetch\"}"), 1.0);
    assert_eq!(grown("riverrun_requests_total{api=\"DeleteTopics\"}"), 0.0);
    assert!((50_000.0..52_000.0).contains(&grown("riverrun_received_bytes_total")), "{after:#?}");
    assert!((50_000.0..52_000.0).contains(&grown("riverrun_sent_bytes_total")), "{after:#?}");
    assert_eq!(value(&after, "riverrun_connections"), 2.0);
    assert_eq!(value(&after, "riverrun_partitions"), 1.0);
    assert_eq!(value(&after, "riverrun_partitions_led"), 1.0);
    assert_eq!(value(&after, "riverrun_partitions_offline"), 0.0);
    let of_dir = |name: &str| value(&after, &format!("{name}{{log_dir=\"{dir}\"}}"));
    assert_eq!(
        (of_dir("riverrun_log_directory_online"), of_dir("riverrun_log_directory_cordoned")),
        (1.0, 0.0)
    );
    assert_eq!(of_dir("riverrun_log_directory_partitions"), 1.0);
    assert!((50_000.0..52_000.0).contains(&of_dir("riverrun_log_directory_logs_bytes")));
    assert!(of_dir("riverrun_log_directory_free_bytes") < of_dir("riverrun_log_directory_capacity_bytes"));
    let blocks = grown(&format!("riverrun_journal_blocks_total{{log_dir=\"{dir}\"}}"));
    assert!((1.0..=5.0).contains(&blocks), "each append was waited for: {blocks}");
    assert!(grown(&format!("riverrun_journal_written_bytes_total{{log_dir=\"{dir}\"}}")) > 50_000.0);
    drop(other);
    // The node hears of it a little later.
    let closed = || (value(&scrape(&node), "riverrun_connections") == 1.0).then_some(());
    (0..2000).find_map(|_| closed()).expect("one connection is left");
}

#[test]
fn the_memory_budget_is_told_as_it_was_printed() {
    let node = TestNode::start_with("metrics-memory", &[LISTENER, "queued.max.request.bytes=200000000"]);
    let scraped = scrape(&node);
    let parts = node.node().memory_parts().0;
    assert_eq!(parts.len(), 5);
    for part in parts {
        let told = value(&scraped, &format!("riverrun_memory_bound_bytes{{part=\"{}\"}}", part.name));
        assert_eq!(told, part.bound as f64, "{}", part.name);
        let held = value(&scraped, &format!("riverrun_memory_held_bytes{{part=\"{}\"}}", part.name));
        assert!(held <= told, "{} holds {held} of {told}", part.name);
    }
    assert_eq!(value(&scraped, "riverrun_memory_bound_bytes{part=\"requests\"}"), 200_000_000.0);
}

#[test]
fn the_progress_of_a_cleaning_is_seen_while_it_is_under_way_and_in_the_end() {
    let slow = "log.cleaner.io.max.bytes.per.second=20000";
    let node = TestNode::start_with("metrics-cleaner", &[LISTENER, OFTEN, slow]);
    let mut client = node.client();
    client.create("t", EAGER);
    updates(&mut client, "t", 0, 300, &mut BTreeMap::new());
    let dir = node.dir().display();
    let run = |name: &str| {
        format!("riverrun_cleaner_run_{name}_bytes{{log_dir=\"{dir}\",topic=\"t\",partition=\"0\"}}")
    };
    let part_done = || {
        let scraped = scrape(&node);
        let (done, planned) = (*scraped.get(&run("done"))?, *scraped.get(&run("planned"))?);
        assert!(done <= planned, "{done} of {planned}");
        (done > 0.0 && done < planned).then_some(scraped)
    };
    let scraped = (0..20_000).find_map(|_| part_done()).expect("a cleaning is seen half done");
    let of_dir = |scraped: &BTreeMap<String, f64>, name: &str| {
        value(scraped, &format!("riverrun_cleaner_{name}{{log_dir=\"{dir}\"}}"))
    };
    assert_eq!(of_dir(&scraped, "running_logs"), 1.0);
    assert!(of_dir(&scraped, "read_bytes_total") > 0.0);
    assert!(value(&scraped, "riverrun_memory_held_bytes{part=\"compaction\"}") > 0.0);
    wait_until_clean(&node);
    let scraped = scrape(&node);
    assert!(of_dir(&scraped, "cleanings_total") >= 1.0);
    assert_eq!((of_dir(&scraped, "running_logs"), of_dir(&scraped, "due_logs")), (0.0, 0.0));
    let (read, written) = (of_dir(&scraped, "read_bytes_total"), of_dir(&scraped, "written_bytes_total"));
    assert!(written > 0.0 && written < read, "{written} of {read}");
    assert!(of_dir(&scraped, "last_end_timestamp_seconds") > 1.7e9);
    assert!(!scraped.contains_key(&run("done")), "it is over");
    assert_eq!(of_dir(&scraped, "uncleanable_partitions"), 0.0);
}

#[test]
fn only_metrics_are_served_and_only_read() {
    let node = TestNode::start_with("metrics-http", &[LISTENER]);
    let status = |request: &str| ask(&node, request).lines().next().unwrap_or_default().to_owned();
    assert_eq!(status("GET / HTTP/1.1\r\nhost: h\r\n\r\n"), "HTTP/1.1 404 Not Found");
    assert_eq!(status("GET /metrics/x HTTP/1.1\r\nhost: h\r\n\r\n"), "HTTP/1.1 404 Not Found");
    assert_eq!(status("GET /metrics?x=1 HTTP/1.0\r\n\r\n"), "HTTP/1.0 200 OK");
    let refused = ask(&node, "POST /metrics HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{refused}");
    assert!(refused.contains("\r\nallow: GET, HEAD\r\n"), "{refused}");
    let head = ask(&node, "HEAD /metrics HTTP/1.1\r\nhost: h\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(status("\u{0}\u{1} nonsense\r\n\r\n"), "HTTP/1.1 400 Bad Request");
}

#[test]
fn those_who_only_connect_hold_all_places_and_no_more_and_the_next_gets_one_that_is_free() {
    let node = TestNode::start_with("metrics-places", &[LISTENER]);
    let mut idle: Vec<TcpStream> = (0..MAX_METRICS_CONNECTIONS).map(|_| connect(node.metrics())).collect();
    let mut next = connect(node.metrics());
    next.write_all(b"GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").expect("the socket takes it");
    next.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout can be set");
    let waits = next.read(&mut [0]).expect_err("there is no place");
    assert!(matches!(waits.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{waits}");
    drop(idle.pop());
    next.set_read_timeout(Some(ANSWER_MAX)).expect("a timeout can be set");
    let mut answer = String::new();
    next.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    // Clients of the node did not notice any of it.
    node.client().create("t", &[]);
}

#[test]
fn an_address_in_use_stops_the_start_with_a_word_and_nothing_listens_by_default() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("it is bound");
    let mut node = TestNode::start("metrics-in-use");
    assert!(node.try_metrics().is_none());
    node.stop();
    node.set(&format!("metrics.listener={address}"));
    let problem = node.try_restart().expect_err("the port is taken");
    assert!(matches!(problem, StartError::ListenForMetrics { .. }));
    let told = problem.to_string();
    assert!(told.contains(&format!("cannot listen on {address} for monitors: ")), "{told}");
}
