"""Fills a node's directory with what another kind of node must read later: `adopt.py BOOTSTRAP fill`, then
`adopt.py BOOTSTRAP read ROUND` for each node that takes it over, which reads everything and adds to it.
"""
import sys
import time

import confluent_kafka as ck
from confluent_kafka import admin as adm

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
FIRST, MORE, DELETED, COMMITTED = 200, 50, 20, 33
# Of the compacted topic: enough of each key for several segments of 1 MiB, of which the cleaner leaves the last values.
KEYS, VALUES, PADDING = 7, 40, "x" * 8192


def only(futures):
    return next(iter(futures.values())).result(30)


class Node:
    def __init__(self, bootstrap):
        self.base = {"bootstrap.servers": bootstrap, "log_level": 0, "error_cb": lambda error: None}
        self.admin = adm.AdminClient(self.base)

    def send(self, topic, codec, prefix, count):
        producer = ck.Producer({**self.base, "compression.type": codec, "enable.idempotence": True, "linger.ms": 20})
        for i in range(count):
            producer.produce(topic, f"{prefix}-{i}".encode(), key=b"key", headers={"round": prefix})
        assert producer.flush(30) == 0, "not acknowledged in 30 s"

    def change(self, topic, prefix):
        producer = ck.Producer({**self.base, "enable.idempotence": True, "batch.size": 65536, "linger.ms": 20})
        producer.produce(topic, b"once", key=f"only-{prefix}".encode())
        for i in range(VALUES):
            for key in range(KEYS):
                producer.produce(topic, f"{prefix}-{i}-{PADDING}".encode(), key=f"key-{key}".encode())
        producer.produce(topic, None, key=b"gone")
        assert producer.flush(60) == 0, "not acknowledged in 60 s"

    def read(self, topic):
        return [value for _, value in self.pairs(topic)]

    def pairs(self, topic):
        consumer = ck.Consumer({**self.base, "group.id": "unused", "enable.partition.eof": True, "check.crcs": True})
        consumer.assign([ck.TopicPartition(topic, 0, ck.OFFSET_BEGINNING)])
        values, deadline = [], time.monotonic() + 30
        while time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error():
                break
            value = message.value()
            values.append((message.key().decode(), None if value is None else value.decode()))
        consumer.close()
        return values

    def committed(self):
        group = ck.ConsumerGroupTopicPartitions("adopted")
        got = only(self.admin.list_consumer_group_offsets([group])).topic_partitions
        return {p.topic: p.offset for p in got}

    def config(self, topic):
        return only(self.admin.describe_configs([adm.ConfigResource(adm.ResourceType.TOPIC, topic)]))["retention.ms"].value


def fill(node):
    topics = [adm.NewTopic(f"adopt-{c}", 1, 1, config={"retention.ms": "7777777", "segment.bytes": "1048576"}) for c in CODECS]
    for future in node.admin.create_topics(topics).values():
        future.result(30)
    for codec in CODECS:
        node.send(f"adopt-{codec}", codec, "first", FIRST)
    only(node.admin.delete_records([ck.TopicPartition("adopt-none", 0, DELETED)]))
    compacted = {"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01"}
    only(node.admin.create_topics([adm.NewTopic("adopt-keys", 1, 1, config=compacted)]))
    node.change("adopt-keys", "first")
    check_keys(node, ["first"])
    consumer = ck.Consumer({**node.base, "group.id": "adopted"})
    consumer.commit(offsets=[ck.TopicPartition("adopt-gzip", 0, COMMITTED)], asynchronous=False)
    consumer.close()


def check_keys(node, prefixes):
    """The last value of each key is there, and the cleaner of this node takes away what went before it."""
    written = len(prefixes) * (KEYS * VALUES + 2)
    deadline = time.monotonic() + 60
    while True:
        pairs = node.pairs("adopt-keys")
        last = dict(pairs)
        assert last.pop("gone", None) is None, "the key that was deleted has a value"
        want = {f"only-{prefix}": "once" for prefix in prefixes}
        want.update({f"key-{key}": f"{prefixes[-1]}-{VALUES - 1}-{PADDING}" for key in range(KEYS)})
        assert last == want, f"last values of {sorted(last)}: {[(v or '')[:20] for v in last.values()]}"
        # Each turn writes more than two segments, of which the last is not cleaned.
        if len(pairs) < written - len(prefixes) * KEYS * VALUES // 3:
            return
        assert time.monotonic() < deadline, f"{len(pairs)} of {written} records are still there: nothing is cleaned"


def wanted(codec, rounds):
    values = [f"first-{i}" for i in range(FIRST)][DELETED if codec == "none" else 0:]
    return values + [f"round{n}-{i}" for n in range(1, rounds) for i in range(MORE)]


def read(node, number):
    for codec in CODECS:
        topic = f"adopt-{codec}"
        got, want = node.read(topic), wanted(codec, number)
        assert got == want, f"{topic}: {len(got)} records instead of {len(want)}; {got[:1]} to {got[-1:]}"
        assert node.config(topic) == "7777777", f"{topic}: retention.ms is {node.config(topic)}"
        node.send(topic, codec, f"round{number}", MORE)
        assert node.read(topic) == wanted(codec, number + 1), f"{topic}: what was added is not read"
    prefixes = ["first"] + [f"round{n}" for n in range(1, number)]
    check_keys(node, prefixes)
    node.change("adopt-keys", f"round{number}")
    check_keys(node, [*prefixes, f"round{number}"])
    assert node.committed() == {"adopt-gzip": COMMITTED}, f"committed offsets are {node.committed()}"


if sys.argv[2] == "fill":
    fill(Node(sys.argv[1]))
else:
    read(Node(sys.argv[1]), int(sys.argv[3]))
