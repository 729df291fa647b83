"""aiokafka: its coroutines run on one event loop in a thread beside the checks."""
import asyncio
import threading
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from scenarios import Rec, Skip, main

LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()


def run(coroutine, seconds=45):
    return asyncio.run_coroutine_threadsafe(coroutine, LOOP).result(seconds)


async def assign(consumer, tps):
    consumer.assign(tps)


async def make(cls, *args, **kwargs):
    made = cls(*args, **kwargs)
    await made.start()
    return made


def to_rec(m):
    return Rec(m.key, m.value, list(m.headers), m.timestamp, m.partition, m.offset)


class Member:
    def __init__(self, consumer):
        self.consumer = consumer

    def poll(self, limit=None):
        got = run(self.consumer.getmany(timeout_ms=100, max_records=limit))
        return [to_rec(m) for batch in got.values() for m in batch]

    def assignment(self):
        return [(p.topic, p.partition) for p in self.consumer.assignment()]

    def close(self):
        run(self.consumer.stop())


class Adapter:
    name = "aiokafka"
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = run(make(AIOKafkaAdminClient, bootstrap_servers=bootstrap))

    def create_topic(self, name, partitions, configs):
        got = run(self.admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)]))
        if got.topic_errors[0][1]:
            raise AssertionError(f"create topic: {got.topic_errors}")

    def partition_count(self, name):
        topic = run(self.admin.describe_topics([name]))[0]
        return 0 if topic["error_code"] else len(topic["partitions"])

    def list_topics(self):
        return run(self.admin.list_topics())

    def produce(self, topic, records, codec, idempotent=False):
        return run(self.produce_all(topic, records, codec, idempotent))

    async def produce_all(self, topic, records, codec, idempotent):
        producer = await make(AIOKafkaProducer, bootstrap_servers=self.bootstrap, linger_ms=5, acks="all",
                              compression_type=None if codec == "none" else codec, enable_idempotence=idempotent,
                              max_request_size=2_000_000)
        try:
            sent = [await producer.send(topic, key=r.key, value=r.value, headers=r.headers, partition=r.partition,
                                        timestamp_ms=r.timestamp) for r in records]
            done = [await future for future in sent]
            return [(m.partition, m.offset) for m in done]
        finally:
            await producer.stop()

    def consumer(self, *topics, group=None, **more):
        more.setdefault("enable_auto_commit", False)
        return run(make(AIOKafkaConsumer, *topics, bootstrap_servers=self.bootstrap, group_id=group,
                        auto_offset_reset="earliest", **more))

    def read(self, topic, partitions, count, from_time=None):
        consumer = self.consumer()
        tps = [TopicPartition(topic, p) for p in partitions]
        run(assign(consumer, tps))
        if from_time is None:
            run(consumer.seek_to_beginning(*tps))
        else:
            for tp, found in run(consumer.offsets_for_times(dict.fromkeys(tps, from_time))).items():
                consumer.seek(tp, found.offset)
        got, deadline = [], time.monotonic() + 30
        while len(got) < count and time.monotonic() < deadline:
            got += Member(consumer).poll()
        run(consumer.stop())
        if len(got) < count:
            raise AssertionError(f"read {len(got)} of {count} records")
        return got

    def member(self, group, topic, commit=True):
        return Member(self.consumer(topic, group=group, session_timeout_ms=3000, heartbeat_interval_ms=500,
                                    enable_auto_commit=commit, auto_commit_interval_ms=500))

    def take(self, group, topic, count):
        consumer = self.consumer(topic, group=group)
        got, deadline = [], time.monotonic() + 30
        while len(got) < count and time.monotonic() < deadline:
            got += Member(consumer).poll(limit=count - len(got))
        if got:
            run(consumer.commit({TopicPartition(topic, got[-1].partition): got[-1].offset + 1}))
        run(consumer.stop())
        return got

    def describe_cluster(self):
        got = run(self.admin.describe_cluster())
        return got.get("cluster_id"), len(got["brokers"])

    def config(self, kind, name):
        got = run(self.admin.describe_configs([ConfigResource(kind, name)]))[0]
        entries = got.resources[0][4]
        return {entry[0]: entry[1] for entry in entries}

    def get_config(self, topic):
        return self.config(ConfigResourceType.TOPIC, topic)

    def broker_config(self):
        return self.config(ConfigResourceType.BROKER, str(run(self.admin.describe_cluster())["brokers"][0]["node_id"]))

    def alter_config(self, topic, values):
        got = run(self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, values)]))[0]
        if got.resources[0][0]:
            raise AssertionError(f"alter configs: {got.resources}")

    def create_partitions(self, topic, total):
        run(self.admin.create_partitions({topic: NewPartitions(total)}))

    def list_offsets(self, topic):
        tp = TopicPartition(topic, 0)
        consumer = self.consumer()
        try:
            return run(consumer.beginning_offsets([tp]))[tp], run(consumer.end_offsets([tp]))[tp]
        finally:
            run(consumer.stop())

    def delete_records(self, topic, before):
        run(self.admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before)}))

    def list_groups(self):
        return [g[0] for g in run(self.admin.list_consumer_groups())]

    def describe_group(self, group):
        got = run(self.admin.describe_consumer_groups([group]))[0].groups[0]
        return got[2], len(got[5])

    def group_offsets(self, group):
        got = run(self.admin.list_consumer_group_offsets(group))
        return {(p.topic, p.partition): o.offset for p, o in got.items()}

    def delete_group(self, group):
        raise Skip("aiokafka's admin client cannot delete groups; listing and describing passed")

    def delete_topic(self, topic):
        run(self.admin.delete_topics([topic]))


main(Adapter)
