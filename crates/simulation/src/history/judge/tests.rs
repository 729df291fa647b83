//! Histories written by hand: one for each thing that must not be, and for what may be.

use std::sync::Arc;
use std::time::Duration;

use kernel::TopicPartition;

use super::super::{CallId, ClientId, Entry, Event, History, Op, Phase, Seen, Value};
use super::judge;

use Phase::{Fail, Info, Invoke, Ok};

/// Builds a history; every method adds one event and gives the builder back.
#[derive(Default)]
struct Told {
    history: History,
    client: u32,
    calls: u64,
}

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn value(id: u64) -> Value {
    Value { id, sum: id * 7 }
}

fn seen(records: &[(i64, u64)]) -> Vec<Seen> {
    records.iter().map(|(offset, id)| Seen { offset: *offset, value: Some(value(*id)) }).collect()
}

fn told() -> Told {
    Told::default()
}

impl Told {
    /// What follows is done by this client.
    fn by(mut self, client: u32) -> Self {
        self.client = client;
        self
    }

    fn event(mut self, call: u64, phase: Phase, op: Op, reason: Option<&str>) -> Self {
        let at = Duration::from_millis(self.history.entries.len() as u64);
        let (client, call, reason) = (ClientId(self.client), CallId(call), reason.map(str::to_owned));
        self.history.entries.push(Entry::Client(Event { at, client, call, phase, op, reason }));
        self
    }

    fn begin(mut self, op: Op) -> (Self, u64) {
        self.calls += 1;
        let call = 1_000_000 + self.calls;
        (self.event(call, Invoke, op, None), call)
    }

    fn begin_send(self, id: u64) -> Self {
        self.event(id, Invoke, Op::Send { to: partition(), value: value(id), offset: None }, None)
    }

    fn sent(self, id: u64, offset: i64) -> Self {
        self.event(id, Ok, Op::Send { to: partition(), value: value(id), offset: Some(offset) }, None)
    }

    fn not_sent(self, id: u64, phase: Phase, reason: &str) -> Self {
        self.event(id, phase, Op::Send { to: partition(), value: value(id), offset: None }, Some(reason))
    }

    /// From the call to the acknowledgement.
    fn send(self, id: u64, offset: i64) -> Self {
        self.begin_send(id).sent(id, offset)
    }

    fn read(self, position: i64, high_watermark: Option<i64>, records: &[(i64, u64)]) -> Self {
        self.read_values(position, high_watermark, seen(records))
    }

    fn read_values(self, position: i64, high_watermark: Option<i64>, records: Vec<Seen>) -> Self {
        let op = |records, high_watermark| Op::Read { from: partition(), position, records, high_watermark };
        let (told, call) = self.begin(op(Vec::new(), None));
        told.event(call, Ok, op(records, high_watermark), None)
    }

    fn drain(self, records: &[(i64, u64)]) -> Self {
        let (told, call) = self.begin(Op::Drain { of: partition(), records: Vec::new() });
        told.event(call, Ok, Op::Drain { of: partition(), records: seen(records) }, None)
    }

    fn end(self, end: i64) -> Self {
        let (told, call) = self.begin(Op::End { of: partition(), offset: None });
        told.event(call, Ok, Op::End { of: partition(), offset: Some(end) }, None)
    }

    fn committing(self, call: u64, phase: Phase, generation: i32, offset: i64) -> Self {
        let op = Op::Commit { group: Arc::from("g"), generation, offsets: [(partition(), offset)].into() };
        self.event(call, phase, op, None)
    }

    fn commit(mut self, generation: i32, offset: i64) -> Self {
        self.calls += 1;
        let call = 2_000_000 + self.calls;
        self.committing(call, Invoke, generation, offset).committing(call, Ok, generation, offset)
    }

    fn asking(self, call: u64, phase: Phase, offset: i64) -> Self {
        let op = Op::Committed { group: Arc::from("g"), offsets: [(partition(), offset)].into() };
        self.event(call, phase, op, None)
    }

    fn committed(mut self, offset: i64) -> Self {
        self.calls += 1;
        let call = 3_000_000 + self.calls;
        self.asking(call, Invoke, -1).asking(call, Ok, offset)
    }

    fn join(self, generation: i32) -> Self {
        let op = Op::Join { group: Arc::from("g"), generation };
        let (told, call) = self.begin(op.clone());
        told.event(call, Ok, op, None)
    }

    #[track_caller]
    fn finds(self, kinds: &[&str]) {
        let found = judge(&self.history);
        let places = self.history.entries.len();
        assert!(found.iter().all(|one| !one.proof.is_empty() && one.proof.iter().all(|at| *at < places)));
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.iter().map(|one| one.kind).collect::<Vec<_>>(), kinds, "{shown:#?}");
    }
}

