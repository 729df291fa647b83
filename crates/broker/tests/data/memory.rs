//! What clients cost at most, however many they are and whatever they ask for at once.

#![allow(clippy::disallowed_methods, reason = "clients of their own threads")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::client::{FETCH, PRODUCE, batch, fetch_request, only, produce_request, values};
use crate::support::TestNode;

const MIB: usize = 1 << 20;

#[test]
fn many_large_requests_at_once_stay_within_the_memory_for_requests_and_are_all_answered() {
    let settings = ["socket.request.max.bytes=4194304", "queued.max.request.bytes=6291456"];
    let node = TestNode::start_with("large-requests", &settings);
    node.client().create("t", &[("max.message.bytes", "4000000")]);
    let (most, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let value = "x".repeat(2 * MIB);
    std::thread::scope(|threads| {
        let senders: Vec<_> = (0..24)
            .map(|_| {
                threads.spawn(|| {
                    let mut client = node.client();
                    let sent = client.send(PRODUCE, &produce_request("t", -1, batch(&[&value])));
                    client.receive(sent).responses[0].partition_responses[0].error_code
                })
            })
            .collect();
        threads.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                most.fetch_max(node.node().memory.requests.used(), Ordering::SeqCst);
                std::thread::yield_now();
            }
        });
        for sender in senders {
            assert_eq!(sender.join().expect("is answered"), 0);
        }
        done.store(true, Ordering::SeqCst);
    });
    let most = most.into_inner();
    assert!((2 * MIB..=6 * MIB).contains(&most), "{most} bytes were held");
    assert_eq!(node.client().offset("t", crate::client::LATEST).offset, 24);
}

#[test]
fn a_fetch_of_much_holds_no_records_in_memory() {
    let node = TestNode::start("large-fetches");
    let mut client = node.client();
    client.create("t", &[]);
    let value = "x".repeat(900_000);
    for _ in 0..60 {
        client.append("t", batch(&[&value]));
    }
    let mut fetch = fetch_request("t", 0);
    (fetch.max_bytes, fetch.topics[0].partitions[0].partition_max_bytes) = (50 << 20, 50 << 20);
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                let records = values(&only(node.client().call(FETCH, &fetch)));
                assert!(records.len() > 50, "{}", records.len());
                assert!(node.node().memory.answers.used() < MIB, "answers are spans of files");
            });
        }
    });
}
