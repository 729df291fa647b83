//! A whole node on a disk that loses power, fails, fills up, or takes its time.

use std::io::ErrorKind;
use std::time::Duration;

use kernel::ErrorCode;
use sim::{Completions, Fault, Op, PowerCut, SimDisk, When};
use tokio::time::Instant;
use wire::messages::fetch_request::FetchRequest;

use crate::client::{
    EARLIEST, FETCH, LATEST, PRODUCE, batch, code, fetch_request, from_producer, only, produce_request,
    values,
};
use crate::support::TestNode;

/// Kafka's way to have a record durable before it is acknowledged: a sync of its segment.
const SYNCED: [(&str, &str); 2] = [("write.caching", "true"), ("flush.messages", "1")];

/// Longer than any test takes.
const LONG: i32 = 60_000;

fn poll(topic: &str) -> FetchRequest {
    FetchRequest { max_wait_ms: LONG, ..fetch_request(topic, 0) }
}

fn cut_power(node: &mut TestNode, disk: &SimDisk, how: PowerCut) {
    node.kill();
    disk.power_cut(how);
    node.restart();
}

#[test]
fn a_power_cut_takes_nothing_that_was_acknowledged_as_durable() {
    for seed in 0..8 {
        let disk = SimDisk::new(seed);
        let mut node = TestNode::start_on(&disk);
        let mut client = node.client();
        client.create("t", &[("segment.bytes", "1048576")]);
        let id = client.producer_id();
        let wide = "x".repeat(400_000);
        for sequence in 0..8 {
            client.append("t", from_producer(id, 0, sequence, &[&wide]));
        }
        let cut = if seed == 0 { PowerCut::Strict } else { PowerCut::Chance(seed) };
        cut_power(&mut node, &disk, cut);
        let mut client = node.client();
        assert_eq!(client.offset("t", LATEST).offset, 8, "seed {seed}");
        assert_eq!(client.all("t").len(), 8, "seed {seed}");
        assert_eq!(client.append("t", from_producer(id, 0, 7, &[&wide])), 7, "a retry, seed {seed}");
        assert_eq!(client.append("t", from_producer(id, 0, 8, &["next"])), 8, "seed {seed}");
        assert_ne!(client.producer_id(), id, "seed {seed}");
    }
}

#[test]
fn a_raised_start_outlives_a_power_cut() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    for _ in 0..3 {
        client.append("t", batch(&["a"]));
    }
    assert_eq!(client.delete_records("t", 2).low_watermark, 2);
    cut_power(&mut node, &disk, PowerCut::Strict);
    assert_eq!(node.client().offset("t", EARLIEST).offset, 2);
}

#[test]
fn a_retry_is_acknowledged_only_once_it_is_durable() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    let id = client.producer_id();
    disk.set_completions(Completions::Queued);
    drop(client.send(PRODUCE, &produce_request("t", -1, from_producer(id, 0, 0, &["a"]))));
    // Its answer would come first: the batch is in the log, and not synced.
    while disk.pending_completions() == 0 {
        node.client().offset("t", LATEST);
    }
    node.kill();
    disk.crash_process();
    disk.set_completions(Completions::Immediate);
    node.restart();
    assert_eq!(node.client().append("t", from_producer(id, 0, 0, &["a"])), 0);
    cut_power(&mut node, &disk, PowerCut::Strict);
    assert_eq!(node.client().all("t"), ["a"]);
}

#[test]
fn what_is_not_durable_yet_is_neither_acknowledged_nor_seen() {
    let disk = SimDisk::new(1);
    let node = TestNode::start_on(&disk);
    let (mut client, mut other) = (node.client(), node.client());
    client.create("t", &[]);
    disk.set_completions(Completions::Queued);
    let polled = other.send(FETCH, &poll("t"));
    let produced: Vec<_> =
        (0..3).map(|_| client.send(PRODUCE, &produce_request("t", -1, batch(&["a"])))).collect();
    while disk.pending_completions() == 0 {
        node.client().offset("t", LATEST);
    }
    assert_eq!(node.client().offset("t", LATEST).offset, 0);
    assert!(values(&node.client().fetch("t", 0)).is_empty());
    disk.set_completions(Completions::Immediate);
    disk.run_completions();
    for sent in produced {
        assert_eq!(client.receive(sent).responses[0].partition_responses[0].error_code, 0);
    }
    assert!(!values(&only(other.receive(polled))).is_empty());
    assert_eq!(node.client().offset("t", LATEST).offset, 3);
}

