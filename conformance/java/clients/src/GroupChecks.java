import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;

/** Groups by the classic protocol: eager and cooperative assignors, static members, members that die. */
final class GroupChecks {
    private static final String EAGER = "org.apache.kafka.clients.consumer.RangeAssignor";
    private static final String COOPERATIVE = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    private final Kit kit;

    GroupChecks(Kit kit) {
        this.kit = kit;
    }

    void add(Suite suite) {
        suite.check("commit and resume", this::resume);
        suite.check("group of three, one joins, one is killed (eager)", () -> three("eager", EAGER));
        suite.check("group of three, one joins, one is killed (cooperative)", () -> three("cooperative", COOPERATIVE));
        suite.check("static member returns without a rebalance", this::staticMember);
        suite.check("static member is fenced by its double", this::fenced);
        suite.check("commit from a lost generation is refused", this::lostGeneration);
    }

    private void resume() throws Exception {
        String topic = kit.topic("resume", 1);
        String group = kit.name("resume");
        kit.sendNumbered(topic, 40, 1, "v");
        for (int[] visit : new int[][] {{0, 15}, {15, 25}}) {
            try (KafkaConsumer<String, String> consumer = kit.consumer("group.id", group, "max.poll.records", "" + visit[1])) {
                consumer.subscribe(List.of(topic));
                List<ConsumerRecord<String, String>> got = Kit.poll(consumer, visit[1]);
                Suite.same("v" + visit[0], got.get(0).value(), "first of the visit");
                long next = visit[0] + visit[1];
                consumer.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(next, "note " + next)));
            }
        }
        OffsetAndMetadata committed = Kit.get(kit.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata())
            .get(new TopicPartition(topic, 0));
        Suite.same(40L, committed.offset(), "committed offset");
        Suite.same("note 40", committed.metadata(), "metadata of the commit");
    }

    /** A member in a thread of its own. */
    private final class Member implements AutoCloseable {
        final Set<String> seen = ConcurrentHashMap.newKeySet();
        volatile int owned;
        volatile Throwable failure;
        private volatile boolean stop;
        private final Thread thread;

        Member(String topic, String... configs) {
            thread = new Thread(() -> {
                try (KafkaConsumer<String, String> consumer = kit.consumer(configs)) {
                    consumer.subscribe(List.of(topic));
                    while (!stop) {
                        consumer.poll(Duration.ofMillis(100)).forEach(record -> seen.add(record.value()));
                        owned = consumer.assignment().size();
                    }
                } catch (Throwable t) {
                    failure = t;
                }
            });
            thread.start();
        }

        @Override
        public void close() throws InterruptedException {
            stop = true;
            thread.join(20_000);
            if (failure != null) {
                throw new AssertionError("a member failed: " + failure, failure);
            }
        }
    }

    private static Set<String> values(String prefix) {
        Set<String> values = new HashSet<>();
        for (int i = 0; i < 60; i++) {
            values.add(prefix + i);
        }
        return values;
    }

    private void three(String kind, String assignor) throws Exception {
        String topic = kit.topic("group-" + kind, 6);
        String group = kit.name("three-" + kind);
        String[] configs = {"group.id", group, "partition.assignment.strategy", assignor, "enable.auto.commit", "true",
            "auto.commit.interval.ms", "500"};
        Process third = null;
        try (Member one = new Member(topic, configs); Member two = new Member(topic, configs)) {
            Suite.await(() -> "two members with 3 each: " + one.owned + ", " + two.owned, () -> one.owned == 3 && two.owned == 3);
            kit.sendNumbered(topic, 60, 6, "a");
            Suite.await(() -> "60 records", () -> union(one, two).containsAll(values("a")));
            third = new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp",
                System.getProperty("java.class.path"), "Main", kit.bootstrap, "--member", group, topic, assignor)
                .redirectErrorStream(true).redirectOutput(new File("/dev/null")).start();
            Suite.await(() -> "a third takes 2: " + one.owned + ", " + two.owned, () -> one.owned == 2 && two.owned == 2);
            Suite.await(() -> "a stable group of three", () -> stableWith(group, 3));
            third.destroyForcibly();
            kit.sendNumbered(topic, 60, 6, "b");
            Suite.await(() -> "two take over: " + one.owned + ", " + two.owned, () -> one.owned == 3 && two.owned == 3);
            Suite.await(() -> "every record after the takeover", () -> union(one, two).containsAll(values("b")));
        } finally {
            if (third != null) {
                third.destroyForcibly();
            }
        }
    }

    private static Set<String> union(Member one, Member two) {
        Set<String> all = new HashSet<>(one.seen);
        all.addAll(two.seen);
        return all;
    }

    private boolean stableWith(String group, int members) {
        try {
            ConsumerGroupDescription got = Kit.get(kit.admin.describeConsumerGroups(List.of(group)).all()).get(group);
            return got.groupState() == GroupState.STABLE && got.members().size() == members;
        } catch (Exception error) {
            throw new AssertionError("describe groups: " + error, error);
        }
    }

    static void member(Kit kit, String group, String topic, String assignor) {
        try (KafkaConsumer<String, String> consumer = kit.consumer("group.id", group, "partition.assignment.strategy", assignor)) {
            consumer.subscribe(List.of(topic));
            while (ProcessHandle.current().parent().map(ProcessHandle::pid).orElse(1L) != 1L) {
                consumer.poll(Duration.ofMillis(200));
            }
        }
    }

    private void staticMember() throws Exception {
        String topic = kit.topic("static", 2);
        String group = kit.name("static");
        String[] base = {"group.id", group, "session.timeout.ms", "10000", "partition.assignment.strategy", EAGER};
        List<String> ids = new ArrayList<>();
        try (Member other = new Member(topic, append(base, "group.instance.id", "other"))) {
            for (int visit = 0; visit < 2; visit++) {
                try (Member one = new Member(topic, append(base, "group.instance.id", "one"))) {
                    Suite.await(() -> "one partition each", () -> one.owned == 1 && other.owned == 1);
                    ConsumerGroupDescription got = Kit.get(kit.admin.describeConsumerGroups(List.of(group)).all()).get(group);
                    ids.add(got.members().stream().map(m -> m.groupInstanceId().orElse("?") + " " + m.assignment().topicPartitions())
                        .sorted().toList().toString());
                }
            }
        }
        Suite.same(ids.get(0), ids.get(1), "assignment of the static members before and after the return");
    }

    private void fenced() throws Exception {
        String topic = kit.topic("fenced", 1);
        String[] configs = {"group.id", kit.name("fenced"), "group.instance.id", "same"};
        Member first = new Member(topic, configs);
        Suite.await(() -> "the first joins", () -> first.owned == 1);
        try (Member second = new Member(topic, configs)) {
            Suite.await(() -> "the first is fenced: " + first.failure, () -> first.failure instanceof FencedInstanceIdException);
            Suite.await(() -> "the second joins", () -> second.owned == 1);
        }
    }

    private void lostGeneration() throws Exception {
        String topic = kit.topic("lost", 1);
        String group = kit.name("lost");
        kit.sendNumbered(topic, 10, 1, "v");
        try (KafkaConsumer<String, String> slow = kit.consumer("group.id", group, "max.poll.interval.ms", "1500")) {
            slow.subscribe(List.of(topic));
            Kit.poll(slow, 10);
            try (Member fast = new Member(topic, "group.id", group)) {
                Suite.await(() -> "the second takes over from the one that stopped polling", () -> fast.owned == 1);
                try {
                    slow.commitSync();
                    throw new AssertionError("a member of a lost generation could commit");
                } catch (org.apache.kafka.clients.consumer.CommitFailedException expected) {
                    // What Kafka answers.
                }
            }
        }
    }

    private static String[] append(String[] base, String... more) {
        List<String> all = new ArrayList<>(List.of(base));
        all.addAll(List.of(more));
        return all.toArray(new String[0]);
    }
}
