"""The checks that every Python client goes through, written once against a small adapter.

An adapter says how one client does a thing; this file says what must come out. Each check prints one row
`ROW<TAB>client<TAB>check<TAB>PASS|FAIL|SKIP<TAB>seconds<TAB>message` that the harness reads.
"""
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field

CHECK_DEADLINE = int(os.environ.get("CHECK_DEADLINE", "60"))


class Skip(Exception):
    """The client itself cannot do it."""


@dataclass
class Rec:
    key: bytes | None
    value: bytes | None
    headers: list = field(default_factory=list)
    timestamp: int | None = None
    partition: int | None = None
    offset: int | None = None


def eq(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}"[:400])


def wait_until(condition, what, seconds=30):
    """Polls `condition` until it returns something true; its last answer is in the error."""
    deadline = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.05)


class MemberThread:
    """A group member that polls in a thread of its own, as an application does."""

    def __init__(self, adapter, group, topic):
        self.assignment, self.values, self.error = set(), [], None
        self.stop = threading.Event()
        self.adapter, self.group, self.topic = adapter, group, topic
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            member = self.adapter.member(self.group, self.topic)
            while not self.stop.is_set():
                self.values += [rec.value for rec in member.poll()]
                self.assignment = set(member.assignment())
            member.close()
        except Exception as error:  # The check that owns the member reports it.
            self.error = f"{type(error).__name__}: {error}"

    def end(self):
        self.stop.set()
        self.thread.join(20)
        if self.error:
            raise AssertionError(f"a member failed: {self.error}")


def numbered(count, **more):
    return [Rec(b"k%d" % i, b"v%d" % i, **more) for i in range(count)]