#[test]
fn who_reads_what_is_not_in_memory_holds_up_nobody() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    let mut client = node.client();
    client.create("t", &[("segment.bytes", "1048576")]);
    let wide = "x".repeat(400_000);
    for _ in 0..8 {
        client.append("t", batch(&[&wide]));
    }
    node.stop();
    node.restart();
    let (mut late, mut client) = (node.client(), node.client());
    disk.set_completions(Completions::Queued);
    let fetched = late.send(FETCH, &fetch_request("t", 0));
    while disk.pending_completions() == 0 {
        client.offset("t", LATEST);
    }
    assert_eq!(client.offset("t", LATEST).offset, 8);
    disk.set_completions(Completions::Immediate);
    disk.run_completions();
    assert_eq!(values(&only(late.receive(fetched))), [wide.as_str(), &wide]);
}

#[test]
fn one_write_of_the_journal_covers_all_that_arrived_meanwhile() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    let mut client = node.client();
    for topic in ["t", "u", "v"] {
        client.create(topic, &[]);
    }
    disk.set_completions(Completions::Queued);
    let mut produce = |topic: &str| client.send(PRODUCE, &produce_request(topic, -1, batch(&["a"])));
    let mut sent = vec![produce("t")];
    while disk.pending_completions() == 0 {
        node.client().offset("v", LATEST);
    }
    sent.extend(["t", "u", "u", "v"].map(produce));
    // The first is on its way, and the last is in the log.
    let arrived =
        || node.node().hosted.partition("v", 0).is_some_and(|last| last.log().end_offset().get() > 0);
    while !arrived() {
        node.client().offset("v", LATEST);
    }
    assert_eq!(disk.pending_completions(), 1);
    disk.complete_next();
    assert_eq!(disk.pending_completions(), 1, "the other four are one write");
    disk.complete_next();
    for one in sent {
        assert_eq!(client.receive(one).responses[0].partition_responses[0].error_code, 0);
    }
    disk.set_completions(Completions::Immediate);
    cut_power(&mut node, &disk, PowerCut::Strict);
    assert_eq!((node.client().all("t").len(), node.client().all("u").len()), (2, 2));
}

#[test]
fn a_failed_write_of_the_journal_is_never_taken_for_a_success() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    let (mut client, mut other) = (node.client(), node.client());
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    let request = FetchRequest { max_wait_ms: 500, ..fetch_request("t", 1) };
    let polled = other.send(FETCH, &request);
    disk.fail(Fault::new(Op::Write, When::Every(1)).on("riverrun.journal"));
    let storage = ErrorCode::KafkaStorageError;
    assert_eq!(code(client.produce("t", batch(&["b"])).error_code), storage);
    assert!(values(&only(other.receive(polled))).is_empty(), "what is not durable is not seen");
    disk.clear_faults();
    assert_eq!(code(client.produce("t", batch(&["b"])).error_code), storage, "until it is opened again");
    assert_eq!(values(&client.fetch("t", 0)), ["a"], "what was acknowledged can be read");
    cut_power(&mut node, &disk, PowerCut::Strict);
    let mut client = node.client();
    assert_eq!(client.all("t"), ["a"]);
    assert_eq!(client.append("t", batch(&["b"])), 1);
}

#[test]
fn a_sync_that_succeeds_after_another_one_failed_acknowledges_nothing() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    let mut client = node.client();
    client.create("t", &[SYNCED[0], SYNCED[1], ("segment.bytes", "1048576")]);
    client.append("t", batch(&["a"]));
    disk.set_completions(Completions::Queued);
    let waiting = client.send(PRODUCE, &produce_request("t", -1, batch(&[&"x".repeat(600_000)])));
    while disk.pending_completions() == 0 {
        node.client().offset("t", LATEST);
    }
    // The next batch needs a new segment, for which the old one is synced at once.
    disk.fail(Fault::new(Op::Sync, When::Next).on("t-0"));
    let refused = node.client().produce("t", batch(&[&"x".repeat(600_000)]));
    assert_eq!(code(refused.error_code), ErrorCode::KafkaStorageError);
    disk.set_completions(Completions::Immediate);
    disk.run_completions();
    let answer = client.receive(waiting).responses[0].partition_responses[0].error_code;
    assert_eq!(code(answer), ErrorCode::KafkaStorageError, "the kernel has dropped it");
    cut_power(&mut node, &disk, PowerCut::Strict);
    assert_eq!(node.client().all("t"), ["a"]);
}

