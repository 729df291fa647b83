"""What `powercut.py` sends and how it is judged: numbered records, keyed records, a group's commits, a reader that follows."""
import random
import sys
import threading
import time
from array import array
from dataclasses import dataclass, field

import confluent_kafka as ck

# A client that looks for the broker as often as is decent, so that what is measured is the broker.
FAST = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 50, "retry.backoff.max.ms": 200,
        "socket.timeout.ms": 10000, "log_level": 0, "topic.metadata.refresh.fast.interval.ms": 100, "topic.metadata.refresh.interval.ms": 60000}
NUMBER = 8
NOISE = random.Random(7).randbytes(1 << 20)


def content(seq, size):
    """The bytes of a record: its number, and noise that depends on it."""
    at = seq * 37 % 65536
    return seq.to_bytes(NUMBER, "big") + NOISE[at:at + size - NUMBER]


@dataclass
class Found:
    """What reading back found. Each lost record is counted once, in the round that lost it."""
    read: int = 0
    lost: int = 0
    duplicate: int = 0
    reordered: int = 0
    wrong: int = 0
    moved: int = 0
    stale_keys: int = 0
    unread: int = 0
    examples: list = field(default_factory=list)

    def add(self, other):
        for name in ("read", "lost", "duplicate", "reordered", "wrong", "moved", "stale_keys", "unread"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.examples += other.examples


class Numbered:
    """A topic whose partitions have records with numbers, each sent once."""

    def __init__(self, name, partitions, size, per_tick, settings, configs=None):
        self.name, self.partitions, self.size, self.per_tick, self.settings, self.configs = name, partitions, size, per_tick, settings, configs or {}
        # By partition: the offset that each number was acknowledged at, or -1.
        self.offsets = [array("q") for _ in range(partitions)]
        self.lost = [set() for _ in range(partitions)]
        # By partition: the offset and the number that come next, everything before them having been read.
        self.verified = [(0, 0) for _ in range(partitions)]
        self.turn, self.acked_total = 0, 0

    def next(self):
        partition = self.turn % self.partitions
        seq = len(self.offsets[partition])
        return partition, None, content(seq, self.size(seq)), None, seq

    def sent(self, partition, seq):
        self.turn += 1
        self.offsets[partition].append(-1)

    def acked(self, partition, seq, offset):
        self.offsets[partition][seq] = offset
        self.acked_total += 1

    def unknown(self, partition, seq):
        pass

    def judge(self, partition, records, whole):
        """Compares the records from the verified offset on, or all, with what was acknowledged; None if the rest must be read as well."""
        offset, seq = (0, 0) if whole else self.verified[partition]
        acked, found, seen = self.offsets[partition], Found(read=len(records)), set()
        expected = offset
        for at, value in records:
            number = int.from_bytes(value[:NUMBER], "big")
            if not whole and (at != expected or number < seq):
                return None
            found.wrong += number >= len(acked) or value != content(number, self.size(number))
            found.duplicate += number in seen
            found.reordered += number not in seen and number < seq
            found.moved += 0 <= number < len(acked) and acked[number] not in (-1, at)
            seen.add(number)
            seq, expected = max(seq, number + 1), at + 1
        first = 0 if whole else self.verified[partition][1]
        lost = {number for number in range(first, len(acked)) if acked[number] >= 0 and number not in seen} - self.lost[partition]
        if lost and not whole:
            return None
        self.lost[partition] |= lost
        found.lost = len(lost)
        if lost or found.duplicate or found.reordered or found.wrong or found.moved:
            found.examples.append(f"{self.name}-{partition}: {found} first lost {sorted(lost)[:3]}")
        self.verified[partition] = (expected, seq)
        return found


class Keyed:
    """A compacted topic: of each key the last record counts, and a record without a value takes the key away."""

    def __init__(self, name, partitions, keys, per_tick):
        self.name, self.partitions, self.keys, self.per_tick, self.settings = name, partitions, keys, per_tick, {"linger.ms": 5}
        self.configs = {"cleanup.policy": "compact", "segment.bytes": "1048576", "segment.ms": "1500", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "2000"}
        self.random, self.count, self.acked_total = random.Random(11), 0, 0
        # By key: the numbers that may be the last, the one that was acknowledged before those whose fate is unknown.
        self.last, self.offset_of, self.erased = {}, {}, set()

    def next(self):
        key = self.random.randrange(self.keys)
        seq = self.count
        value = None if seq % 40 == 39 else content(seq, 400)
        return key % self.partitions, f"key-{key}".encode(), value, [("n", str(seq).encode())], (key, seq)

    def sent(self, partition, ticket):
        self.count += 1
        if ticket[1] % 40 == 39:
            self.erased.add(ticket[1])

    def acked(self, partition, ticket, offset):
        key, seq = ticket
        self.last[key], self.offset_of[seq] = [seq], offset
        self.acked_total += 1

    def unknown(self, partition, ticket):
        self.last.setdefault(ticket[0], [None]).append(ticket[1])

    def judge(self, records):
        found, last, before = Found(read=len(records)), {}, {}
        for partition, offset, key, value, seq in records:
            key = int(key.decode().removeprefix("key-"))
            found.reordered += before.get(key, -1) > seq
            found.duplicate += before.get(key, -1) == seq
            found.wrong += value != (None if seq in self.erased else content(seq, 400))
            found.moved += self.offset_of.get(seq, offset) != offset
            before[key] = last[key] = seq
        for key, candidates in self.last.items():
            present = last.get(key)
            # A key that was taken away need not be there at all.
            gone = present is None and any(seq is None or seq in self.erased for seq in candidates)
            if present not in candidates and not gone:
                found.stale_keys += 1
                found.examples.append(f"{self.name}: key {key} has {present}, not {candidates}")
            # What is wrong now is counted once.
            self.last[key] = [present] if not gone else candidates
        if found.reordered or found.duplicate or found.wrong or found.moved:
            found.examples.append(f"{self.name}: {found}")
        return found


def reader(bootstrap, reset="earliest"):
    return ck.Consumer({**FAST, "bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False, "enable.partition.eof": True,
                        "check.crcs": True, "auto.offset.reset": reset, "fetch.wait.max.ms": 10, "queued.min.messages": 50000, "fetch.error.backoff.ms": 50})


def read(bootstrap, positions, limit, take):
    """Reads partitions from positions to their ends; gives those that did not end in time."""
    consumer = reader(bootstrap)
    consumer.assign([ck.TopicPartition(topic, partition, offset) for (topic, partition), offset in positions.items()])
    open_ones, deadline = set(positions), time.monotonic() + limit
    while open_ones and time.monotonic() < deadline:
        for m in consumer.consume(2000, 0.2):
            if m.error() is None:
                take(m)
            elif m.error().code() == ck.KafkaError._PARTITION_EOF:
                open_ones.discard((m.topic(), m.partition()))
    consumer.close()
    return open_ones


def read_numbered(bootstrap, topics, whole, limit):
    """First what is new; and a partition in which that is not as it should be is read once more from its beginning."""
    total, todo = Found(), [(topic, partition, whole) for topic in topics for partition in range(topic.partitions)]
    while todo:
        records = {(topic.name, partition): [] for topic, partition, _ in todo}
        positions = {(topic.name, partition): 0 if all_of_it else topic.verified[partition][0] for topic, partition, all_of_it in todo}
        unread = read(bootstrap, positions, limit, lambda m: records[m.topic(), m.partition()].append((m.offset(), m.value())))
        total.unread += len(unread)
        again = []
        for topic, partition, all_of_it in todo:
            if (topic.name, partition) in unread:
                continue
            found = topic.judge(partition, records[topic.name, partition], all_of_it)
            if found is None:
                again.append((topic, partition, True))
            else:
                total.add(found)
        todo = again
    if total.unread:
        total.examples.append(f"{total.unread} partitions could not be read to their ends")
    return total


def read_compacted(bootstrap, keyed, limit):
    records = []

    def take(m):
        records.append((m.partition(), m.offset(), m.key(), m.value(), int(dict(m.headers())["n"])))

    unread = read(bootstrap, {(keyed.name, partition): 0 for partition in range(keyed.partitions)}, limit, take)
    if unread:
        return Found(unread=len(unread), examples=[f"{keyed.name} could not be read to its end"])
    return keyed.judge(records)


class Committer(threading.Thread):
    """A group of one that reads along and commits; what was acknowledged must never be less later."""

    def __init__(self, bootstrap, topic, partitions):
        super().__init__(daemon=True)
        self.bootstrap, self.topic, self.partitions = bootstrap, topic, partitions
        self.acked, self.count, self.lock = {}, 0, threading.Lock()
        self.consumer = ck.Consumer({
            **FAST, "bootstrap.servers": bootstrap, "group.id": "followers", "enable.auto.commit": False, "auto.offset.reset": "earliest",
            "session.timeout.ms": 10000, "fetch.error.backoff.ms": 50, "error_cb": lambda error: None})

    def run(self):
        self.consumer.subscribe([self.topic])
        following = {}
        while True:
            for m in self.consumer.consume(500, 0.1):
                if m.error() is None:
                    following[m.partition()] = m.offset() + 1
            with self.lock:
                new = [ck.TopicPartition(self.topic, p, o) for p, o in following.items() if o > self.acked.get(p, 0)]
                try:
                    for done in self.consumer.commit(offsets=new, asynchronous=False) if new else []:
                        if done.error is None:
                            self.acked[done.partition] = done.offset
                            self.count += 1
                except ck.KafkaException as error:
                    print("commit:", error, file=sys.stderr)

    def gone_back(self, limit):
        """The partitions whose committed offset is not what was acknowledged; each told once."""
        deadline = time.monotonic() + limit
        with self.lock:
            while True:
                try:
                    found = self.consumer.committed([ck.TopicPartition(self.topic, p) for p in range(self.partitions)], timeout=5)
                    break
                except ck.KafkaException as error:
                    if time.monotonic() > deadline:
                        return [f"committed offsets cannot be read: {error}"]
            back = [p for p in found if p.offset < self.acked.get(p.partition, -1001)]
            told = [f"commit of {self.topic}-{p.partition}: {p.offset} after {self.acked[p.partition]}" for p in back]
            self.acked.update({p.partition: max(p.offset, 0) for p in back})
            return told


class Follower(threading.Thread):
    """Reads along without a group: says when a broker that came back serves records, and sees every number once and in order."""

    def __init__(self, bootstrap, topic):
        super().__init__(daemon=True)
        self.bootstrap, self.topic, self.gaps, self.waiting = bootstrap, topic, [], None
        # By partition the last offset that was seen; and how often nothing was left to be seen.
        self.seen, self.idle = {}, 0

    def hear_the_last(self):
        """Waits until nothing is left of what a dead broker had sent."""
        before, deadline = self.idle, time.monotonic() + 10
        while self.idle < before + 2 and time.monotonic() < deadline:
            time.sleep(0.005)

    def expect(self, back):
        """`back` is called at the first record that no broker before this moment had acknowledged or sent."""
        ends = [max(max(offsets, default=-1), self.seen.get(p, -1)) for p, offsets in enumerate(self.topic.offsets)]
        self.waiting = (ends, back)

    def run(self):
        consumer = reader(self.bootstrap)
        consumer.assign([ck.TopicPartition(self.topic.name, p, ck.OFFSET_BEGINNING) for p in range(self.topic.partitions)])
        following = {}
        while True:
            messages = consumer.consume(500, 0.05)
            self.idle += not any(m.error() is None for m in messages)
            for m in messages:
                if m.error() is not None:
                    continue
                number, expected = int.from_bytes(m.value()[:NUMBER], "big"), following.get(m.partition(), 0)
                if number != expected:
                    self.gaps.append(f"{self.topic.name}-{m.partition()}: number {number} follows {expected - 1}")
                following[m.partition()] = number + 1
                self.seen[m.partition()] = m.offset()
                waiting = self.waiting
                if waiting is not None and m.offset() > waiting[0][m.partition()]:
                    self.waiting = None
                    waiting[1]()