#[test]
fn a_history_in_which_all_is_well_finds_so() {
    told()
        .send(1, 0)
        .send(2, 1)
        .read(0, Some(2), &[(0, 1), (1, 2)])
        .read(2, Some(2), &[])
        .end(2)
        .commit(-1, 2)
        .committed(2)
        .drain(&[(0, 1), (1, 2)])
        .finds(&[]);
}

#[test]
fn a_write_of_unknown_outcome_may_appear_or_not() {
    let unknown = || told().begin_send(1).not_sent(1, Info, "timed out").send(2, 5);
    unknown().drain(&[(5, 2)]).finds(&[]);
    unknown().drain(&[(0, 1), (5, 2)]).finds(&[]);
    told().begin_send(1).drain(&[(0, 1)]).finds(&[]);
}

#[test]
fn gaps_between_offsets_are_fine() {
    told().send(1, 0).send(2, 7).read(0, Some(8), &[(0, 1), (7, 2)]).drain(&[(0, 1), (7, 2)]).finds(&[]);
}

#[test]
fn an_acknowledged_write_that_is_not_there_in_the_end_is_lost() {
    told().send(1, 0).send(2, 1).drain(&[(1, 2)]).finds(&["lost write"]);
}

#[test]
fn an_acknowledged_write_in_a_partition_that_cannot_be_read_is_unread() {
    told().send(1, 0).finds(&["unread"]);
}

#[test]
fn a_deleted_topic_loses_nothing() {
    let (told, call) = told().send(1, 0).begin(Op::DeleteTopic { name: Arc::from("t") });
    told.event(call, Ok, Op::DeleteTopic { name: Arc::from("t") }, None).finds(&[]);
}

#[test]
fn a_record_at_two_offsets_is_a_duplicate() {
    told().send(1, 0).drain(&[(0, 1), (1, 1)]).finds(&["duplicate"]);
}

#[test]
fn records_of_a_producer_in_another_order_are_reordered() {
    told().begin_send(1).begin_send(2).sent(2, 0).sent(1, 1).drain(&[(0, 2), (1, 1)]).finds(&["reordered"]);
    // Of two producers either can be first.
    let two = told().by(1).begin_send(1).by(2).begin_send(2).sent(2, 0).by(1).sent(1, 1);
    two.drain(&[(0, 2), (1, 1)]).finds(&[]);
}

#[test]
fn bytes_that_nobody_sent_are_wrong() {
    let other = |value| vec![Seen { offset: 0, value }];
    let sent = || told().begin_send(1);
    sent().read_values(0, None, other(None)).finds(&["wrong bytes"]);
    sent().read_values(0, None, other(Some(Value { id: 1, sum: 1 }))).finds(&["wrong bytes"]);
    sent().read_values(0, None, other(Some(value(9)))).finds(&["wrong bytes"]);
}

#[test]
fn a_record_in_another_partition_than_it_was_sent_to_is_found() {
    let to = TopicPartition::new("t", 1);
    let told = told().event(1, Invoke, Op::Send { to, value: value(1), offset: None }, None);
    told.read(0, None, &[(0, 1)]).finds(&["wrong partition"]);
}

#[test]
fn an_offset_that_changes_its_content_is_inconsistent() {
    let two = || told().begin_send(2).begin_send(1);
    two().read(0, None, &[(0, 1)]).by(1).read(0, None, &[(0, 2)]).finds(&["inconsistent offset"]);
    // Between an acknowledgement and a read.
    two()
        .sent(1, 0)
        .read(0, None, &[(0, 2)])
        .drain(&[(0, 2), (1, 1)])
        .finds(&["inconsistent offset", "inconsistent offset"]);
}

#[test]
fn a_refused_write_must_not_be_seen() {
    told().begin_send(1).not_sent(1, Fail, "too large").drain(&[(0, 1)]).finds(&["refused write seen"]);
}

#[test]
fn a_producer_that_skips_nothing_is_never_out_of_sequence() {
    let reason = "the broker answers OUT_OF_ORDER_SEQUENCE_NUMBER (45)";
    told().begin_send(1).not_sent(1, Info, reason).finds(&["refused sequence"]);
}

#[test]
fn what_was_read_stays_there() {
    // Not acknowledged, so it is not a lost write: but nobody should have been given it.
    told().begin_send(1).read(0, None, &[(0, 1)]).drain(&[]).finds(&["vanished"]);
}

#[test]
fn a_read_gives_every_record_of_its_range() {
    let sent = || told().send(1, 0).send(2, 1).send(3, 2);
    let all = [(0, 1), (1, 2), (2, 3)];
    sent().read(0, None, &[(0, 1), (2, 3)]).drain(&all).finds(&["unseen"]);
    sent().read(0, None, &[(1, 2), (2, 3)]).drain(&all).finds(&["unseen"]);
}

