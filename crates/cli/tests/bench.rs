//! `riverrun bench` against a real broker.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::terminal::Terminal;
use support::{Broker, code_of};

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
    // Apache Kafka's brokers hear of a topic after its controller has made it.
    let deadline = Instant::now() + Duration::from_secs(60);
    while broker.run(&["topic", "describe", "small"]).code != Some(0) {
        assert!(Instant::now() < deadline, "the topic is not there");
    }
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

#[test]
fn latency_is_measured_once_the_reader_has_had_an_answer_for_every_partition() {
    let broker = Broker::start("bench-reader");
    let wait = Duration::from_millis(1500);
    let begun = Instant::now();
    let run = ["bench", "latency", "-n", "20", "--rate", "100", "-X", "fetch.max.wait.ms=1500"];
    let figures = json(broker.run(&[&run[..], &["--format", "json"]].concat()).ok());
    assert!(begun.elapsed() >= wait, "its first answer comes when nothing was written for so long");
    let seconds = figures["seconds"].as_f64().expect("it is told");
    assert!(begun.elapsed() >= wait + Duration::from_secs_f64(seconds), "that is in no figure: {figures}");
    assert_eq!((&figures["records"], &figures["missing"]), (&20.into(), &0.into()));
    // One that waits for an answer to others does so for most of that time.
    assert!(figures["arrived_ms"]["p50"].as_f64().is_some_and(|time| time < 750.0), "{figures}");
}

#[test]
fn each_record_is_measured_at_a_rate_and_no_percentile_is_told_that_there_is_none_of() {
    let broker = Broker::start("bench-measured");
    let slow = ["bench", "produce", "--rate", "500", "-n", "30"];
    let figures = json(broker.run(&[&slow[..], &["--format", "json"]].concat()).ok());
    let times = &figures["acknowledged_ms"];
    assert_eq!(figures["acknowledged_measured"], 30, "{figures}");
    assert!(times["p95"].is_f64() && times["p99"].is_null() && times["p99.9"].is_null(), "{figures}");
    let table = broker.run(&slow);
    assert!(table.ok().contains(", at most ") && !table.ok().contains("measured"), "{table:?}");
    let fast =
        json(broker.run(&["bench", "produce", "-n", "100000", "--size", "1", "--format", "json"]).ok());
    let measured = fast["acknowledged_measured"].as_u64().expect("it is told");
    assert!((1000..=100_000).contains(&measured) && fast["acknowledged_ms"]["p99.9"].is_f64(), "{fast}");
}

#[test]
fn a_record_that_is_due_after_the_time_is_not_waited_for() {
    let broker = Broker::start("bench-due");
    let run = ["bench", "produce", "--rate", "0.05", "--time", "1s", "--format", "json"];
    let figures = json(broker.run(&run).ok());
    assert_eq!(figures["records"], 1, "{figures}");
    assert!(figures["seconds"].as_f64().is_some_and(|took| (1.0..10.0).contains(&took)), "{figures}");
}

#[test]
fn a_rate_that_is_not_reached_is_told_with_what_was_not_written() {
    let broker = Broker::start("bench-behind");
    let run = ["bench", "latency", "--rate", "10000000", "--time", "100ms"];
    let figures = json(broker.run(&[&run[..], &["--format", "json"]].concat()).ok());
    let count = |name: &str| figures[name].as_u64().expect("it is told");
    assert!(count("not_written") > 0 && count("records") > 0, "{figures}");
    assert_eq!(count("not_written") + count("records"), 1_000_000, "{figures}");
    assert!(figures["records_per_second"].as_f64().is_some_and(|rate| rate < 10_000_000.0), "{figures}");
    let table = broker.run(&run);
    assert!(table.ok().contains("that were due at 10000000 a second"), "{table:?}");

    let kept = json(broker.run(&["bench", "latency", "-n", "20", "--rate", "100", "--format", "json"]).ok());
    assert_eq!((&kept["not_written"], &kept["records"]), (&0.into(), &20.into()), "{kept}");
    assert!(kept["seconds"].as_f64().is_some_and(|seconds| seconds >= 0.2), "{kept}");
}

#[test]
fn every_run_shows_on_a_terminal_how_far_it_is() {
    let broker = Broker::start("bench-progress");
    for bench in ["latency", "produce"] {
        let run = ["bench", bench, "--rate", "50", "--time", "2s"];
        let seen = Terminal::default().run(broker.command(&run), "");
        assert_eq!(seen.code, Some(0), "{seen:?}");
        assert!(seen.screen.contains(" a second, ") && seen.screen.contains(" left"), "{seen:?}");
    }
}

