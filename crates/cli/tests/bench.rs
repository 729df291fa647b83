//! `riverrun bench` against a real broker.

mod support;

use serde_json::Value;
use support::Broker;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

fn topics(broker: &Broker) -> String {
    broker.run(&["topic", "list", "--format", "name"]).ok().to_owned()
}

#[test]
fn a_run_writes_as_many_records_as_were_asked_for_and_leaves_nothing_behind() {
    let broker = Broker::start("bench-produce");
    let run = broker.run(&["bench", "produce", "-n", "1000", "--size", "100", "--format", "json"]);
    let figures = json(run.ok());
    assert_eq!((&figures["records"], &figures["bytes"]), (&1000.into(), &100_000.into()));
    assert!(figures["acknowledged_ms"]["p50"].as_f64().is_some_and(|time| time > 0.0), "{figures}");
    assert_eq!(topics(&broker), "", "the topic of the run is gone");
    assert!(broker.run(&["bench", "produce", "nowhere"]).failed(3).contains("nowhere"));
    broker.run(&["bench", "produce", "--rate", "0"]).failed(2);
}

#[test]
fn what_was_written_to_a_named_topic_is_read_in_the_same_number() {
    let broker = Broker::start("bench-consume");
    broker.run(&["topic", "create", "a", "--partitions", "3"]).ok();
    broker.run(&["bench", "produce", "a", "-n", "5000", "--size", "10", "--compression", "lz4"]).ok();
    let read = json(broker.run(&["bench", "consume", "a", "--format", "json"]).ok());
    assert_eq!((&read["records"], &read["bytes"]), (&5000.into(), &50_000.into()));
    let some = json(broker.run(&["bench", "consume", "a", "-n", "10", "--format", "json"]).ok());
    assert_eq!(some["records"], 10);
    assert_eq!(topics(&broker), "a\n");
    let table = broker.run(&["bench", "consume", "a"]);
    assert!(table.ok().contains("5000 in "), "{table:?}");
}

#[test]
fn values_that_cannot_be_sent_are_refused_before_anything_is_made_for_them() {
    let broker = Broker::start("bench-size");
    for bench in ["latency", "produce"] {
        let large = broker.run(&["bench", bench, "-n", "1", "--size", "67108865"]);
        assert!(
            large.failed(2).contains("at most 67108864: a run raises max.request.size so far"),
            "{large:?}"
        );
        let small = broker.run(&["bench", bench, "-n", "1", "--size", "5000", "-X", "max.request.size=1000"]);
        let words = small.failed(1);
        assert!(words.contains("5000 bytes is larger than max.request.size allows (1000)"), "{words}");
        assert!(words.contains("next: ") && small.stdout.is_empty(), "{small:?}");
    }
    let few = broker.run(&["bench", "latency", "-n", "1", "--size", "7"]);
    assert!(few.failed(2).contains("at least 8"), "{few:?}");
    let run = ["bench", "latency", "-n", "1", "--size", "3000000", "--format", "json"];
    let figures = json(broker.run(&run).ok());
    assert_eq!((&figures["records"], &figures["missing"]), (&1.into(), &0.into()), "{figures}");
    broker.run(&["topic", "create", "small", "--partitions", "1", "--config", "max.message.bytes=500"]).ok();
    let refused = broker.run(&["bench", "latency", "small", "-n", "1", "--size", "1000"]);
    assert!(refused.failed(1).contains("max.message.bytes of small"), "{refused:?}");
    assert!(!refused.stdout.contains("missing"), "what was refused is not late: {refused:?}");
}

#[test]
fn every_record_of_a_latency_run_is_acknowledged_and_arrives() {
    let broker = Broker::start("bench-latency");
    let run = ["bench", "latency", "-n", "50", "--rate", "500", "--acks", "leader", "--format", "json"];
    let figures = json(broker.run(&run).ok());
    assert_eq!((&figures["records"], &figures["missing"]), (&50.into(), &0.into()));
    for times in ["acknowledged_ms", "arrived_ms"] {
        assert!(figures[times]["max"].as_f64().is_some_and(|time| time > 0.0), "{times}: {figures}");
    }
    assert_eq!(topics(&broker), "");
}
