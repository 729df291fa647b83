import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What the checks share: clients with short timeouts, topics with names of their own, reading to the end. */
final class Kit {
    final String bootstrap;
    final Admin admin;
    private final String run = "java-" + System.currentTimeMillis() / 1000;

    Kit(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "default.api.timeout.ms", "30000"));
    }

    String name(String what) {
        return run + "-" + what;
    }

    static <T> T get(Future<T> future) throws Exception {
        try {
            return future.get(40, TimeUnit.SECONDS);
        } catch (ExecutionException wrapped) {
            throw wrapped.getCause() instanceof Exception cause ? cause : wrapped;
        }
    }

    String topic(String what, int partitions, String... configs) throws Exception {
        Map<String, String> map = new HashMap<>();
        for (int i = 0; i < configs.length; i += 2) {
            map.put(configs[i], configs[i + 1]);
        }
        get(admin.createTopics(List.of(new NewTopic(name(what), partitions, (short) 1).configs(map))).all());
        // The controller has it; the broker hears of it a moment later.
        Suite.await(() -> name(what) + " in the broker's metadata", () -> known(name(what)));
        return name(what);
    }

    private boolean known(String topic) {
        try {
            return !get(admin.describeTopics(List.of(topic)).allTopicNames()).isEmpty();
        } catch (UnknownTopicOrPartitionException notYet) {
            return false;
        } catch (Exception error) {
            throw new AssertionError("describe topics: " + error, error);
        }
    }

    private Map<String, Object> with(String[] more, Object... base) {
        Map<String, Object> configs = new HashMap<>();
        configs.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < base.length; i += 2) {
            configs.put((String) base[i], base[i + 1]);
        }
        for (int i = 0; i < more.length; i += 2) {
            configs.put(more[i], more[i + 1]);
        }
        return configs;
    }

    KafkaProducer<String, String> producer(String... more) {
        return new KafkaProducer<>(with(more, "delivery.timeout.ms", "30000", "request.timeout.ms", "15000", "linger.ms", "5"),
            new StringSerializer(), new StringSerializer());
    }

    KafkaProducer<byte[], byte[]> bytesProducer(String... more) {
        return new KafkaProducer<>(with(more, "delivery.timeout.ms", "30000", "request.timeout.ms", "15000", "max.request.size", "8000000"),
            new ByteArraySerializer(), new ByteArraySerializer());
    }

    KafkaConsumer<String, String> consumer(String... more) {
        return new KafkaConsumer<>(with(more, "auto.offset.reset", "earliest", "enable.auto.commit", "false", "group.protocol", "classic",
            "session.timeout.ms", "3000", "heartbeat.interval.ms", "500"), new StringDeserializer(), new StringDeserializer());
    }

    KafkaConsumer<byte[], byte[]> bytesConsumer(String... more) {
        return new KafkaConsumer<>(with(more, "auto.offset.reset", "earliest"), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Sends all, then waits for every acknowledgement. */
    static <K, V> List<RecordMetadata> send(KafkaProducer<K, V> producer, List<ProducerRecord<K, V>> records) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (ProducerRecord<K, V> record : records) {
            sent.add(producer.send(record));
        }
        List<RecordMetadata> acked = new ArrayList<>();
        for (Future<RecordMetadata> future : sent) {
            acked.add(get(future));
        }
        return acked;
    }

    void sendNumbered(String topic, int count, int partitions, String prefix) throws Exception {
        List<ProducerRecord<String, String>> records = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            records.add(new ProducerRecord<>(topic, i % partitions, "k" + i, prefix + i));
        }
        try (KafkaProducer<String, String> producer = producer()) {
            send(producer, records);
        }
    }

    /** Polls until `count` records are there. */
    static <K, V> List<ConsumerRecord<K, V>> poll(KafkaConsumer<K, V> consumer, int count) {
        List<ConsumerRecord<K, V>> got = new ArrayList<>();
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (got.size() < count) {
            Suite.expect(System.nanoTime() < deadline, "read " + got.size() + " of " + count + " records");
            consumer.poll(Duration.ofMillis(200)).forEach(got::add);
        }
        return got;
    }

    List<ConsumerRecord<String, String>> readAll(String topic, int partitions, int count) {
        try (KafkaConsumer<String, String> consumer = consumer()) {
            List<TopicPartition> all = new ArrayList<>();
            for (int p = 0; p < partitions; p++) {
                all.add(new TopicPartition(topic, p));
            }
            consumer.assign(all);
            consumer.seekToBeginning(all);
            return poll(consumer, count);
        }
    }
}
