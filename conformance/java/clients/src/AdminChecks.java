import static org.apache.kafka.clients.admin.AlterConfigOp.OpType;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.DescribeProducersResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Every admin call that a single node must answer. */
final class AdminChecks {
    private final Kit kit;

    AdminChecks(Kit kit) {
        this.kit = kit;
    }

    void add(Suite suite) {
        suite.check("create topic", this::create);
        suite.check("create topic, what is refused", this::createRefused);
        suite.check("describe cluster", this::cluster);
        suite.check("describe topics, by name and by id", this::describeTopics);
        suite.check("describe topic configs with synonyms and docs", this::topicConfigs);
        suite.check("describe broker configs", this::brokerConfigs);
        suite.check("alter topic configs, all four operations", this::alterTopic);
        suite.check("alter broker configs dynamically", this::alterBroker);
        suite.check("create partitions", this::partitions);
        suite.check("list offsets and delete records", this::deleteRecords);
        suite.check("retention by size takes effect", this::retention);
        suite.check("list, describe and delete groups", this::groups);
        suite.check("alter and delete group offsets", this::groupOffsets);
        suite.check("describe log dirs", this::logDirs);
        suite.check("describe producers", this::producers);
        suite.check("list config resources", this::configResources);
        suite.check("describe features", this::features);
        suite.check("delete topic, by name and by id", this::deleteTopic);
    }

    private interface Call {
        void run() throws Exception;
    }

    private static void refused(Class<? extends Exception> with, Call call) throws Exception {
        try {
            call.run();
        } catch (Exception error) {
            Suite.expect(with.isInstance(error), "refused with " + error + " instead of " + with.getSimpleName());
            return;
        }
        throw new AssertionError("accepted, instead of " + with.getSimpleName());
    }

    private Config config(ConfigResource.Type type, String name) throws Exception {
        ConfigResource resource = new ConfigResource(type, name);
        DescribeConfigsOptions all = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        return Kit.get(kit.admin.describeConfigs(List.of(resource), all).all()).get(resource);
    }

    private String value(String topic, String key) {
        try {
            return config(ConfigResource.Type.TOPIC, topic).get(key).value();
        } catch (Exception error) {
            throw new AssertionError("describe configs: " + error, error);
        }
    }

