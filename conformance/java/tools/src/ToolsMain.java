import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import kafka.admin.ConfigCommand;
import org.apache.kafka.tools.BrokerApiVersionsCommand;
import org.apache.kafka.tools.ClusterTool;
import org.apache.kafka.tools.ConsoleProducer;
import org.apache.kafka.tools.ConsumerPerformance;
import org.apache.kafka.tools.DeleteRecordsCommand;
import org.apache.kafka.tools.DumpLogSegments;
import org.apache.kafka.tools.EndToEndLatency;
import org.apache.kafka.tools.FeatureCommand;
import org.apache.kafka.tools.GetOffsetShell;
import org.apache.kafka.tools.GroupsCommand;
import org.apache.kafka.tools.LogDirsCommand;
import org.apache.kafka.tools.ProducerPerformance;
import org.apache.kafka.tools.TopicCommand;
import org.apache.kafka.tools.consumer.ConsoleConsumer;
import org.apache.kafka.tools.consumer.group.ConsumerGroupCommand;

/** Apache Kafka's shell tools against one broker: `ToolsMain BOOTSTRAP DATA_DIR`. */
public final class ToolsMain {
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

    private final Shell shell = new Shell();
    private final String bootstrap;
    private final Path data;

    private ToolsMain(String bootstrap, Path data) {
        this.bootstrap = bootstrap;
        this.data = data;
    }

    public static void main(String[] args) throws Exception {
        ToolsMain tools = new ToolsMain(args[0], Path.of(args[1]));
        Suite suite = new Suite("kafka-tools", tools.shell.terminal());
        tools.whileItRuns(suite);
        suite.check("dump-log after a clean stop", () -> tools.shell.ask("STOP"));
        tools.whenItIsStopped(suite);
        suite.check("data and groups are there after a restart", tools::restarted);
        suite.run();
        Runtime.getRuntime().halt(0);
    }

    private void whileItRuns(Suite suite) {
        suite.check("kafka-topics", this::topics);
        for (String codec : CODECS) {
            suite.check("produce and consume " + codec + " by the consoles", () -> consoles(codec));
        }
        suite.check("commit and resume with the console consumer", this::resume);
        suite.check("kafka-consumer-groups", this::groups);
        suite.check("kafka-groups", () -> shell.run("kafka-groups", GroupsCommand::main, to("--list")).ok().says("tools-group", "Classic"));
        suite.check("kafka-configs for topics", this::topicConfigs);
        suite.check("kafka-configs for brokers", this::brokerConfigs);
        suite.check("kafka-get-offsets", this::offsets);
        suite.check("kafka-delete-records", this::deleteRecords);
        suite.check("kafka-log-dirs", () -> shell.run("kafka-log-dirs", LogDirsCommand::main, to("--describe", "--topic-list", "consoles-none"))
            .ok().says("\"partition\":\"consoles-none-0\"", "\"error\":null", "\"size\":"));
        suite.check("kafka-broker-api-versions", () -> shell.run("kafka-broker-api-versions", BrokerApiVersionsCommand::main, to())
            .ok().says("Produce(0):", "Fetch(1):", "ApiVersions(18):").saysNot("ERROR", "Exception"));
        suite.check("kafka-features", () -> shell.run("kafka-features", FeatureCommand::main, to("describe")).ok().says("metadata.version"));
        suite.check("kafka-cluster", () -> shell.run("kafka-cluster", ClusterTool::main, "cluster-id", "--bootstrap-server", bootstrap)
            .ok().says("Cluster ID:"));
        suite.check("producer and consumer perf tests", this::perf);
        suite.check("kafka-e2e-latency", this::latency);
    }

    /** The arguments behind the broker's address. */
    private String[] to(String... args) {
        return Stream.concat(Stream.of("--bootstrap-server", bootstrap), Stream.of(args)).toArray(String[]::new);
    }

    private Shell.Result topicTool(String... args) {
        return shell.run("kafka-topics", TopicCommand::main, to(args));
    }

    private void topics() {
        topicTool("--create", "--topic", "tools", "--partitions", "3", "--config", "retention.ms=123456").ok().says("Created topic tools");
        topicTool("--list").ok().says("tools");
        topicTool("--describe", "--topic", "tools").ok().says("PartitionCount: 3", "retention.ms=123456", "Leader: 1", "Isr: 1");
        topicTool("--alter", "--topic", "tools", "--partitions", "5").ok();
        topicTool("--describe", "--topic", "tools").ok().says("PartitionCount: 5", "Partition: 4");
        topicTool("--describe", "--under-replicated-partitions").ok().saysNot("Topic: tools");
        topicTool("--create", "--topic", "passing").ok();
        topicTool("--delete", "--topic", "passing").ok();
        topicTool("--list").ok().saysNot("passing");
        Suite.expect(topicTool("--describe", "--topic", "passing").code() != 0, "a deleted topic is described");
    }

