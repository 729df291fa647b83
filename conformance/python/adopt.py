"""Fills a node's directory with what another kind of node must read later: `adopt.py BOOTSTRAP fill`, then
`adopt.py BOOTSTRAP read ROUND` for each node that takes it over, which reads everything and adds to it.
"""
import sys
import time

import confluent_kafka as ck
from confluent_kafka import admin as adm

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
FIRST, MORE, DELETED, COMMITTED = 200, 50, 20, 33


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

    def read(self, topic):
        consumer = ck.Consumer({**self.base, "group.id": "unused", "enable.partition.eof": True, "check.crcs": True})
        consumer.assign([ck.TopicPartition(topic, 0, ck.OFFSET_BEGINNING)])
        values, deadline = [], time.monotonic() + 30
        while time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error():
                break
            values.append(message.value().decode())
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
    consumer = ck.Consumer({**node.base, "group.id": "adopted"})
    consumer.commit(offsets=[ck.TopicPartition("adopt-gzip", 0, COMMITTED)], asynchronous=False)
    consumer.close()


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
    assert node.committed() == {"adopt-gzip": COMMITTED}, f"committed offsets are {node.committed()}"


if sys.argv[2] == "fill":
    fill(Node(sys.argv[1]))
else:
    read(Node(sys.argv[1]), int(sys.argv[3]))
