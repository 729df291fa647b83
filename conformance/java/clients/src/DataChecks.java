import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** Producing and reading records. */
final class DataChecks {
    private final Kit kit;

    DataChecks(Kit kit) {
        this.kit = kit;
    }

    void add(Suite suite) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            suite.check("produce and consume " + codec, () -> codec(codec));
        }
        suite.check("topic recompresses to its own codec", this::recompressed);
        suite.check("null key and value", this::nulls);
        suite.check("records of 900 KB", this::large);
        suite.check("too large is refused", this::tooLarge);
        suite.check("idempotent producer", this::idempotent);
        suite.check("acks=0 and acks=1", this::weakAcks);
        suite.check("CreateTime bounds and LogAppendTime", this::timestamps);
        suite.check("auto-created topic", this::autoCreated);
        suite.check("consume from a timestamp", this::fromTime);
        suite.check("small fetches, fetch session over 20 partitions", this::smallFetches);
        suite.check("offset out of range", this::outOfRange);
    }

    private void codec(String codec) throws Exception {
        String topic = kit.topic("codec-" + codec, 1);
        List<ProducerRecord<String, String>> records = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            Headers headers = new RecordHeaders().add("n", ("" + i).getBytes()).add("n", null).add("empty", new byte[0]);
            records.add(new ProducerRecord<>(topic, 0, "key" + i, "value ".repeat(40) + i, headers));
        }
        try (KafkaProducer<String, String> producer = kit.producer("compression.type", codec)) {
            List<RecordMetadata> acked = Kit.send(producer, records);
            Suite.same(299L, acked.get(299).offset(), "last acknowledged offset");
        }
        List<ConsumerRecord<String, String>> got = kit.readAll(topic, 1, 300);
        for (int i = 0; i < 300; i++) {
            Suite.same((long) i, got.get(i).offset(), "offset");
            Suite.same(records.get(i).key(), got.get(i).key(), "key");
            Suite.same(records.get(i).value(), got.get(i).value(), "value");
            Suite.same(records.get(i).headers(), got.get(i).headers(), "headers");
        }
    }

    private void recompressed() throws Exception {
        String topic = kit.topic("recompressed", 1, "compression.type", "zstd");
        try (KafkaProducer<String, String> producer = kit.producer("compression.type", "gzip")) {
            Kit.send(producer, List.of(new ProducerRecord<>(topic, "k", "v".repeat(10_000))));
        }
        Suite.same("v".repeat(10_000), kit.readAll(topic, 1, 1).get(0).value(), "value");
    }

    private void nulls() throws Exception {
        String topic = kit.topic("nulls", 1, "cleanup.policy", "delete");
        try (KafkaProducer<String, String> producer = kit.producer()) {
            Kit.send(producer, List.of(new ProducerRecord<>(topic, null, "no key"), new ProducerRecord<>(topic, "dead", null)));
        }
        List<ConsumerRecord<String, String>> got = kit.readAll(topic, 1, 2);
        Suite.expect(got.get(0).key() == null && got.get(1).value() == null, "nulls came back as " + got);
        String compacted = kit.topic("nulls-compacted", 1, "cleanup.policy", "compact");
        try (KafkaProducer<String, String> producer = kit.producer()) {
            Kit.send(producer, List.of(new ProducerRecord<>(compacted, null, "no key")));
            throw new AssertionError("a compacted topic took a record without key");
        } catch (org.apache.kafka.common.InvalidRecordException expected) {
            // What Kafka answers.
        }
    }

    private void large() throws Exception {
        String topic = kit.topic("large", 1, "max.message.bytes", "5000000");
        try (KafkaProducer<byte[], byte[]> producer = kit.bytesProducer()) {
            Kit.send(producer, List.of(new ProducerRecord<>(topic, new byte[900_000]), new ProducerRecord<>(topic, new byte[4_900_000])));
        }
        try (KafkaConsumer<byte[], byte[]> consumer = kit.bytesConsumer("max.partition.fetch.bytes", "1000", "fetch.max.bytes", "1000")) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            Suite.same(4_900_000, Kit.poll(consumer, 2).get(1).value().length, "length of a record above the fetch limit");
        }
    }

    private void tooLarge() throws Exception {
        String topic = kit.topic("too-large", 1, "max.message.bytes", "1000");
        try (KafkaProducer<byte[], byte[]> producer = kit.bytesProducer()) {
            Kit.send(producer, List.of(new ProducerRecord<>(topic, new byte[5000])));
            throw new AssertionError("5,000 bytes were accepted where 1,000 are allowed");
        } catch (RecordTooLargeException expected) {
            // What Kafka answers.
        }
    }

    private void idempotent() throws Exception {
        String topic = kit.topic("idempotent", 2);
        List<ProducerRecord<String, String>> records = new ArrayList<>();
        for (int i = 0; i < 5000; i++) {
            records.add(new ProducerRecord<>(topic, i % 2, null, "" + i));
        }
        try (KafkaProducer<String, String> producer = kit.producer("enable.idempotence", "true", "batch.size", "500", "linger.ms", "0",
                "max.in.flight.requests.per.connection", "5")) {
            Kit.send(producer, records);
        }
        Map<Integer, Integer> next = new TreeMap<>(Map.of(0, 0, 1, 1));
        for (ConsumerRecord<String, String> record : kit.readAll(topic, 2, 5000)) {
            Suite.same("" + next.get(record.partition()), record.value(), "next of partition " + record.partition());
            next.merge(record.partition(), 2, Integer::sum);
        }
    }

    private void weakAcks() throws Exception {
        String topic = kit.topic("acks", 1);
        for (String acks : List.of("0", "1")) {
            try (KafkaProducer<String, String> producer = kit.producer("acks", acks, "enable.idempotence", "false")) {
                for (int i = 0; i < 50; i++) {
                    producer.send(new ProducerRecord<>(topic, acks, "v" + i));
                }
            }
        }
        kit.readAll(topic, 1, 100);
    }

    private void timestamps() throws Exception {
        String strict = kit.topic("strict", 1, "message.timestamp.before.max.ms", "60000");
        try (KafkaProducer<String, String> producer = kit.producer()) {
            Kit.send(producer, List.of(new ProducerRecord<>(strict, 0, System.currentTimeMillis() - 3_600_000, "k", "old")));
            throw new AssertionError("a record from an hour ago was accepted where a minute is allowed");
        } catch (InvalidTimestampException expected) {
            // What Kafka answers.
        }
        String append = kit.topic("append-time", 1, "message.timestamp.type", "LogAppendTime");
        long before = System.currentTimeMillis();
        try (KafkaProducer<String, String> producer = kit.producer()) {
            RecordMetadata acked = Kit.send(producer, List.of(new ProducerRecord<>(append, 0, 1000L, "k", "v"))).get(0);
            Suite.expect(acked.timestamp() >= before - 5, "the acknowledged time is " + acked.timestamp());
            Suite.same(acked.timestamp(), kit.readAll(append, 1, 1).get(0).timestamp(), "time read");
        }
    }

    private void autoCreated() throws Exception {
        String topic = kit.name("auto");
        try (KafkaProducer<String, String> producer = kit.producer()) {
            Kit.send(producer, List.of(new ProducerRecord<>(topic, "k", "v")));
        }
        Suite.same("v", kit.readAll(topic, 1, 1).get(0).value(), "value");
    }

    private void fromTime() throws Exception {
        String topic = kit.topic("time", 1);
        long base = System.currentTimeMillis() - 100_000;
        try (KafkaProducer<String, String> producer = kit.producer("batch.size", "300")) {
            List<ProducerRecord<String, String>> records = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                records.add(new ProducerRecord<>(topic, 0, base + i * 1000L, null, "v" + i));
            }
            Kit.send(producer, records);
        }
        TopicPartition tp = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer = kit.consumer()) {
            OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(tp, base + 29_500)).get(tp);
            Suite.same(30L, found.offset(), "offset");
            Suite.same(base + 30_000, found.timestamp(), "timestamp");
            Suite.expect(consumer.offsetsForTimes(Map.of(tp, base + 60_000)).get(tp) == null, "an offset for a time after the end");
            consumer.assign(List.of(tp));
            consumer.seek(tp, found.offset());
            Suite.same("v30", Kit.poll(consumer, 20).get(0).value(), "first value");
        }
    }

    private void smallFetches() throws Exception {
        String topic = kit.topic("many", 20);
        kit.sendNumbered(topic, 2000, 20, "v");
        try (KafkaConsumer<String, String> consumer = kit.consumer("max.partition.fetch.bytes", "100", "fetch.max.bytes", "500",
                "max.poll.records", "7")) {
            List<TopicPartition> all = new ArrayList<>();
            for (int p = 0; p < 20; p++) {
                all.add(new TopicPartition(topic, p));
            }
            consumer.assign(all);
            Suite.same(2000L, Kit.poll(consumer, 2000).stream().map(ConsumerRecord::value).distinct().count(), "records");
            Suite.same(20, consumer.endOffsets(all).values().stream().filter(end -> end == 100).toList().size(), "end offsets");
        }
    }

    private void outOfRange() throws Exception {
        String topic = kit.topic("range", 1);
        kit.sendNumbered(topic, 10, 1, "v");
        TopicPartition tp = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer = kit.consumer("auto.offset.reset", "none")) {
            consumer.assign(List.of(tp));
            consumer.seek(tp, 1000);
            Kit.poll(consumer, 1);
            throw new AssertionError("offset 1000 of 10 was readable");
        } catch (org.apache.kafka.clients.consumer.OffsetOutOfRangeException expected) {
            Suite.same(1000L, expected.offsetOutOfRangePartitions().get(tp), "offset in the error");
        }
    }
}