#[test]
fn a_run_says_what_it_can_do_about_a_compacted_topic_and_which_unit_is_meant() {
    let broker = Broker::start("bench-compacted");
    broker.run(&["topic", "create", "a", "--partitions", "1", "--config", "cleanup.policy=compact"]).ok();
    for bench in ["produce", "latency"] {
        let refused = broker.run(&["bench", bench, "a", "-n", "3"]);
        assert!(
            refused.failed(1).contains("without keys") && !refused.stderr.contains("--key"),
            "{refused:?}"
        );
    }
    let linger = |text: &str| broker.run(&["bench", "produce", "-n", "3", "--linger", text]);
    assert!(linger("3").failed(2).contains("3ms, or 3s"), "as linger.ms it would be of milliseconds");
    linger("0").ok();
    linger("3ms").ok();
}

#[test]
fn a_run_that_is_interrupted_shows_what_it_measured_and_ends_by_the_signal() {
    let broker = Broker::start("bench-torn");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    for bench in [["bench", "produce"], ["bench", "latency"]] {
        let before = broker.run(&["bench", "consume", "a", "--format", "json"]);
        let before = json(before.ok())["records"].as_u64().expect("it is a number");
        let run = broker.begin(&[&bench[..], &["a", "--rate", "100", "--time", "50s"]].concat());
        let deadline = Instant::now() + Duration::from_secs(50);
        while broker.run(&["consume", "a", "--from", ":end", "--format", "name"]).ok().lines().count() as u64
            == before
        {
            assert!(Instant::now() < deadline, "nothing is written in time");
        }
        support::interrupt(&run);
        let ended = run.wait_with_output().expect("it has ended");
        let (shown, said) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert_eq!(code_of(ended.status), Some(130), "{said}");
        assert!(shown.contains("records") && shown.contains("acknowledged"), "{shown}");
        assert!(said.contains("interrupted: the figures are of what was done before"), "{said}");
    }
}

#[test]
fn a_topic_that_a_run_has_to_leave_behind_is_named_with_the_way_to_delete_it() {
    let broker = Broker::start("bench-left");
    let mut run = broker.begin(&["bench", "produce", "--rate", "100", "--time", "50s"]);
    let deadline = Instant::now() + Duration::from_secs(50);
    while topics(&broker).is_empty() {
        assert!(Instant::now() < deadline, "the topic of the run is not there in time");
    }
    let name = topics(&broker);
    broker.pause();
    while run.try_wait().expect("it can be asked").is_none() {
        assert!(Instant::now() < deadline, "the run does not end in time");
        support::interrupt(&run);
        std::thread::sleep(Duration::from_millis(100));
    }
    broker.go_on();
    let ended = run.wait_with_output().expect("it has ended");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(code_of(ended.status), Some(130), "{said}");
    let name = name.trim_end();
    assert!(said.contains(&format!("the topic {name} of this run may be left behind: ")), "{said}");
    assert!(
        said.contains(&format!("next: `riverrun topic delete {name}` deletes it if it is there")),
        "{said}"
    );
}

#[test]
fn records_that_nobody_acknowledged_are_counted_in_every_format() {
    let broker = Broker::start("bench-lost");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    let short = ["-X", "delivery.timeout.ms=1500", "-X", "request.timeout.ms=1000", "--format"];
    let formats = ["json", "table", "name"];
    for (bench, format) in
        ["produce", "latency"].into_iter().flat_map(|bench| formats.map(|format| (bench, format)))
    {
        let written =
            || broker.run(&["consume", "a", "--from", ":end", "--format", "name"]).ok().lines().count();
        let before = written();
        let load = ["bench", bench, "a", "--rate", "100", "--time", "50s"];
        let run = broker.begin(&[&load[..], &short, &[format]].concat());
        let deadline = Instant::now() + Duration::from_secs(50);
        while written() < before + 20 {
            assert!(Instant::now() < deadline, "nothing is written in time");
        }
        broker.pause();
        let ended = run.wait_with_output().expect("it has ended");
        broker.go_on();
        let (shown, said) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert_eq!(code_of(ended.status), Some(1), "{said}");
        // More than a second of them was sent before the first was given up.
        let told = said.split_once(" records were not acknowledged: ").expect("it is said how many");
        let lost: u64 = told.0.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("it is a number");
        assert!((50..5000).contains(&lost), "{said}");
        match format {
            "json" => {
                let figures = json(&shown);
                assert_eq!(figures["not_acknowledged"], lost, "{figures}");
                assert!(figures["records"].as_u64().is_some_and(|records| records > 0), "{figures}");
            }
            "table" => assert!(shown.contains(&format!("{lost}; their times are in no figure")), "{shown}"),
            _ => assert_eq!(shown, "a\n"),
        }
    }
}

