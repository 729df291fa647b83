"""kafka-python."""
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.structs import OffsetAndMetadata

from scenarios import Rec, main


def to_rec(m):
    return Rec(m.key, m.value, list(m.headers), m.timestamp, m.partition, m.offset)


class Member:
    def __init__(self, consumer):
        self.consumer = consumer

    def poll(self):
        return [to_rec(m) for batch in self.consumer.poll(100).values() for m in batch]

    def assignment(self):
        return [(p.topic, p.partition) for p in self.consumer.assignment()]

    def close(self):
        self.consumer.close()


class Adapter:
    name = "kafka-python"
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def create_topic(self, name, partitions, configs):
        self.admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}})

    def partition_count(self, name):
        topic = self.admin.describe_topics([name])[0]
        return 0 if topic["error_code"] else len(topic["partitions"])

    def list_topics(self):
        return self.admin.list_topics()

    def produce(self, topic, records, codec, idempotent=False):
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, compression_type=None if codec == "none" else codec,
                                 enable_idempotence=idempotent, acks="all", linger_ms=5, max_request_size=2_000_000)
        try:
            sent = [producer.send(topic, key=r.key, value=r.value, headers=r.headers, partition=r.partition,
                                  timestamp_ms=r.timestamp) for r in records]
            producer.flush(40)
            done = [future.get(30) for future in sent]
            return [(m.partition, m.offset) for m in done]
        finally:
            producer.close(5)

    def consumer(self, group, **more):
        return KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group, auto_offset_reset="earliest",
                             enable_auto_commit=more.pop("enable_auto_commit", False), **more)

    def read(self, topic, partitions, count, from_time=None):
        consumer = self.consumer(None)
        tps = [TopicPartition(topic, p) for p in partitions]
        consumer.assign(tps)
        if from_time is None:
            consumer.seek_to_beginning(*tps)
        else:
            for tp, found in consumer.offsets_for_times(dict.fromkeys(tps, from_time)).items():
                consumer.seek(tp, found.offset)
        got, deadline = [], time.monotonic() + 30
        while len(got) < count and time.monotonic() < deadline:
            got += Member(consumer).poll()
        consumer.close()
        if len(got) < count:
            raise AssertionError(f"read {len(got)} of {count} records")
        return got

    def member(self, group, topic, commit=True):
        consumer = self.consumer(group, session_timeout_ms=3000, heartbeat_interval_ms=500, enable_auto_commit=commit,
                                 auto_commit_interval_ms=500)
        consumer.subscribe([topic])
        return Member(consumer)

    def take(self, group, topic, count):
        consumer = self.consumer(group, max_poll_records=1)
        consumer.subscribe([topic])
        got, deadline = [], time.monotonic() + 30
        while len(got) < count and time.monotonic() < deadline:
            got += Member(consumer).poll()
        if got:
            last = got[-1]
            consumer.commit({TopicPartition(topic, last.partition): OffsetAndMetadata(last.offset + 1, "", -1)})
        consumer.close()
        return got

    def describe_cluster(self):
        got = self.admin.describe_cluster()
        return got["cluster_id"], len(got["brokers"])

    def config(self, kind, name):
        got = self.admin.describe_configs([ConfigResource(kind, name)], config_filter="all")
        entries = next(iter(next(iter(got.values())).values()))
        return {k: v["value"] for k, v in entries.items()}

    def get_config(self, topic):
        return self.config(ConfigResourceType.TOPIC, topic)

    def broker_config(self):
        return self.config(ConfigResourceType.BROKER, str(self.admin.describe_cluster()["brokers"][0]["broker_id"]))

    def alter_config(self, topic, values):
        got = self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, values)])
        if got["topic"][topic] != "OK":
            raise AssertionError(got)

    def create_partitions(self, topic, total):
        self.admin.create_partitions({topic: total})

    def list_offsets(self, topic):
        tp = TopicPartition(topic, 0)
        return tuple(self.admin.list_partition_offsets({tp: spec})[tp].offset
                     for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST))

    def delete_records(self, topic, before):
        self.admin.delete_records({TopicPartition(topic, 0): before})

    def list_groups(self):
        return [g["group_id"] for g in self.admin.list_groups()]

    def describe_group(self, group):
        got = self.admin.describe_groups([group])[group]
        return got["group_state"], len(got["members"])

    def group_offsets(self, group):
        return {(p.topic, p.partition): o.offset for p, o in self.admin.list_group_offsets(group)[group].items()}

    def delete_group(self, group):
        got = self.admin.delete_groups([group])
        if got[group] != "OK":
            raise AssertionError(got)

    def delete_topic(self, topic):
        self.admin.delete_topics([topic])


main(Adapter)