#[test]
fn one_sync_covers_all_partitions_of_a_request_though_its_client_hangs_up() {
    let disk = SimDisk::new(1);
    let node = TestNode::start_on(&disk);
    let mut client = node.client();
    for topic in ["t", "u", "v"] {
        client.create(topic, &SYNCED);
    }
    disk.set_completions(Completions::Queued);
    let mut request = produce_request("t", -1, batch(&["a"]));
    for topic in ["u", "v"] {
        request.topic_data.extend(produce_request(topic, -1, batch(&["a"])).topic_data);
    }
    drop(client.send(PRODUCE, &request));
    while disk.pending_completions() < 3 {
        node.client().offset("t", LATEST);
    }
    drop(client);
    disk.set_completions(Completions::Immediate);
    disk.run_completions();
    for topic in ["t", "u", "v"] {
        assert_eq!(values(&only(node.client().call(FETCH, &poll(topic)))), ["a"]);
    }
}

#[test]
fn a_failed_sync_takes_its_log_directory_offline_and_wakes_who_waits_for_it() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    let (mut client, mut other) = (node.client(), node.client());
    client.create("t", &SYNCED);
    client.create("u", &[]);
    client.append("t", batch(&["a"]));
    client.append("u", batch(&["a"]));
    let request = FetchRequest { max_wait_ms: LONG, ..fetch_request("t", 1) };
    let polled = other.send(FETCH, &request);
    disk.fail(Fault::new(Op::Sync, When::Every(1)).on("t-0"));
    let storage = ErrorCode::KafkaStorageError;
    assert_eq!(code(client.produce("t", batch(&["b"])).error_code), storage);
    assert_eq!(code(only(other.receive(polled)).error_code), storage);
    disk.clear_faults();
    assert_eq!(code(client.produce("t", batch(&["b"])).error_code), storage, "until it is opened again");
    assert_eq!(code(client.produce("u", batch(&["b"])).error_code), storage, "it is on the same disk");
    assert_eq!(values(&client.fetch("u", 0)), ["a"], "what was acknowledged can be read");
    // What was acknowledged is still there after a restart.
    cut_power(&mut node, &disk, PowerCut::Strict);
    let mut client = node.client();
    assert_eq!(client.all("t"), ["a"]);
    assert_eq!(client.append("t", batch(&["b"])), 1);
}

#[test]
fn a_full_disk_refuses_records_until_there_is_room() {
    let disk = SimDisk::new(1);
    let node = TestNode::start_on(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    client.append("t", batch(&["a"]));
    disk.set_capacity(Some(0));
    let wide = "x".repeat(100_000);
    assert_eq!(code(client.produce("t", batch(&[&wide])).error_code), ErrorCode::KafkaStorageError);
    assert_eq!(values(&client.fetch("t", 0)), ["a"], "what is there can be read");
    disk.set_capacity(None);
    assert_eq!(client.append("t", batch(&[&wide])), 1);
}

#[test]
fn a_log_directory_goes_on_where_what_its_journal_has_cannot_be_brought_into_a_log_for_now() {
    const EMFILE: i32 = 24;
    let disk = SimDisk::new(1);
    let node = TestNode::start_on_with(&disk, &["log.journal.bytes=4194304"]);
    let mut client = node.client();
    client.create("t", &[]);
    let wide = "x".repeat(100_000);
    client.append("t", batch(&[&wide]));
    // The indexes get their files with the first sync, which comes once a quarter of the journal is full.
    disk.fail(Fault::new(Op::Open, When::Every(1)).on("t-0").with_errno(EMFILE));
    for offset in 1..20 {
        assert_eq!(client.append("t", batch(&[&wide])), offset);
    }
    disk.clear_faults();
    for offset in 20..100 {
        assert_eq!(client.append("t", batch(&[&wide])), offset, "the journal is freed once that is possible");
    }
    assert_eq!(client.all("t").len(), 100);
}

#[test]
fn on_a_full_disk_records_can_be_deleted_and_their_room_is_there_at_once() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    let mut client = node.client();
    client.create("t", &[("segment.bytes", "1048576")]);
    let wide = "x".repeat(400_000);
    for _ in 0..6 {
        client.append("t", batch(&[&wide]));
    }
    disk.fill_up_after(0);
    assert_eq!(code(client.produce("t", batch(&[&wide])).error_code), ErrorCode::KafkaStorageError);
    let deleted = client.delete_records("t", 5);
    assert_eq!((code(deleted.error_code), deleted.low_watermark), (ErrorCode::None, 5));
    assert_eq!(client.append("t", batch(&["y"])), 6);
    cut_power(&mut node, &disk, PowerCut::Strict);
    let mut client = node.client();
    assert_eq!(client.offset("t", EARLIEST).offset, 5);
    assert_eq!(client.all("t").len(), 2);
}