    private void alter(ConfigResource.Type type, String name, OpType op, String key, String value) throws Exception {
        Collection<AlterConfigOp> ops = List.of(new AlterConfigOp(new ConfigEntry(key, value), op));
        Kit.get(kit.admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), ops)).all());
    }

    private void create() throws Exception {
        var result = kit.admin.createTopics(List.of(new NewTopic(kit.name("create"), 3, (short) 1).configs(Map.of("retention.ms", "123456"))));
        Kit.get(result.all());
        Suite.same(3, Kit.get(result.numPartitions(kit.name("create"))), "partitions in the answer");
        Suite.same("123456", Kit.get(result.config(kit.name("create"))).get("retention.ms").value(), "config in the answer");
        Suite.expect(Kit.get(kit.admin.listTopics().names()).contains(kit.name("create")), "the topic is not listed");
    }

    private void createRefused() throws Exception {
        String there = kit.topic("there", 1);
        refused(TopicExistsException.class, () -> kit.topic("there", 1));
        refused(InvalidTopicException.class, () -> kit.topic("no spaces please", 1));
        refused(InvalidPartitionsException.class, () -> kit.topic("zero", 0));
        refused(InvalidConfigurationException.class, () -> kit.topic("bad-config", 1, "retention.ms", "soon"));
        refused(InvalidConfigurationException.class, () -> kit.topic("unknown-config", 1, "no.such.config", "1"));
        refused(InvalidReplicationFactorException.class, () -> Kit.get(kit.admin.createTopics(
            List.of(new NewTopic(kit.name("rf3"), 1, (short) 3))).all()));
        Kit.get(kit.admin.createTopics(List.of(new NewTopic(kit.name("dry"), 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all());
        Set<String> names = Kit.get(kit.admin.listTopics().names());
        Suite.expect(names.contains(there) && !names.contains(kit.name("dry")), "a validated topic was created");
    }

    private void cluster() throws Exception {
        var result = kit.admin.describeCluster();
        Suite.same(1, Kit.get(result.nodes()).size(), "nodes");
        Suite.expect(!Kit.get(result.clusterId()).isEmpty(), "no cluster id");
        Suite.expect(Kit.get(result.controller()).id() >= 0, "no controller");
    }

    private void describeTopics() throws Exception {
        String topic = kit.topic("describe", 5);
        TopicDescription byName = Kit.get(kit.admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
        Suite.same(5, byName.partitions().size(), "partitions");
        Suite.expect(byName.partitions().stream().allMatch(p -> p.leader() != null && p.isr().size() == 1), "leaders: " + byName);
        TopicDescription byId = Kit.get(kit.admin.describeTopics(TopicCollection.ofTopicIds(List.of(byName.topicId()))).allTopicIds())
            .get(byName.topicId());
        Suite.same(topic, byId.name(), "name by id");
        refused(UnknownTopicOrPartitionException.class, () -> Kit.get(kit.admin.describeTopics(List.of(kit.name("nobody"))).allTopicNames()));
    }

    private void topicConfigs() throws Exception {
        String topic = kit.topic("configs", 1, "segment.bytes", "2000000");
        ConfigEntry entry = config(ConfigResource.Type.TOPIC, topic).get("segment.bytes");
        Suite.same("2000000", entry.value(), "value");
        Suite.same(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, entry.source(), "source");
        Suite.same(ConfigEntry.ConfigType.INT, entry.type(), "type");
        Suite.same(List.of("segment.bytes", "log.segment.bytes"), entry.synonyms().stream().map(s -> s.name()).toList(), "synonyms");
        Suite.expect(entry.documentation() != null && entry.documentation().length() > 20, "no documentation");
        Config all = config(ConfigResource.Type.TOPIC, topic);
        Suite.expect(all.entries().size() >= 25, "only " + all.entries().size() + " topic configs");
        Suite.same(ConfigEntry.ConfigSource.DEFAULT_CONFIG, all.get("max.message.bytes").source(), "source of a default");
    }

    private String node() throws Exception {
        return Kit.get(kit.admin.describeCluster().nodes()).iterator().next().idString();
    }

    private void brokerConfigs() throws Exception {
        Config all = config(ConfigResource.Type.BROKER, node());
        Suite.expect(all.entries().size() > 150, "only " + all.entries().size() + " broker configs");
        Suite.expect(all.get("node.id").isReadOnly(), "node.id is not read-only");
        Suite.same(ConfigEntry.ConfigSource.STATIC_BROKER_CONFIG, all.get("log.dirs").source(), "source of log.dirs");
        Suite.expect(!all.get("log.cleaner.threads").isReadOnly(), "log.cleaner.threads cannot be changed");
    }

    private void alterTopic() throws Exception {
        String topic = kit.topic("alter", 1);
        ConfigResource.Type type = ConfigResource.Type.TOPIC;
        alter(type, topic, OpType.SET, "max.message.bytes", "54321");
        Suite.await(() -> "the new value", () -> "54321".equals(value(topic, "max.message.bytes")));
        alter(type, topic, OpType.APPEND, "cleanup.policy", "compact");
        Suite.await(() -> "the appended value", () -> "delete,compact".equals(value(topic, "cleanup.policy")));
        alter(type, topic, OpType.SUBTRACT, "cleanup.policy", "compact");
        Suite.await(() -> "the subtracted value", () -> "delete".equals(value(topic, "cleanup.policy")));
        alter(type, topic, OpType.DELETE, "max.message.bytes", "");
        Suite.await(() -> "the default", () -> "1048588".equals(value(topic, "max.message.bytes")));
        refused(InvalidConfigurationException.class, () -> alter(type, topic, OpType.SET, "retention.ms", "soon"));
        refused(InvalidConfigurationException.class, () -> alter(type, topic, OpType.SET, "no.such.config", "1"));
        refused(UnknownTopicOrPartitionException.class, () -> alter(type, kit.name("nobody"), OpType.SET, "retention.ms", "1"));
    }

    private void alterBroker() throws Exception {
        String topic = kit.topic("inherits", 1);
        ConfigResource.Type type = ConfigResource.Type.BROKER;
        alter(type, "", OpType.SET, "message.max.bytes", "2222222");
        Suite.await(() -> "the topic inherits the cluster's value", () -> "2222222".equals(value(topic, "max.message.bytes")));
        alter(type, node(), OpType.SET, "message.max.bytes", "3333333");
        Suite.await(() -> "the node's value wins", () -> "3333333".equals(value(topic, "max.message.bytes")));
        Suite.same(ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG, config(ConfigResource.Type.TOPIC, topic).get("max.message.bytes").source(),
            "source");
        alter(type, node(), OpType.DELETE, "message.max.bytes", "");
        alter(type, "", OpType.DELETE, "message.max.bytes", "");
        Suite.await(() -> "the default again", () -> "1048588".equals(value(topic, "max.message.bytes")));
    }

    private void partitions() throws Exception {
        String topic = kit.topic("grow", 1);
        Kit.get(kit.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all());
        kit.sendNumbered(topic, 40, 4, "v");
        kit.readAll(topic, 4, 40);
        refused(InvalidPartitionsException.class, () -> Kit.get(kit.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all()));
    }

    private long offset(TopicPartition tp, OffsetSpec spec) {
        try {
            return Kit.get(kit.admin.listOffsets(Map.of(tp, spec)).all()).get(tp).offset();
        } catch (Exception error) {
            throw new AssertionError("list offsets: " + error, error);
        }
    }

    private void deleteRecords() throws Exception {
        TopicPartition tp = new TopicPartition(kit.topic("trim", 1), 0);
        try (KafkaProducer<String, String> producer = kit.producer()) {
            long now = System.currentTimeMillis();
            for (int i = 0; i < 30; i++) {
                producer.send(new ProducerRecord<>(tp.topic(), 0, now + (i == 20 ? 60_000 : i), "k", "v" + i));
            }
        }
        Suite.same(30L, offset(tp, OffsetSpec.latest()), "latest");
        Suite.same(20L, offset(tp, OffsetSpec.maxTimestamp()), "max timestamp");
        var deleted = Kit.get(kit.admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(12))).lowWatermarks().get(tp));
        Suite.same(12L, deleted.lowWatermark(), "low watermark");
        Suite.same(12L, offset(tp, OffsetSpec.earliest()), "earliest");
        Suite.same("v12", kit.readAll(tp.topic(), 1, 18).get(0).value(), "first record left");
        refused(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () -> Kit.get(kit.admin.deleteRecords(
            Map.of(tp, RecordsToDelete.beforeOffset(99))).all()));
    }

    private void retention() throws Exception {
        String topic = kit.topic("retention", 1, "segment.bytes", "1048576", "retention.bytes", "1500000", "file.delete.delay.ms", "0");
        try (KafkaProducer<byte[], byte[]> producer = kit.bytesProducer("batch.size", "0")) {
            for (int i = 0; i < 60; i++) {
                producer.send(new ProducerRecord<>(topic, new byte[100_000]));
            }
        }
        TopicPartition tp = new TopicPartition(topic, 0);
        Suite.await(() -> "old segments go: earliest is " + offset(tp, OffsetSpec.earliest()), () -> offset(tp, OffsetSpec.earliest()) > 20);
    }

    private void groups() throws Exception {
        String topic = kit.topic("gone", 1);
        String group = kit.name("gone");
        kit.sendNumbered(topic, 5, 1, "v");
        try (KafkaConsumer<String, String> consumer = kit.consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            Kit.poll(consumer, 5);
            consumer.commitSync();
            refused(GroupNotEmptyException.class, () -> Kit.get(kit.admin.deleteConsumerGroups(List.of(group)).all()));
        }
        Suite.expect(Kit.get(kit.admin.listGroups().all()).stream().anyMatch(g -> g.groupId().equals(group)), "the group is not listed");
        Suite.same("EMPTY", Kit.get(kit.admin.describeConsumerGroups(List.of(group)).all()).get(group).groupState().name(), "state");
        Kit.get(kit.admin.deleteConsumerGroups(List.of(group)).all());
        Suite.expect(Kit.get(kit.admin.listGroups().all()).stream().noneMatch(g -> g.groupId().equals(group)), "the group is still listed");
    }

    private void groupOffsets() throws Exception {
        TopicPartition tp = new TopicPartition(kit.topic("reset", 1), 0);
        String group = kit.name("reset");
        Kit.get(kit.admin.alterConsumerGroupOffsets(group, Map.of(tp, new OffsetAndMetadata(7))).all());
        Suite.same(7L, Kit.get(kit.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).get(tp).offset(), "offset");
        Kit.get(kit.admin.deleteConsumerGroupOffsets(group, Set.of(tp)).all());
        Suite.expect(Kit.get(kit.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).get(tp) == null, "the offset is still there");
    }

    private void logDirs() throws Exception {
        String topic = kit.topic("dirs", 1);
        kit.sendNumbered(topic, 50, 1, "v");
        var dirs = Kit.get(kit.admin.describeLogDirs(List.of(Integer.valueOf(node()))).allDescriptions()).values().iterator().next().values();
        var replica = dirs.iterator().next().replicaInfos().get(new TopicPartition(topic, 0));
        Suite.expect(replica != null && replica.size() > 100, "the topic's room is " + replica);
        Suite.expect(dirs.iterator().next().totalBytes().orElse(0) > 0, "no size of the volume");
    }

    private void producers() throws Exception {
        TopicPartition tp = new TopicPartition(kit.topic("producers", 1), 0);
        kit.sendNumbered(tp.topic(), 10, 1, "v");
        DescribeProducersResult.PartitionProducerState state = Kit.get(kit.admin.describeProducers(List.of(tp)).partitionResult(tp));
        Suite.same(1, state.activeProducers().size(), "producers");
        Suite.same(9, state.activeProducers().get(0).lastSequence(), "last sequence");
    }

    private void configResources() throws Exception {
        String topic = kit.topic("resources", 1);
        var got = Kit.get(kit.admin.listConfigResources().all());
        Suite.expect(got.contains(new ConfigResource(ConfigResource.Type.TOPIC, topic)), "the topic is not among " + got.size() + " resources");
    }

    private void features() throws Exception {
        var got = Kit.get(kit.admin.describeFeatures().featureMetadata());
        Suite.expect(got.supportedFeatures().containsKey("metadata.version"), "features: " + new TreeSet<>(got.supportedFeatures().keySet()));
        Suite.expect(got.finalizedFeatures().containsKey("metadata.version"), "metadata.version is not finalized");
    }

    private void deleteTopic() throws Exception {
        String topic = kit.topic("delete", 1);
        Kit.get(kit.admin.deleteTopics(List.of(topic)).all());
        refused(UnknownTopicOrPartitionException.class, () -> Kit.get(kit.admin.deleteTopics(List.of(topic)).all()));
        String again = kit.topic("delete", 2);
        var id = Kit.get(kit.admin.describeTopics(List.of(again)).allTopicNames()).get(again).topicId();
        Kit.get(kit.admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all());
        Suite.expect(!Kit.get(kit.admin.listTopics().names()).contains(again), "the topic is still listed");
    }
}