#[test]
fn a_reader_whose_time_is_up_says_what_it_has_not_read_and_whether_anybody_answers() {
    let broker = Broker::start("bench-unread");
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run(&["bench", "produce", "a", "-n", "20000", "--size", "10"]).ok();
    let run = ["bench", "consume", "a", "--format", "json"];
    let whole = json(broker.run(&run).ok());
    assert_eq!((&whole["ended"], &whole["left"]), (&"end".into(), &0.into()), "{whole}");
    let some = json(broker.run(&[&run[..], &["-n", "10"]].concat()).ok());
    assert_eq!((&some["ended"], &some["left"]), (&"number".into(), &0.into()), "{some}");
    let short = broker.run(&[&run[..], &["--time", "1ms"]].concat());
    let figures = json(short.ok());
    assert_eq!(figures["ended"], "time", "{figures}");
    assert!(short.stderr.contains(" of a were not read when the time was up"), "{short:?}");
}

/// Stands before a broker, and lets so many bytes more of its answers through until it is as silent as one that hangs.
struct Gate {
    address: String,
    left: Arc<AtomicUsize>,
}

impl Gate {
    /// On a port that a broker may be told to have, before it is there.
    fn open(listener: TcpListener, broker: String) -> Gate {
        let address = listener.local_addr().expect("it is bound").to_string();
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let budget = left.clone();
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (near, budget) = (near.expect("somebody connects"), budget.clone());
                let far = TcpStream::connect(&broker).expect("the broker is there");
                let (mut asked, mut asks) =
                    (near.try_clone().expect("it is open"), far.try_clone().expect("it is open"));
                std::thread::spawn(move || std::io::copy(&mut asked, &mut asks));
                std::thread::spawn(move || Gate::answer(far, near, &budget));
            }
        });
        Gate { address, left }
    }

    fn answer(mut far: TcpStream, mut near: TcpStream, budget: &AtomicUsize) {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = far.read(&mut buffer) {
            let before = budget.fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(read)));
            // What is held back is not answered, and the connection stays.
            let passes = before.is_ok_and(|left| left >= read);
            if passes && near.write_all(buffer.get(..read).unwrap_or_default()).is_err() {
                break;
            }
        }
    }
}

#[test]
fn a_reader_whom_nobody_answers_any_more_fails_and_says_what_it_has_not_read() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let told = listener.local_addr().expect("it is bound");
    let broker = Broker::start_with("bench-silent", &[&format!("advertised.listeners=PLAINTEXT://{told}")]);
    let gate = Gate::open(listener, broker.bootstrap.clone());
    broker.run(&["topic", "create", "a", "--partitions", "1"]).ok();
    broker.run(&["bench", "produce", "a", "-n", "5000", "--size", "1000"]).ok();
    for format in ["json", "table", "name"] {
        gate.left.store(500_000, Relaxed);
        let run = ["bench", "consume", "a", "--time", "2s", "--format", format];
        let small = ["-X", "max.partition.fetch.bytes=20000", "-X", "fetch.max.bytes=20000"];
        let silent = support::run(support::command_at(&gate.address, &[&run[..], &small].concat()), "");
        gate.left.store(usize::MAX, Relaxed);
        let said = silent.failed(1);
        assert!(said.contains(" records of a were not read: nothing came for the last "), "{said}");
        assert!(said.contains(&format!("no broker answers at {}", gate.address)), "{said}");
        assert!(
            said.contains(
                "
next: "
            ),
            "{said}"
        );
        match format {
            "json" => {
                let figures = json(&silent.stdout);
                let number = |name: &str| figures[name].as_u64().unwrap_or_default();
                assert_eq!(figures["ended"], "time", "{figures}");
                assert_eq!(number("records") + number("left"), 5000, "{figures}");
                assert!(figures["quiet_seconds"].as_f64().is_some_and(|quiet| quiet > 0.0), "{figures}");
            }
            "table" => assert!(
                silent.stdout.contains(
                    "
left "
                ),
                "{silent:?}"
            ),
            _ => assert_eq!(
                silent.stdout,
                "a
"
            ),
        }
    }
}