class Scenarios:
    def __init__(self, adapter, bootstrap):
        self.a, self.bootstrap = adapter, bootstrap
        self.run_id = f"{adapter.name}-{int(time.time())}"

    def topic(self, what, partitions=1, configs=None):
        name = f"{self.run_id}-{what}"
        self.a.create_topic(name, partitions, configs or {})
        wait_until(lambda: self.a.partition_count(name) == partitions, f"{name} in metadata")
        return name

    def check_create_topic(self):
        name = self.topic("create", 3, {"retention.ms": "123456"})
        assert name in self.a.list_topics(), "the topic is not listed"
        eq(self.a.get_config(name)["retention.ms"], "123456", "config given at creation")

    def codec(self, codec):
        if codec not in self.a.codecs:
            raise Skip(f"the client has no {codec}")
        name = self.topic(f"codec-{codec}")
        sent = [Rec(b"key-%d" % i, b"value " * 40 + b"%d" % i, [("n", b"%d" % i), ("n", b"again"), ("empty", b"")])
                for i in range(200)]
        offsets = [offset for _, offset in self.a.produce(name, sent, codec)]
        eq(offsets, list(range(200)), "offsets acknowledged")
        got = self.a.read(name, [0], 200)
        eq([(r.key, r.value) for r in got], [(r.key, r.value) for r in sent], "records")
        eq([list(r.headers) for r in got], [list(r.headers) for r in sent], "headers")
        eq([r.offset for r in got], list(range(200)), "offsets read")

    def check_null_key_and_value(self):
        name = self.topic("nulls")
        self.a.produce(name, [Rec(None, b"no key"), Rec(b"tombstone", None), Rec(b"", b"")], "none")
        eq([(r.key, r.value) for r in self.a.read(name, [0], 3)],
           [(None, b"no key"), (b"tombstone", None), (b"", b"")], "records")

    def check_large_records(self):
        name = self.topic("large")
        sent = [Rec(None, bytes([65 + i]) * 900_000) for i in range(4)]
        self.a.produce(name, sent, "none")
        got = self.a.read(name, [0], 4)
        eq([(len(r.value), r.value[:1]) for r in got], [(900_000, r.value[:1]) for r in sent], "records")

    def check_too_large_is_refused(self):
        name = self.topic("too-large", 1, {"max.message.bytes": "1000"})
        try:
            self.a.produce(name, [Rec(None, b"x" * 5000)], "none")
        except Skip:
            raise
        except Exception as error:
            text = f"{type(error).__name__} {error}".lower()
            assert "large" in text or "size" in text, f"the wrong error: {text}"
            return
        raise AssertionError("5,000 bytes were accepted where 1,000 are allowed")

    def check_idempotent_producer(self):
        name = self.topic("idempotent", 2)
        sent = [Rec(b"k", b"%d" % i, partition=i % 2) for i in range(500)]
        self.a.produce(name, sent, "none", idempotent=True)
        got = self.a.read(name, [0, 1], 500)
        for p in (0, 1):
            eq([r.value for r in got if r.partition == p], [r.value for r in sent if r.partition == p], f"partition {p}")

    def check_partitioned_by_key(self):
        name = self.topic("keys", 3)
        acked = self.a.produce(name, numbered(90), "none")
        assert len({p for p, _ in acked}) == 3, "90 keys did not reach all of 3 partitions"
        got = self.a.read(name, [0, 1, 2], 90)
        eq(sorted(r.value for r in got), sorted(r.value for r in numbered(90)), "records")

    def check_consume_from_timestamp(self):
        name = self.topic("time")
        base = int(time.time() * 1000) - 100_000
        self.a.produce(name, [Rec(None, b"%d" % i, timestamp=base + i * 1000) for i in range(50)], "none")
        got = self.a.read(name, [0], 20, from_time=base + 29_500)
        eq([r.value for r in got], [b"%d" % i for i in range(30, 50)], "records from the time")
        eq(got[0].timestamp, base + 30_000, "timestamp of the first")

    def check_commit_and_resume(self):
        name, group = self.topic("resume"), f"{self.run_id}-resume"
        self.a.produce(name, numbered(40), "none")
        first = self.a.take(group, name, 15)
        eq([r.value for r in first], [b"v%d" % i for i in range(15)], "first visit")
        second = self.a.take(group, name, 25)
        eq([r.value for r in second], [b"v%d" % i for i in range(15, 40)], "second visit")
        eq(self.a.group_offsets(group).get((name, 0)), 40, "committed offset")

    def check_group_of_three(self):
        name, group = self.topic("group", 6), f"{self.run_id}-three"
        one, two = MemberThread(self.a, group, name), MemberThread(self.a, group, name)

        def sizes(*members):
            for m in members:
                if m.error:
                    raise AssertionError(f"a member failed: {m.error}")
            return [len(m.assignment) for m in members]

        wait_until(lambda: sizes(one, two) == [3, 3], lambda: f"two members with 3 each: {sizes(one, two)}")
        self.a.produce(name, numbered(60), "none")
        wait_until(lambda: len(set(one.values + two.values)) == 60, lambda: f"60 records: {len(one.values + two.values)}")
        third = subprocess.Popen([sys.executable, sys.argv[0], self.bootstrap, "--member", group, name],
                                 stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: sizes(one, two) == [2, 2], lambda: f"a third takes 2: {sizes(one, two)}")
            wait_until(lambda: (lambda got: (got[0].lower(), got[1]) == ("stable", 3))(self.a.describe_group(group)),
                       "a stable group of three")
            third.send_signal(signal.SIGKILL)
            more = [Rec(b"m%d" % i, b"m%d" % i, partition=i % 6) for i in range(60)]
            self.a.produce(name, more, "none")
            wait_until(lambda: sizes(one, two) == [3, 3], lambda: f"two take over: {sizes(one, two)}")
            want = {r.value for r in more}
            wait_until(lambda: want <= set(one.values + two.values),
                       lambda: f"missing after the takeover: {sorted(want - set(one.values + two.values))[:5]}")
        finally:
            third.kill()
            third.wait()
            one.stop.set()
            two.stop.set()
        one.end()
        two.end()

    def check_describe_cluster(self):
        cluster, brokers = self.a.describe_cluster()
        assert cluster, "no cluster id"
        eq(brokers, 1, "brokers")

    def check_broker_configs(self):
        configs = self.a.broker_config()
        assert len(configs) > 150, f"only {len(configs)} broker configs"
        assert "log.retention.hours" in configs or "log.retention.ms" in configs, "no retention config"

    def check_alter_configs(self):
        name = self.topic("alter")
        self.a.alter_config(name, {"max.message.bytes": "54321"})
        wait_until(lambda: self.a.get_config(name)["max.message.bytes"] == "54321", "the new value")

    def check_create_partitions(self):
        name = self.topic("grow", 1)
        self.a.create_partitions(name, 4)
        wait_until(lambda: self.a.partition_count(name) == 4, "4 partitions")

    def check_offsets_and_delete_records(self):
        name = self.topic("trim")
        self.a.produce(name, numbered(30), "none")
        eq(self.a.list_offsets(name), (0, 30), "offsets before")
        self.a.delete_records(name, 12)
        eq(self.a.list_offsets(name), (12, 30), "offsets after")
        eq(self.a.read(name, [0], 18)[0].offset, 12, "first record left")

    def check_groups_listed_and_deleted(self):
        name, group = self.topic("gone"), f"{self.run_id}-gone"
        self.a.produce(name, numbered(5), "none")
        self.a.take(group, name, 5)
        assert group in self.a.list_groups(), "the group is not listed"
        wait_until(lambda: self.a.describe_group(group)[0].lower() == "empty", "the group is empty")
        self.a.delete_group(group)
        assert group not in self.a.list_groups(), "the group is still listed"

    def check_delete_topic(self):
        name = self.topic("delete")
        self.a.delete_topic(name)
        wait_until(lambda: name not in self.a.list_topics(), "the topic is gone")

    def rows(self):
        yield "create topic", self.check_create_topic
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            yield f"produce and consume {codec}", lambda codec=codec: self.codec(codec)
        yield "null key and value", self.check_null_key_and_value
        yield "records of 900 KB", self.check_large_records
        yield "too large is refused", self.check_too_large_is_refused
        yield "idempotent producer", self.check_idempotent_producer
        yield "partitioned by key", self.check_partitioned_by_key
        yield "consume from a timestamp", self.check_consume_from_timestamp
        yield "commit and resume", self.check_commit_and_resume
        yield "group of three, one joins, one is killed", self.check_group_of_three
        yield "describe cluster", self.check_describe_cluster
        yield "describe broker configs", self.check_broker_configs
        yield "alter topic configs", self.check_alter_configs
        yield "create partitions", self.check_create_partitions
        yield "list offsets and delete records", self.check_offsets_and_delete_records
        yield "list, describe and delete groups", self.check_groups_listed_and_deleted
        yield "delete topic", self.check_delete_topic


def on_alarm(_signal, _frame):
    raise TimeoutError(f"the check took more than {CHECK_DEADLINE} s")


def report(client, check, run):
    start = time.monotonic()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(CHECK_DEADLINE)
    try:
        run()
        status, message = "PASS", ""
    except Skip as skip:
        status, message = "SKIP", str(skip)
    except BaseException as error:
        status, message = "FAIL", f"{type(error).__name__}: {error}"
        traceback.print_exc()
    finally:
        signal.alarm(0)
    message = " ".join(message.split())[:300]
    print(f"ROW\t{client}\t{check}\t{status}\t{time.monotonic() - start:.1f}\t{message}", flush=True)


def main(make_adapter):
    bootstrap = sys.argv[1]
    adapter = make_adapter(bootstrap)
    if len(sys.argv) > 2 and sys.argv[2] == "--member":
        member = adapter.member(sys.argv[3], sys.argv[4], commit=False)
        while os.getppid() != 1:
            member.poll()
        return
    only = os.environ.get("ONLY_CHECK", "")
    for check, run in Scenarios(adapter, bootstrap).rows():
        if only in check:
            report(adapter.name, check, run)
    sys.stdout.flush()
    # Client threads that hang must not keep the harness waiting.
    os._exit(0)
