import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * One thing after the other, so that every batch, segment and record of groups and of the cluster comes out the same: a
 * batch is what was sent between two flushes, records bring their own time, and what a broker does by itself is waited for.
 */
final class FilesLoad implements AutoCloseable {
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final long FIRST_MS = 1_700_000_000_000L;
    private static final int BATCH = 30;
    private static final int KEYS = 97;
    private static final String SEGMENT = "1048576";
    private static final String FOREVER = "-1";

    private final Map<String, Object> client;
    private final Path data;
    private final Admin admin;
    private final Random random = new Random(4);
    private long now = FIRST_MS;

    FilesLoad(String bootstrap, Path data) {
        this.client = Map.of("bootstrap.servers", bootstrap, "enable.metrics.push", false);
        this.data = data;
        this.admin = Admin.create(client);
    }

    @Override
    public void close() {
        admin.close();
    }

    /** Everything, on an empty directory. */
    void fill() throws Exception {
        topics();
        for (String codec : CODECS) {
            try (Sender sender = new Sender(codec, true)) {
                for (int i = 0; i < 14; i++) {
                    sender.batch("plain", 0);
                    sender.batch("trimmed", 0);
                    sender.batch("compacted", 0);
                }
                sender.batch("empties", 1);
                sender.batch("recompressed", 0);
                sender.batch("appended", 0);
                sender.batch("dropped", 0);
            }
        }
        try (Sender sender = new Sender("none", false)) {
            sender.single("plain", 0, null, null);
            sender.single("plain", 0, bytes("key"), null);
            sender.single("plain", 0, null, bytes(""));
            sender.tombstones("compacted", 0);
        }
        groups();
        configs();
        done(admin.createPartitions(Map.of("empties", NewPartitions.increaseTo(5))).all());
        done(admin.deleteTopics(List.of("dropped")).all());
        trim(1000);
        compact();
        settle();
    }