    private Shell.Result produce(String topic, String lines, String... more) {
        String[] args = Stream.concat(Stream.of(to("--topic", topic)), Stream.of(more)).toArray(String[]::new);
        return shell.runWith(lines, "kafka-console-producer", ConsoleProducer::main, args).ok().saysNot("ERROR");
    }

    private Shell.Result consume(String topic, String... more) {
        String[] args = Stream.concat(Stream.of(to("--topic", topic, "--timeout-ms", "20000")), Stream.of(more)).toArray(String[]::new);
        return shell.run("kafka-console-consumer", ConsoleConsumer::main, args).ok();
    }

    private void consoles(String codec) {
        String topic = "consoles-" + codec;
        topicTool("--create", "--topic", topic).ok();
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 50; i++) {
            lines.append("color:blue,n:").append(i).append("\tkey").append(i).append("\tvalue value value value ").append(i).append('\n');
        }
        produce(topic, lines.toString(), "--compression-codec", codec, "--reader-property", "parse.key=true", "--reader-property",
            "parse.headers=true");
        Shell.Result got = consume(topic, "--from-beginning", "--max-messages", "50", "--formatter-property", "print.key=true",
            "--formatter-property", "print.headers=true", "--formatter-property", "print.offset=true", "--formatter-property", "print.timestamp=true");
        got.says("Offset:49\tcolor:blue,n:49\tkey49\tvalue value value value 49", "CreateTime:");
        Suite.same(50L, got.lines("color:blue"), "records");
        consume(topic, "--partition", "0", "--offset", "47", "--max-messages", "3").says("value 47", "value 49").saysNot("value 46");
    }

    private void resume() {
        topicTool("--create", "--topic", "tools-resume").ok();
        produce("tools-resume", "one\ntwo\nthree\nfour\n");
        String[] asGroup = {"--group", "tools-group", "--from-beginning", "--max-messages", "2", "--consumer-property", "max.poll.records=2"};
        consume("tools-resume", asGroup).says("one", "two").saysNot("three");
        consume("tools-resume", asGroup).says("three", "four").saysNot("two");
    }

    private Shell.Result groupTool(String... args) {
        return shell.run("kafka-consumer-groups", ConsumerGroupCommand::main, to(args));
    }

    private void groups() {
        groupTool("--list").ok().says("tools-group");
        groupTool("--list", "--state").ok().says("tools-group", "Empty");
        groupTool("--describe", "--group", "tools-group").ok().says("tools-resume", "has no active members");
        groupTool("--describe", "--group", "tools-group", "--state").ok().says("Empty");
        groupTool("--describe", "--group", "tools-group", "--members").ok();
        groupTool("--reset-offsets", "--group", "tools-group", "--topic", "tools-resume", "--to-offset", "1", "--dry-run").ok();
        groupTool("--reset-offsets", "--group", "tools-group", "--topic", "tools-resume", "--to-earliest", "--execute").ok()
            .says("tools-resume");
        groupTool("--reset-offsets", "--group", "tools-group", "--topic", "tools-resume", "--shift-by", "3", "--execute").ok();
        Shell.Result shifted = groupTool("--describe", "--group", "tools-group", "--offsets").ok();
        Suite.expect(shifted.out().matches("(?s).*tools-resume\\s+0\\s+3\\s+4\\s+1\\s.*"), "offset 3 of 4 is not shown: " + shifted.out());
        groupTool("--reset-offsets", "--group", "doomed", "--topic", "tools-resume", "--to-latest", "--execute").ok();
        groupTool("--delete-offsets", "--group", "doomed", "--topic", "tools-resume").ok().says("Successful");
        groupTool("--reset-offsets", "--group", "doomed", "--topic", "tools-resume", "--to-latest", "--execute").ok();
        groupTool("--delete", "--group", "doomed").ok().says("successful");
        groupTool("--list").ok().saysNot("doomed");
    }

    private Shell.Result configTool(String... args) {
        return shell.run("kafka-configs", ConfigCommand::main, to(args));
    }

    private void topicConfigs() {
        String[] topic = {"--entity-type", "topics", "--entity-name", "tools"};
        configTool(join(topic, "--describe", "--all")).ok().says("retention.ms=123456 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=123456",
            "max.message.bytes=1048588", "cleanup.policy=delete");
        configTool(join(topic, "--alter", "--add-config", "max.message.bytes=4444,cleanup.policy=[compact,delete]")).ok();
        configTool(join(topic, "--describe")).ok().says("max.message.bytes=4444", "cleanup.policy=compact,delete");
        configTool(join(topic, "--alter", "--delete-config", "max.message.bytes")).ok();
        configTool(join(topic, "--describe")).ok().saysNot("max.message.bytes=4444");
        Suite.expect(configTool(join(topic, "--alter", "--add-config", "retention.ms=soon")).code() != 0, "retention.ms=soon is accepted");
    }

    private void brokerConfigs() {
        String[] node = {"--entity-type", "brokers", "--entity-name", "1"};
        Shell.Result all = configTool(join(node, "--describe", "--all")).ok().says("log.dirs=", "node.id=1", "STATIC_BROKER_CONFIG", "DEFAULT_CONFIG");
        Suite.expect(all.lines("sensitive=") > 150, "only " + all.lines("sensitive=") + " configs");
        configTool(join(node, "--alter", "--add-config", "log.cleaner.threads=2")).ok();
        configTool(join(node, "--describe")).ok().says("log.cleaner.threads=2");
        configTool(join(node, "--alter", "--delete-config", "log.cleaner.threads")).ok();
        configTool("--entity-type", "brokers", "--entity-default", "--alter", "--add-config", "log.retention.ms=99999999").ok();
        configTool("--entity-type", "brokers", "--entity-default", "--describe").ok().says("log.retention.ms=99999999");
        configTool("--entity-type", "brokers", "--entity-default", "--alter", "--delete-config", "log.retention.ms").ok();
        Suite.expect(configTool(join(node, "--alter", "--add-config", "log.dirs=/elsewhere")).code() != 0, "log.dirs can be changed");
    }

    private static String[] join(String[] head, String... tail) {
        return Stream.concat(Stream.of(head), Stream.of(tail)).toArray(String[]::new);
    }

    private Shell.Result offsetTool(String... args) {
        return shell.run("kafka-get-offsets", GetOffsetShell::main, to(args)).ok();
    }

    private void offsets() {
        offsetTool("--topic", "consoles-gzip").says("consoles-gzip:0:50");
        offsetTool("--topic", "consoles-gzip", "--time", "earliest").says("consoles-gzip:0:0");
        offsetTool("--topic", "consoles-gzip", "--time", "max-timestamp").says("consoles-gzip:0:");
        offsetTool("--topic", "consoles-gzip", "--time", "1000").says("consoles-gzip:0:0");
        offsetTool("--topic-partitions", "tools:0-2").says("tools:0:", "tools:1:").saysNot("tools:3:");
    }

    private void deleteRecords() throws Exception {
        Path json = Files.createTempFile("delete-records", ".json");
        try {
            Files.writeString(json, "{\"partitions\":[{\"topic\":\"consoles-lz4\",\"partition\":0,\"offset\":20}],\"version\":1}");
            shell.run("kafka-delete-records", DeleteRecordsCommand::main, to("--offset-json-file", json.toString())).ok().says("low_watermark: 20");
        } finally {
            Files.delete(json);
        }
        offsetTool("--topic", "consoles-lz4", "--time", "earliest").says("consoles-lz4:0:20");
    }

    private void perf() {
        topicTool("--create", "--topic", "perf", "--partitions", "2", "--config", "segment.bytes=2000000").ok();
        shell.run("kafka-producer-perf-test", ProducerPerformance::main, "--topic", "perf", "--num-records", "40000", "--record-size", "200",
            "--throughput", "-1", "--bootstrap-server", bootstrap).ok().says("40000 records sent", "99.9th");
        shell.run("kafka-consumer-perf-test", ConsumerPerformance::main, to("--topic", "perf", "--num-records", "40000", "--timeout", "20000"))
            .ok().says("40000");
    }

    private void latency() {
        topicTool("--create", "--topic", "latency").ok();
        shell.run("kafka-e2e-latency", EndToEndLatency::main, to("--topic", "latency", "--num-records", "500", "--producer-acks", "1",
            "--record-size", "100")).ok().says("Percentiles");
    }

    private void whenItIsStopped(Suite suite) {
        for (String codec : CODECS) {
            suite.check("dump-log of a segment with " + codec, () -> dumpedRecords(codec));
        }
        suite.check("dump-log of offset and time indexes", this::dumpedIndexes);
        suite.check("dump-log of __consumer_offsets", this::dumpedOffsets);
        suite.check("dump-log of __cluster_metadata", this::dumpedMetadata);
        suite.check("checkpoints of the log directory", this::checkpoints);
    }

    private Shell.Result dump(String... args) {
        return shell.run("kafka-dump-log", DumpLogSegments::main, args).ok()
            .saysNot("Found invalid", "Mismatches in", "Indexed offset:", "Non-consecutive", "isvalid: false", "Exception");
    }

    private String files(String partition, String suffix) throws Exception {
        try (Stream<Path> all = Files.list(data.resolve(partition))) {
            String names = String.join(",", all.map(Path::toString).filter(name -> name.endsWith(suffix)).sorted().toList());
            Suite.expect(!names.isEmpty(), "no *" + suffix + " in " + partition);
            return names;
        }
    }

    private void dumpedRecords(String codec) throws Exception {
        Shell.Result got = dump("--files", files("consoles-" + codec + "-0", ".log"), "--print-data-log", "--deep-iteration");
        got.says("compresscodec: " + codec, "offset: 49", "payload: value value value value 49", "key: key49", "headerKeys: [color,n]",
            "isvalid: true", "magic: 2", "Log starting offset: 0");
    }

    private void dumpedIndexes() throws Exception {
        String logs = files("perf-0", ".log");
        Suite.expect(logs.split(",").length > 1, "8 MB in segments of 2 MB made one segment");
        Suite.expect(dump("--files", logs).lines("isvalid: true") > 10, "few batches");
        Shell.Result offsets = dump("--files", files("perf-0", ".index"), "--verify-index-only");
        offsets.saysNot("failed");
        dump("--files", files("perf-0", ".index"), "--index-sanity-check").says("passed sanity check.").saysNot("failed");
        Suite.expect(dump("--files", files("perf-0", ".index")).lines("offset: ") > 10, "few entries in the offset indexes");
        Shell.Result times = dump("--files", files("perf-0", ".timeindex"));
        Suite.expect(times.lines("timestamp: ") > 10, "few entries in the time indexes");
        dump("--files", files("perf-0", ".snapshot")).says("producerId");
    }

    private void dumpedOffsets() throws Exception {
        StringBuilder all = new StringBuilder();
        for (int partition = 0; partition < 4; partition++) {
            if (Files.isDirectory(data.resolve("__consumer_offsets-" + partition))) {
                all.append(dump("--files", files("__consumer_offsets-" + partition, ".log"), "--offsets-decoder", "--print-data-log").out());
            }
        }
        new Shell.Result("kafka-dump-log", 0, all.toString())
            .says("\"group\":\"tools-group\"", "\"topic\":\"tools-resume\"", "\"offset\":3", "\"protocolType\":\"consumer\"")
            .saysNot("Failed to decode");
    }

    private void dumpedMetadata() throws Exception {
        dump("--files", files("__cluster_metadata-0", ".log"), "--cluster-metadata-decoder")
            .says("\"TOPIC_RECORD\"", "\"PARTITION_RECORD\"", "\"name\":\"consoles-gzip\"").saysNot("Unable to read", "Could not read");
    }

    private void checkpoints() throws Exception {
        for (String name : List.of("recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "replication-offset-checkpoint")) {
            List<String> lines = Files.readAllLines(data.resolve(name));
            Suite.expect(lines.size() >= 2 && lines.get(0).equals("0") && Integer.parseInt(lines.get(1)) == lines.size() - 2,
                name + " is not in Kafka's format: " + lines.stream().limit(3).toList());
        }
        // Entries end at white space, for Kafka as well; ours has a checksum in it.
        Suite.expect(Files.readAllLines(data.resolve("log-start-offset-checkpoint")).stream().map(String::strip).anyMatch("consoles-lz4 0 20"::equals),
            "the log start offset after delete-records is not in the checkpoint");
        Suite.expect(Files.readString(data.resolve("meta.properties")).contains("node.id=1"), "meta.properties has no node.id");
        Suite.expect(Files.readString(data.resolve("consoles-gzip-0/partition.metadata")).contains("topic_id: "), "no topic id");
        Suite.expect(Files.exists(data.resolve("consoles-gzip-0/leader-epoch-checkpoint")), "no leader epoch checkpoint");
    }

    private void restarted() throws Exception {
        shell.ask("START");
        offsetTool("--topic", "consoles-gzip").says("consoles-gzip:0:50");
        offsetTool("--topic", "consoles-lz4", "--time", "earliest").says("consoles-lz4:0:20");
        topicTool("--describe", "--topic", "tools").ok().says("PartitionCount: 5", "cleanup.policy=compact,delete");
        Shell.Result group = groupTool("--describe", "--group", "tools-group", "--offsets").ok();
        Suite.expect(group.out().matches("(?s).*tools-resume\\s+0\\s+3\\s+4\\s+1\\s.*"), "offset 3 of 4 is not shown: " + group.out());
        consume("consoles-zstd", "--from-beginning", "--max-messages", "50").says("value 49");
        produce("consoles-zstd", "more\n");
        offsetTool("--topic", "consoles-zstd").says("consoles-zstd:0:51");
    }
}