#[test]
fn a_consumer_reads_on_where_it_ended() {
    let sent = || told().send(1, 0).send(2, 1).by(7);
    let all = [(0, 1), (1, 2)];
    sent().read(0, None, &[(0, 1)]).read(2, None, &[]).drain(&all).finds(&["poll skip"]);
    sent().read(0, None, &all).read(1, None, &[(1, 2)]).drain(&all).finds(&["nonmonotonic poll"]);
    sent().read(0, None, &[(1, 2), (0, 1)]).drain(&all).finds(&["nonmonotonic poll"]);
    let (seeks, call) = sent().read(0, None, &all).begin(Op::Seek { of: partition(), to: 1 });
    let seeks = seeks.event(call, Ok, Op::Seek { of: partition(), to: 1 }, None);
    seeks.read(1, None, &[(1, 2)]).drain(&all).finds(&[]);
    // A member of a group begins where the group has committed.
    sent().join(1).read(0, None, &all).join(2).read(1, None, &[(1, 2)]).drain(&all).finds(&[]);
}

#[test]
fn a_position_that_was_reached_is_not_refused() {
    let op = || Op::Read { from: partition(), position: 1, records: Vec::new(), high_watermark: None };
    let (told, call) = told().send(1, 0).read(0, None, &[(0, 1)]).drain(&[(0, 1)]).begin(op());
    told.event(call, Fail, op(), Some("out of range")).finds(&["position gone"]);
}

#[test]
fn the_high_watermark_never_goes_backward() {
    let all = [(0, 1), (1, 2)];
    let sent = || told().send(1, 0).send(2, 1);
    sent().end(2).end(1).drain(&all).finds(&["high watermark backward"]);
    sent().read(0, Some(2), &all).end(1).drain(&all).finds(&["high watermark backward"]);
    // A consumer may give later what it has got before.
    sent().end(2).by(1).read(0, Some(1), &[(0, 1)]).drain(&all).finds(&[]);
    // It covers what is acknowledged.
    sent().end(1).drain(&all).finds(&["high watermark backward"]);
}

#[test]
fn answers_that_cross_each_other_may_tell_an_older_high_watermark() {
    let op = |offset| Op::End { of: partition(), offset };
    told()
        .begin_send(1)
        .event(50, Invoke, op(None), None)
        .sent(1, 0)
        .end(1)
        .event(50, Ok, op(Some(0)), None)
        .drain(&[(0, 1)])
        .finds(&[]);
}

#[test]
fn the_high_watermark_is_not_beyond_what_is_there_in_the_end() {
    told().send(1, 0).end(3).drain(&[(0, 1)]).finds(&["high watermark vanished"]);
}

#[test]
fn nothing_is_read_past_the_high_watermark() {
    told().begin_send(1).read(0, Some(0), &[(0, 1)]).drain(&[(0, 1)]).finds(&["read past high watermark"]);
}

#[test]
fn a_commit_that_was_acknowledged_is_told() {
    told().commit(-1, 5).committed(-1).finds(&["commit backward"]);
    told().commit(-1, 5).commit(-1, 8).committed(5).finds(&["commit backward"]);
    told().commit(-1, 5).committed(6).finds(&["invented commit"]);
    // Somebody wanted to go back.
    told().commit(-1, 8).commit(-1, 5).committed(5).finds(&[]);
}

#[test]
fn a_commit_of_unknown_outcome_may_count_at_any_time() {
    let unknown = || told().committing(1, Invoke, -1, 5).committing(1, Info, -1, 5).commit(-1, 8);
    unknown().committed(8).finds(&[]);
    unknown().committed(5).finds(&[]);
    unknown().committed(8).committed(5).finds(&[]);
    told().committing(1, Invoke, -1, 5).committing(1, Fail, -1, 5).committed(5).finds(&["invented commit"]);
}

#[test]
fn a_commit_that_somebody_was_told_does_not_go_backward() {
    let both = || told().commit(-1, 5).committing(1, Invoke, -1, 8).committing(1, Info, -1, 8);
    both().committed(5).committed(8).finds(&[]);
    both().committed(8).committed(5).finds(&["commit backward"]);
}

#[test]
fn a_question_that_overlaps_a_commit_may_be_told_either() {
    for told_offset in [5, 8] {
        told()
            .commit(-1, 5)
            .committing(1, Invoke, -1, 8)
            .asking(2, Invoke, -1)
            .committing(1, Ok, -1, 8)
            .asking(2, Ok, told_offset)
            .finds(&[]);
    }
}

#[test]
fn an_older_generation_commits_nothing() {
    told().join(1).join(2).commit(1, 5).finds(&["zombie commit"]);
    told().join(1).commit(1, 5).join(2).commit(2, 6).finds(&[]);
    // It began before anybody knew of the next.
    let crossing = told().join(1).committing(1, Invoke, 1, 5).join(2).committing(1, Ok, 1, 5);
    crossing.finds(&[]);
}

#[test]
fn what_does_not_come_after_healing_is_stuck() {
    let mut told = told();
    told.history.entries.push(Entry::Stuck { at: Duration::ZERO, what: "no broker".to_owned() });
    told.finds(&["stuck"]);
}