#[test]
fn a_partition_that_could_not_get_its_first_files_gets_them_once_there_is_room() {
    let disk = SimDisk::new(1);
    let node = TestNode::start_on(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    disk.fail(Fault::new(Op::Write, When::Every(1)).on("partition.metadata").with(ErrorKind::StorageFull));
    let mut write = || code(client.produce("t", batch(&["a"])).error_code);
    assert_eq!(write(), ErrorCode::KafkaStorageError);
    disk.clear_faults();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match write() {
            ErrorCode::None => break,
            refused => assert_eq!(refused, ErrorCode::KafkaStorageError),
        }
        assert!(Instant::now() < deadline, "it is not tried again");
    }
    assert_eq!(values(&client.fetch("t", 0)), ["a"]);
}

#[test]
fn a_node_that_crashes_at_any_change_of_its_disk_starts_again() {
    let mut at = 0;
    loop {
        let disk = SimDisk::new(at);
        let mut node = TestNode::start_on(&disk);
        let mut client = node.client();
        client.create("t", &[]);
        client.append("t", batch(&["a"]));
        disk.halt_after(at);
        let answer = client.produce("t", batch(&["b"]));
        client.delete_records("t", 1);
        let halted = disk.is_halted();
        cut_power(&mut node, &disk, PowerCut::Chance(at));
        let mut client = node.client();
        let all = client.all("t");
        if answer.error_code == 0 {
            assert_eq!(all.last().map(String::as_str), Some("b"), "halted at {at}");
        }
        assert!(
            all.ends_with(&["b".to_owned()]) || all == ["a"] || all.is_empty(),
            "halted at {at}: {all:?}"
        );
        client.append("t", batch(&["c"]));
        if !halted {
            return;
        }
        at += 1;
        assert!(at < 100, "it always halts");
    }
}

#[test]
fn the_journal_of_a_partition_that_cannot_be_opened_is_kept_until_it_can() {
    let disk = SimDisk::new(1);
    let mut node = TestNode::start_on(&disk);
    let mut client = node.client();
    client.create("t", &[]);
    client.create("u", &[]);
    client.append("t", batch(&["a"]));
    client.append("u", batch(&["a"]));
    node.kill();
    // Only the journal has the records now.
    disk.power_cut(PowerCut::Strict);
    disk.fail(Fault::new(Op::Open, When::Every(1)).on("t-0/"));
    node.restart();
    let mut client = node.client();
    assert_eq!(code(client.produce("t", batch(&["b"])).error_code), ErrorCode::KafkaStorageError);
    assert_eq!(client.append("u", batch(&["b"])), 1);
    cut_power(&mut node, &disk, PowerCut::Strict);
    let mut client = node.client();
    assert_eq!(client.all("t"), ["a"]);
    assert_eq!(client.append("t", batch(&["b"])), 1);
    cut_power(&mut node, &disk, PowerCut::Strict);
    assert_eq!((node.client().all("t").len(), node.client().all("u").len()), (2, 2));
}
