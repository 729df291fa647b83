package org.apache.kafka.common.test.junit;

import kafkait.Patience;
import kafkait.ProcessCluster;
import kafkait.Wanted;

import org.apache.kafka.common.test.api.ClusterConfig;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.Extension;
import org.junit.jupiter.api.extension.TestTemplateInvocationContext;

import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Stands in front of Kafka's class of the same name, which Kafka's JUnit extension constructs for each
 * invocation of a cluster test. Kafka's starts brokers inside the test's JVM; this one starts processes.
 */
public class RaftClusterInvocationContext implements TestTemplateInvocationContext {
    private final String name;
    private final ClusterConfig config;
    private final boolean combined;

    public RaftClusterInvocationContext(String baseDisplayName, ClusterConfig config, boolean combined) {
        this.name = baseDisplayName;
        this.config = config;
        this.combined = combined;
    }

    @Override
    public String getDisplayName(int invocation) {
        // Only what differs from the default cluster, and in a fixed order: the label names the test in the results.
        var tags = new TreeSet<>(config.displayTags());
        tags.removeAll(ClusterConfig.defaultBuilder().build().displayTags());
        return name + " [" + invocation + "] " + (combined ? "combined" : "isolated")
            + tags.stream().map(t -> ", " + t).collect(Collectors.joining());
    }

    @Override
    public List<Extension> getAdditionalExtensions() {
        var cluster = new ProcessCluster(config, combined);
        BeforeEachCallback before = context -> {
            Wanted.skipOthers();
            cluster.prepare();
            if (config.isAutoStart()) cluster.start();
        };
        // After the test's own @AfterEach methods, which may still talk to the brokers.
        AfterEachCallback after = context -> {
            if (context.getExecutionException().isPresent()) cluster.keepLogs();
            cluster.close();
        };
        return List.of(before, after, new Patience(), new ClusterInstanceParameterResolver(cluster));
    }
}
