"""librdkafka, through confluent-kafka-python."""
import time

import confluent_kafka as ck
from confluent_kafka import admin as adm

from scenarios import Rec, main

QUIET = {"log_level": 3, "error_cb": lambda error: None}


class Member:
    def __init__(self, consumer):
        self.consumer = consumer

    def poll(self):
        got = self.consumer.consume(100, 0.1)
        for m in got:
            if m.error():
                raise RuntimeError(m.error().str())
        return [to_rec(m) for m in got]

    def assignment(self):
        return [(p.topic, p.partition) for p in self.consumer.assignment()]

    def close(self):
        self.consumer.close()


def to_rec(m):
    return Rec(m.key(), m.value(), m.headers() or [], m.timestamp()[1], m.partition(), m.offset())


def only(futures):
    return next(iter(futures.values())).result(30)


class Adapter:
    name = "librdkafka"
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")

    def __init__(self, bootstrap):
        self.base = {"bootstrap.servers": bootstrap, **QUIET}
        self.admin = adm.AdminClient(self.base)

    def create_topic(self, name, partitions, configs):
        only(self.admin.create_topics([adm.NewTopic(name, partitions, 1, config=configs)]))

    def partition_count(self, name):
        topic = self.admin.list_topics(name, timeout=10).topics[name]
        return 0 if topic.error else len(topic.partitions)

    def list_topics(self):
        return list(self.admin.list_topics(timeout=10).topics)

    def produce(self, topic, records, codec, idempotent=False):
        producer = ck.Producer({**self.base, "compression.type": codec, "enable.idempotence": idempotent, "linger.ms": 5,
                                "message.max.bytes": 2_000_000, "message.timeout.ms": 30_000})
        acked = [None] * len(records)

        def delivered(i):
            def callback(error, m):
                acked[i] = error or (m.partition(), m.offset())
            return callback

        for i, r in enumerate(records):
            extra = {} if r.partition is None else {"partition": r.partition}
            if r.timestamp is not None:
                extra["timestamp"] = r.timestamp
            producer.produce(topic, key=r.key, value=r.value, headers=r.headers, on_delivery=delivered(i), **extra)
        if producer.flush(40):
            raise TimeoutError("records still in the queue after 40 s")
        for a in acked:
            if isinstance(a, ck.KafkaError):
                raise ck.KafkaException(a)
        return acked

    def consumer(self, group, **more):
        return ck.Consumer({**self.base, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, **more})

    def read(self, topic, partitions, count, from_time=None):
        consumer = self.consumer("unused")
        start = [ck.TopicPartition(topic, p, from_time if from_time is not None else 0) for p in partitions]
        if from_time is not None:
            start = consumer.offsets_for_times(start, 10)
        else:
            for p in start:
                p.offset = ck.OFFSET_BEGINNING
        consumer.assign(start)
        got, deadline = [], time.monotonic() + 30
        while len(got) < count and time.monotonic() < deadline:
            got += Member(consumer).poll()
        consumer.close()
        if len(got) < count:
            raise AssertionError(f"read {len(got)} of {count} records")
        return got

    def member(self, group, topic, commit=True):
        consumer = self.consumer(group, **{"session.timeout.ms": 3000, "heartbeat.interval.ms": 500,
                                           "enable.auto.commit": commit, "auto.commit.interval.ms": 500})
        consumer.subscribe([topic])
        return Member(consumer)

    def take(self, group, topic, count):
        consumer = self.consumer(group)
        consumer.subscribe([topic])
        got, deadline = [], time.monotonic() + 30
        while len(got) < count and time.monotonic() < deadline:
            m = consumer.poll(0.2)
            if m is not None and not m.error():
                got.append(to_rec(m))
        if got:
            consumer.commit(offsets=[ck.TopicPartition(topic, got[-1].partition, got[-1].offset + 1)], asynchronous=False)
        consumer.close()
        return got

    def describe_cluster(self):
        got = self.admin.describe_cluster().result(30)
        return got.cluster_id, len(got.nodes)

    def config(self, kind, name):
        got = only(self.admin.describe_configs([adm.ConfigResource(kind, name)]))
        return {k: v.value for k, v in got.items()}

    def get_config(self, topic):
        return self.config(adm.ResourceType.TOPIC, topic)

    def broker_config(self):
        node = next(iter(self.admin.list_topics(timeout=10).brokers))
        return self.config(adm.ResourceType.BROKER, str(node))

    def alter_config(self, topic, values):
        entries = [adm.ConfigEntry(k, v, incremental_operation=adm.AlterConfigOpType.SET) for k, v in values.items()]
        resource = adm.ConfigResource(adm.ResourceType.TOPIC, topic, incremental_configs=entries)
        only(self.admin.incremental_alter_configs([resource]))

    def create_partitions(self, topic, total):
        only(self.admin.create_partitions([adm.NewPartitions(topic, total)]))

    def list_offsets(self, topic):
        tp = ck.TopicPartition(topic, 0)
        low = only(self.admin.list_offsets({tp: adm.OffsetSpec.earliest()})).offset
        return low, only(self.admin.list_offsets({tp: adm.OffsetSpec.latest()})).offset

    def delete_records(self, topic, before):
        only(self.admin.delete_records([ck.TopicPartition(topic, 0, before)]))

    def list_groups(self):
        return [g.group_id for g in self.admin.list_consumer_groups().result(30).valid]

    def describe_group(self, group):
        got = only(self.admin.describe_consumer_groups([group]))
        return got.state.name, len(got.members)

    def group_offsets(self, group):
        got = only(self.admin.list_consumer_group_offsets([ck.ConsumerGroupTopicPartitions(group)]))
        return {(p.topic, p.partition): p.offset for p in got.topic_partitions}

    def delete_group(self, group):
        only(self.admin.delete_consumer_groups([group]))

    def delete_topic(self, topic):
        only(self.admin.delete_topics([topic]))


main(Adapter)
