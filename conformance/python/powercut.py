"""Load and judge for `cargo xtask powercut`: librdkafka's idempotent producers, a group that commits, a reader that follows.

Told on standard input what the harness does, a word a line, and answers:
  CUT    the broker is dead; answers `READY` once nothing that it said before is left to be heard, then tells with
         `BACK produce` and `BACK read` when the next broker acknowledges and serves records
  JUDGE  stops the load, waits until everything sent is acknowledged, reads back what is new; answers `JUDGED {...}`
  WHOLE  the same, and reads everything there is
  LOAD   goes on
Prints `ACKED n` as it goes.
"""
import json
import queue
import sys
import threading
import time

import confluent_kafka as ck
from confluent_kafka import admin as adm

from powercut_judge import FAST, Committer, Follower, Keyed, Numbered, read_compacted, read_numbered

TICK = 0.01
# What one topic is sent in a tick; every size of batch, one and many partitions, with and without compression.
NUMBERED = [
    Numbered("one", 1, lambda seq: 100, per_tick=8, settings={"linger.ms": 0, "batch.num.messages": 1}),
    Numbered("few", 12, lambda seq: 200, per_tick=36, settings={"linger.ms": 5, "compression.type": "lz4"}, configs={"segment.bytes": "1048576"}),
    Numbered("many", 128, lambda seq: 100, per_tick=32, settings={"linger.ms": 5}),
    # Batches of about 1 MB, which are not put into the journal but synced where they lie.
    Numbered("large", 2, lambda seq: 16384, per_tick=2, settings={"linger.ms": 200, "batch.size": 1000000}, configs={"segment.bytes": "67108864"}),
    # Both kinds in the same partition, the one waiting for the other.
    Numbered("mixed", 4, lambda seq: 400000 if seq % 400 == 399 else 300, per_tick=4, settings={"linger.ms": 2, "batch.size": 900000}),
]
KEYED = Keyed("compacted", 2, keys=400, per_tick=12)


class Load:
    """Everything that is sent, by one producer a topic."""

    def __init__(self, bootstrap):
        self.bootstrap, self.refused, self.pause, self.back = bootstrap, [], threading.Event(), None
        self.topics = [*NUMBERED, KEYED]
        self.producers = {topic.name: self.producer(topic) for topic in self.topics}

    def producer(self, topic):
        return ck.Producer({
            **FAST, "bootstrap.servers": self.bootstrap, "enable.idempotence": True, "acks": "all", "message.timeout.ms": 0,
            "queue.buffering.max.messages": 4000, "error_cb": lambda error: print(error, file=sys.stderr),
            **topic.settings})

    def delivered(self, topic, error, message, ticket):
        if error is None:
            topic.acked(message.partition(), ticket, message.offset())
            if self.back is not None:
                self.back("produce")
                self.back = None
        else:
            topic.unknown(message.partition(), ticket)
            self.refused.append(f"{topic.name}: {error}")

    def send(self):
        for topic in self.topics:
            producer, fatal = self.producers[topic.name], None
            for _ in range(topic.per_tick):
                partition, key, value, headers, ticket = topic.next()
                try:
                    producer.produce(
                        topic.name, value=value, key=key, headers=headers, partition=partition,
                        on_delivery=lambda error, message, topic=topic, ticket=ticket: self.delivered(topic, error, message, ticket))
                    topic.sent(partition, ticket)
                except BufferError:
                    break
                except ck.KafkaException as error:
                    fatal = str(error)
                    break
            if fatal is not None:
                self.begin_anew(topic, fatal)

    def begin_anew(self, topic, fatal):
        """What was sent cannot be continued: the broker has forgotten what it acknowledged."""
        print(topic.name, fatal, file=sys.stderr)
        producer, self.producers[topic.name] = self.producers[topic.name], self.producer(topic)
        producer.purge()
        deadline = time.monotonic() + 10
        while len(producer) > 0 and time.monotonic() < deadline:
            self.poll_one(producer)

    def poll(self):
        return sum(map(self.poll_one, list(self.producers.values())))

    def poll_one(self, producer):
        try:
            return producer.poll(0)
        except (ck.KafkaException, SystemError) as error:
            # Out of a callback; whose producer it is learns of it when it sends.
            print("poll:", error, file=sys.stderr)
            return 1

    def settle(self, limit):
        """Waits until all is acknowledged; gives how many are not."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and any(map(len, self.producers.values())):
            if self.poll() == 0:
                time.sleep(0.002)
        return sum(map(len, self.producers.values()))

    def total(self):
        return sum(topic.acked_total for topic in self.topics)


TELLING = threading.Lock()


def say(line):
    """The follower says things too: a line must not end within another."""
    with TELLING:
        print(line, flush=True)


def create(bootstrap):
    admin = adm.AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    wanted = [adm.NewTopic(topic.name, topic.partitions, 1, config=topic.configs) for topic in [*NUMBERED, KEYED]]
    for created in admin.create_topics(wanted).values():
        created.result(60)


def judge(bootstrap, load, committer, follower, whole, limit):
    left = load.settle(limit)
    found = read_numbered(bootstrap, NUMBERED, whole, limit)
    found.add(read_compacted(bootstrap, KEYED, limit))
    back = committer.gone_back(limit)
    refused, load.refused = load.refused, []
    gaps, follower.gaps = follower.gaps, []
    examples = [*found.examples, *back, *refused, *gaps]
    return {
        "acknowledged": load.total(), "read": found.read, "lost": found.lost, "duplicate": found.duplicate, "reordered": found.reordered,
        "wrong": found.wrong, "moved": found.moved, "stale_keys": found.stale_keys, "unread": found.unread, "commits_back": len(back),
        "commits": committer.count, "refused": len(refused), "gaps": len(gaps), "unanswered": left, "examples": examples[:8]}


def main():
    bootstrap, limit = sys.argv[1], float(sys.argv[2])
    create(bootstrap)
    load, committer = Load(bootstrap), Committer(bootstrap, "few", 12)
    follower = Follower(bootstrap, next(topic for topic in NUMBERED if topic.name == "few"))
    committer.start()
    follower.start()
    words = queue.Queue()
    threading.Thread(target=lambda: ([words.put(line.strip()) for line in sys.stdin], words.put("")), daemon=True).start()
    last, loading = 0.0, True
    while True:
        word = words.get() if not words.empty() else None
        if word == "":
            break
        if word == "CUT":
            follower.hear_the_last()
            while load.poll() > 0:
                pass
            say("READY")
            load.back = lambda what: say(f"BACK {what}")
            follower.expect(lambda: say("BACK read"))
        elif word in ("JUDGE", "WHOLE"):
            loading = False
            say("JUDGED " + json.dumps(judge(bootstrap, load, committer, follower, word == "WHOLE", limit)))
        elif word == "LOAD":
            loading = True
        if loading:
            load.send()
        load.poll()
        if time.monotonic() - last > 0.05:
            last = time.monotonic()
            say(f"ACKED {load.total()}")
        time.sleep(TICK)


main()