    private void topics() throws Exception {
        // One at a time: within one request, the order of the records is that of a hash table.
        create("plain", 1, Map.of());
        create("trimmed", 1, Map.of());
        create("compacted", 1, Map.of("min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "8640000000"));
        create("empties", 3, Map.of());
        create("recompressed", 1, Map.of("compression.type", "zstd", "compression.zstd.level", "5"));
        create("appended", 1, Map.of("message.timestamp.type", "LogAppendTime"));
        create("dropped", 2, Map.of());
    }

    private void create(String topic, int partitions, Map<String, String> more) throws Exception {
        Map<String, String> configs = new HashMap<>(Map.of("segment.bytes", SEGMENT, "retention.ms", FOREVER));
        configs.putAll(more);
        done(admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all());
    }

    private static TopicPartition plain() {
        return new TopicPartition("plain", 0);
    }

    /** A member that comes and goes, one that stays, commits of no member, and what is taken back of them. */
    private void groups() throws Exception {
        dynamicMember(120);
        try (KafkaConsumer<byte[], byte[]> consumer = member("lasting-group", Map.of(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, "one"))) {
            consumer.commitSync(Map.of(plain(), new OffsetAndMetadata(33, Optional.of(0), "a note")));
        }
        commit("simple", Map.of(plain(), new OffsetAndMetadata(5), new TopicPartition("compacted", 0), new OffsetAndMetadata(6, "text")));
        done(admin.deleteConsumerGroupOffsets("simple", Set.of(new TopicPartition("compacted", 0))).all());
        commit("doomed", Map.of(plain(), new OffsetAndMetadata(9)));
        done(admin.deleteConsumerGroups(List.of("doomed")).all());
    }

    private void dynamicMember(long offset) {
        try (KafkaConsumer<byte[], byte[]> consumer = member("passing-group", Map.of())) {
            consumer.commitSync(Map.of(plain(), new OffsetAndMetadata(offset)));
        }
    }

    /** A member of a classic group that has been assigned everything. */
    private KafkaConsumer<byte[], byte[]> member(String group, Map<String, Object> more) {
        Map<String, Object> configs = new HashMap<>(client);
        configs.putAll(Map.of("group.id", group, "client.id", "member-of-" + group, "enable.auto.commit", false, "session.timeout.ms", 1_800_000,
            "max.poll.interval.ms", 1_800_000, "heartbeat.interval.ms", 60_000, "auto.offset.reset", "earliest"));
        configs.putAll(more);
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(configs, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.subscribe(List.of("plain"));
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (consumer.assignment().isEmpty()) {
            Suite.expect(System.nanoTime() < deadline, "no assignment within 60 s");
            consumer.poll(Duration.ofMillis(50));
        }
        return consumer;
    }

    private void commit(String group, Map<TopicPartition, OffsetAndMetadata> offsets) throws Exception {
        done(admin.alterConsumerGroupOffsets(group, offsets).all());
    }

    private void configs() throws Exception {
        set("plain", "retention.bytes", "1000000000");
        set("plain", "max.message.bytes", "2000000");
        alter(new ConfigResource(ConfigResource.Type.TOPIC, "plain"), new AlterConfigOp(new ConfigEntry("retention.bytes", ""), AlterConfigOp.OpType.DELETE));
        alter(new ConfigResource(ConfigResource.Type.BROKER, ""), put("log.retention.ms", "999999999999"));
        alter(new ConfigResource(ConfigResource.Type.BROKER, "1"), put("log.cleaner.threads", "1"));
    }

    private void set(String topic, String name, String value) throws Exception {
        alter(new ConfigResource(ConfigResource.Type.TOPIC, topic), put(name, value));
    }

    private static AlterConfigOp put(String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
    }

    private void alter(ConfigResource resource, AlterConfigOp op) throws Exception {
        Map<ConfigResource, Collection<AlterConfigOp>> ops = Map.of(resource, List.of(op));
        done(admin.incrementalAlterConfigs(ops).all());
    }

    private void trim(long offset) throws Exception {
        done(admin.deleteRecords(Map.of(new TopicPartition("trimmed", 0), RecordsToDelete.beforeOffset(offset))).all());
    }

    /** Everything is written before the first pass, so that there is one pass over the same segments. */
    private void compact() throws Exception {
        set("compacted", "cleanup.policy", "compact");
        Suite.await(() -> "cleaned up to the active segment: " + lines("cleaner-offset-checkpoint"), () -> {
            long active = segments("compacted-0").reduce((first, second) -> second).orElse(0L);
            return lines("cleaner-offset-checkpoint").contains("compacted 0 " + active);
        });
    }

    /** Until what a broker does later by itself is done: removed files are gone, and a snapshot holds the last change. */
    private void settle() throws Exception {
        Suite.await(() -> "files to be gone: " + leaving(), () -> leaving().isEmpty());
        long end = admin.describeMetadataQuorum().quorumInfo().get(30, TimeUnit.SECONDS).highWatermark();
        Suite.await(() -> "a snapshot of the metadata at " + end, () -> names("__cluster_metadata-0")
            .anyMatch(name -> name.endsWith(".checkpoint") && Long.parseLong(name.substring(0, 20)) >= end));
    }

    private Stream<String> names(String folder) {
        try (Stream<Path> all = Files.list(data.resolve(folder))) {
            return all.map(path -> path.getFileName().toString()).sorted().toList().stream();
        } catch (Exception error) {
            return Stream.empty();
        }
    }

    private Stream<Long> segments(String folder) {
        return names(folder).filter(name -> name.endsWith(".log")).map(name -> Long.parseLong(name.substring(0, 20)));
    }

    /** Files and folders that wait to be removed, and segments of which nothing is left. */
    private List<String> leaving() {
        Stream<String> marked = Stream.of("plain-0", "trimmed-0", "compacted-0").flatMap(folder -> names(folder).map(name -> folder + "/" + name))
            .filter(name -> name.endsWith(".deleted") || name.endsWith(".cleaned") || name.endsWith(".swap"));
        Stream<String> folders = names("").filter(name -> name.startsWith("dropped") || name.endsWith("-delete"));
        Stream<String> trimmed = segments("trimmed-0").limit(1).filter(first -> {
            long start = lines("log-start-offset-checkpoint").stream().filter(line -> line.startsWith("trimmed 0 "))
                .map(line -> Long.parseLong(line.substring("trimmed 0 ".length()))).findFirst().orElse(-1L);
            return start < 0 || segments("trimmed-0").skip(1).findFirst().orElse(Long.MAX_VALUE) <= start;
        }).map(first -> "trimmed-0/" + first);
        return Stream.of(marked, folders, trimmed).flatMap(one -> one).toList();
    }

    private List<String> lines(String file) {
        try {
            // Entries end at white space, for Kafka as well; ours has a checksum in it.
            return Files.readAllLines(data.resolve(file)).stream().map(String::strip).toList();
        } catch (Exception error) {
            return List.of();
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static <T> T done(KafkaFuture<T> future) throws Exception {
        return future.get(60, TimeUnit.SECONDS);
    }

    /** A producer whose batches end where it says. */
    private final class Sender implements AutoCloseable {
        private final KafkaProducer<byte[], byte[]> producer;
        private int sent;

        Sender(String codec, boolean idempotent) {
            Map<String, Object> configs = new HashMap<>(client);
            configs.putAll(Map.of(ProducerConfig.COMPRESSION_TYPE_CONFIG, codec, ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, idempotent,
                ProducerConfig.LINGER_MS_CONFIG, 60_000, ProducerConfig.BATCH_SIZE_CONFIG, 1_000_000, ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 240_000));
            producer = new KafkaProducer<>(configs, new ByteArraySerializer(), new ByteArraySerializer());
        }

        /** Keys that come again, values that no codec makes nothing of, headers, and times of which some are older. */
        void batch(String topic, int partition) {
            for (int i = 0; i < BATCH; i++, sent++) {
                RecordHeaders headers = new RecordHeaders();
                if (i % 3 > 0) {
                    headers.add("number", bytes("n" + i));
                    headers.add("null", null);
                }
                now += i % 7 == 6 ? -5 : 40;
                byte[] key = bytes("key-" + random.nextInt(KEYS));
                producer.send(new ProducerRecord<>(topic, partition, now, key, value(), headers));
            }
            producer.flush();
        }

        void single(String topic, int partition, byte[] key, byte[] value) {
            now += 1_000;
            producer.send(new ProducerRecord<>(topic, partition, now, key, value));
            producer.flush();
        }

        /** Some keys end, and the segment is filled up behind them. */
        void tombstones(String topic, int first) {
            for (int i = 0; i < 20; i++) {
                now += 10;
                producer.send(new ProducerRecord<>(topic, 0, now, bytes("key-" + (first + i)), (byte[]) null));
            }
            producer.flush();
            for (int i = 0; i < 25; i++) {
                batch(topic, 0);
            }
        }

        private byte[] value() {
            byte[] value = new byte[1_200 + random.nextInt(600)];
            for (int i = 0; i < value.length; i++) {
                value[i] = (byte) (i < 300 ? 'a' + i % 20 : '0' + random.nextInt(64));
            }
            return value;
        }

        @Override
        public void close() {
            producer.close();
        }
    }
}
