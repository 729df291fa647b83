package kafkait;

import kafka.raft.KafkaRaftManager;
import kafka.server.ControllerServer;
import kafka.server.KafkaBroker;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.GroupProtocol;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.message.DescribeClusterRequestData;
import org.apache.kafka.common.message.DescribeConfigsRequestData;
import org.apache.kafka.common.message.DescribeLogDirsRequestData;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponseTopic;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.requests.DescribeAclsRequest;
import org.apache.kafka.common.requests.DescribeAclsResponse;
import org.apache.kafka.common.requests.DescribeClusterRequest;
import org.apache.kafka.common.requests.DescribeClusterResponse;
import org.apache.kafka.common.requests.DescribeConfigsRequest;
import org.apache.kafka.common.requests.DescribeConfigsResponse;
import org.apache.kafka.common.requests.DescribeLogDirsRequest;
import org.apache.kafka.common.requests.DescribeLogDirsResponse;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.test.ClusterInstance;
import org.apache.kafka.common.test.JaasUtils;
import org.apache.kafka.common.test.TestKitNodes;
import org.apache.kafka.common.test.api.ClusterConfig;
import org.apache.kafka.common.test.api.TestKitDefaults;
import org.apache.kafka.common.test.api.Type;
import org.apache.kafka.server.authorizer.Authorizer;
import org.apache.kafka.server.common.ApiMessageAndVersion;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.fault.FaultHandlerException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

/** A cluster of broker processes behind the interface that Kafka's cluster tests are given. */
public final class ProcessCluster implements ClusterInstance {
    private static final long READY_MS = Long.getLong("kafkait.ready.ms", 60_000);
    private static final long WAIT_MS = 30_000;
    private static final AtomicInteger SERIAL = new AtomicInteger();
    /** What the shutdown hook has to kill. */
    private static final Set<ProcessCluster> LIVE = ConcurrentHashMap.newKeySet();

    private final ClusterConfig config;
    private final boolean combinedType;
    private final boolean combined;
    private String clusterId = Uuid.randomUuid().toString();
    /** Where Kafka's kit would put each node's data, when a test built the cluster through the kit. */
    private Optional<TestKitNodes> kit = Optional.empty();
    private Optional<Map<Integer, Uuid>> voters = Optional.empty();
    private final TreeMap<Integer, Node> nodes = new TreeMap<>();
    private final Map<Integer, KafkaBroker> brokerHandles = new LinkedHashMap<>();
    private final Map<Integer, ControllerServer> controllerHandles = new LinkedHashMap<>();
    private Path dir;
    private volatile boolean started;
    private volatile boolean stopped;

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(ProcessCluster::killAll));
    }

    static void killAll() {
        for (var c : LIVE) c.nodes.values().forEach(Node::kill);
    }

    static boolean anyAlive() {
        return LIVE.stream().anyMatch(c -> c.nodes.values().stream().anyMatch(Node::alive));
    }

    public ProcessCluster(ClusterConfig config, boolean combined) {
        this.config = config;
        this.combinedType = combined;
        this.combined = combined || Boolean.getBoolean("kafkait.combined");
    }

    /** For a cluster that is described by the kit's nodes: the same id, the same directories, the same voters. */
    public void useKit(TestKitNodes nodes, Optional<Map<Integer, Uuid>> initialVoters) {
        kit = Optional.of(nodes);
        voters = initialVoters;
        clusterId = nodes.clusterId();
    }

    // ---- the nodes and their properties ----

    private boolean sasl() {
        return config.brokerSecurityProtocol() == SecurityProtocol.SASL_PLAINTEXT;
    }

    /** Ports, directories and properties files; nothing runs yet. */
    public void prepare() throws IOException {
        refuseTestsOwnClasses(config.serverProperties());
        config.perServerOverrideProperties().values().forEach(ProcessCluster::refuseTestsOwnClasses);
        dir = Files.createDirectories(Path.of(System.getProperty("kafkait.out"), "work", "c" + SERIAL.incrementAndGet()
            + "-" + ProcessHandle.current().pid()));
        var brokerIds = ids(TestKitDefaults.BROKER_ID_OFFSET, config.numBrokers());
        // A backend that cannot run a controller alone gets its controllers inside its first brokers.
        var controllerIds = combinedType ? ids(TestKitDefaults.BROKER_ID_OFFSET, config.numControllers())
            : combined ? ids(TestKitDefaults.BROKER_ID_OFFSET, Math.min(config.numControllers(), config.numBrokers()))
            : ids(TestKitDefaults.CONTROLLER_ID_OFFSET, config.numControllers());
        var all = new TreeSet<>(brokerIds);
        all.addAll(controllerIds);
        Map<Integer, Integer> controllerPorts = new TreeMap<>();
        for (int id : controllerIds) controllerPorts.put(id, Ports.free());

        var env = new TreeMap<String, String>();
        env.put("KAFKA_IT_CLUSTER_ID", clusterId);
        env.put("KAFKA_IT_RELEASE_VERSION", config.metadataVersion().version());
        env.put("KAFKA_IT_METADATA_LEVEL", String.valueOf(config.metadataVersion().featureLevel()));
        env.put("KAFKA_IT_FEATURES", features());
        if (config.standalone() && voters.isEmpty())
            voters = Optional.of(Map.of(controllerIds.iterator().next(), Uuid.randomUuid()));
        voters.ifPresent(set -> env.put("KAFKA_IT_INITIAL_CONTROLLERS", new TreeMap<>(set).entrySet().stream()
            .map(e -> e.getKey() + "@localhost:" + controllerPorts.get(e.getKey()) + ":" + e.getValue())
            .collect(Collectors.joining(","))));
        for (int id : all) {
            boolean broker = brokerIds.contains(id);
            boolean controller = controllerIds.contains(id);
            int clientPort = broker ? Ports.free() : 0;
            var node = new Node(id, broker, controller, new Properties(), dir.resolve("node-" + id), env);
            node.clientPort = clientPort;
            node.controllerPort = controllerPorts.getOrDefault(id, 0);
            fill(node, controllerPorts);
            node.writeFile();
            nodes.put(id, node);
        }
        LIVE.add(this);
    }

    /** A policy, authorizer or callback that the test itself brings is Java code for the broker to load. */
    private static void refuseTestsOwnClasses(Map<String, String> properties) {
        properties.forEach((key, value) -> {
            for (String part : value.split("[,;\\s]+")) {
                if (!part.matches("[A-Za-z_][\\w.$]*\\.[\\w.$]+")) continue;
                try {
                    var source = Class.forName(part, false, ProcessCluster.class.getClassLoader()).getProtectionDomain().getCodeSource();
                    if (source != null && source.getLocation().getPath().endsWith("-test.jar"))
                        throw NeedsBrokerJvm.because(key + " names the test's own class " + part);
                } catch (ClassNotFoundException | LinkageError e) {
                    // not a class
                }
            }
        });
    }

    private static Set<Integer> ids(int from, int count) {
        var s = new TreeSet<Integer>();
        for (int i = 0; i < count; i++) s.add(from + i);
        return s;
    }

    /** The level at which each feature starts, as "name=level,...". */
    private String features() {
        var levels = new TreeMap<String, Short>();
        for (Feature f : Feature.PRODUCTION_FEATURES)
            if (f != Feature.KRAFT_VERSION) levels.put(f.featureName(), f.defaultLevel(config.metadataVersion()));
        config.features().forEach((f, level) -> levels.put(f.featureName(), level));
        return levels.entrySet().stream()
            .map(e -> e.getKey() + "=" + e.getValue()).collect(Collectors.joining(","));
    }

    private void fill(Node node, Map<Integer, Integer> controllerPorts) {
        String client = config.brokerListenerName().value();
        String control = config.controllerListenerName().value();
        Properties p = node.properties;
        p.setProperty("node.id", String.valueOf(node.id));
        p.setProperty("process.roles", node.broker && node.controller ? "broker,controller" : node.broker ? "broker" : "controller");
        var listeners = new ArrayList<String>();
        var advertised = new ArrayList<String>();
        if (node.broker) {
            listeners.add(client + "://127.0.0.1:" + node.clientPort);
            advertised.add(client + "://localhost:" + node.clientPort);
        }
        if (node.controller) {
            listeners.add(control + "://127.0.0.1:" + node.controllerPort);
            advertised.add(control + "://localhost:" + node.controllerPort);
        }
        p.setProperty("listeners", String.join(",", listeners));
        p.setProperty("advertised.listeners", String.join(",", advertised));
        p.setProperty("controller.listener.names", control);
        p.setProperty("inter.broker.listener.name", client);
        p.setProperty("listener.security.protocol.map", client + ":" + config.brokerSecurityProtocol()
            + "," + control + ":" + config.controllerSecurityProtocol());
        if (voters.isPresent())
            p.setProperty("controller.quorum.bootstrap.servers", controllerPorts.values().stream()
                .map(port -> "localhost:" + port).collect(Collectors.joining(",")));
        else
            p.setProperty("controller.quorum.voters", controllerPorts.entrySet().stream()
                .map(e -> e.getKey() + "@localhost:" + e.getValue()).collect(Collectors.joining(",")));
        var dirs = new ArrayList<String>();
        for (int i = 0; i < (node.broker ? config.numDisksPerBroker() : 1); i++)
            dirs.add(dir.resolve("node-" + node.id).resolve("data-" + i).toString());
        p.setProperty("log.dirs", String.join(",", dirs));
        p.setProperty("metadata.log.dir", dirs.get(0));
        kit.map(k -> node.broker ? k.brokerNodes().get(node.id) : k.controllerNodes().get(node.id)).ifPresent(n -> {
            p.setProperty("log.dirs", String.join(",", n.logDataDirectories()));
            p.setProperty("metadata.log.dir", n.metadataDirectory());
        });
        // The same small-cluster settings that Kafka's own test kit uses.
        p.setProperty("log.cleaner.dedupe.buffer.size", "2097152");
        p.setProperty("server.max.startup.time.ms", "600000");
        p.setProperty("unstable.api.versions.enable", "true");
        p.setProperty("unstable.feature.versions.enable", "true");
        // A node is secured when one of its own listeners is.
        if (node.broker && sasl() || node.controller && config.controllerSecurityProtocol() == SecurityProtocol.SASL_PLAINTEXT) {
            p.setProperty("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
            p.setProperty("allow.everyone.if.no.acl.found", "false");
            p.setProperty("super.users", "User:" + JaasUtils.KAFKA_PLAIN_ADMIN);
            p.setProperty("sasl.enabled.mechanisms", "PLAIN");
            p.setProperty("sasl.mechanism.inter.broker.protocol", "PLAIN");
            p.setProperty("sasl.mechanism.controller.protocol", "PLAIN");
            for (String listener : List.of(client, control))
                p.setProperty("listener.name." + listener.toLowerCase(java.util.Locale.ROOT) + ".plain.sasl.jaas.config", jaas());
        }
        p.putAll(config.serverProperties());
        Map<Integer, Map<String, String>> own = config.perServerOverrideProperties();
        if (node.controller && node.broker)  // a controller that would have been a node of its own
            p.putAll(own.getOrDefault(TestKitDefaults.CONTROLLER_ID_OFFSET + node.id, Map.of()));
        p.putAll(own.getOrDefault(node.id, Map.of()));
    }

    private static String jaas() {
        return "org.apache.kafka.common.security.plain.PlainLoginModule required"
            + " username=\"" + JaasUtils.KAFKA_PLAIN_ADMIN + "\" password=\"" + JaasUtils.KAFKA_PLAIN_ADMIN_PASSWORD + "\""
            + " user_" + JaasUtils.KAFKA_PLAIN_ADMIN + "=\"" + JaasUtils.KAFKA_PLAIN_ADMIN_PASSWORD + "\""
            + " user_" + JaasUtils.KAFKA_PLAIN_USER1 + "=\"" + JaasUtils.KAFKA_PLAIN_USER1_PASSWORD + "\";";
    }

    private Node broker(int id) {
        Node n = nodes.get(id);
        if (n == null || !n.broker) throw new IllegalArgumentException("unknown broker " + id);
        return n;
    }

    private List<Node> brokerNodes() {
        return nodes.values().stream().filter(n -> n.broker).toList();
    }

    List<Node> aliveNodes() {
        return nodes.values().stream().filter(n -> n.broker && n.alive()).toList();
    }

    private List<Node> controllerNodes() {
        return nodes.values().stream().filter(n -> n.controller).toList();
    }

    // ---- life ----

    @Override
    public synchronized void start() {
        try {
            for (Node n : nodes.values()) if (!n.alive()) n.start();
            started = true;
            stopped = false;
            awaitReady();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RuntimeException(e);
        }
    }

    /** Ready: each broker answers ApiVersions, and its DescribeCluster lists every broker. */
    private void awaitReady() throws InterruptedException {
        var want = brokerIds();
        String last = "no answer";
        long deadline = System.nanoTime() + READY_MS * 1_000_000;
        var waiting = new ArrayList<>(brokerNodes());
        while (true) {
            for (Node n : nodes.values()) if (n.died()) throw new RuntimeException(n.death());
            for (var it = waiting.iterator(); it.hasNext(); ) {
                Node n = it.next();
                try (Wire w = new Wire(n.clientPort, sasl())) {
                    if (!sasl()) w.apiVersions();
                    DescribeClusterResponse r = w.send(new DescribeClusterRequest.Builder(new DescribeClusterRequestData()).build((short) 0));
                    var seen = r.nodes().keySet();
                    if (seen.containsAll(want)) it.remove();
                    else last = "broker " + n.id + " sees brokers " + seen + ", error " + r.data().errorCode();
                } catch (IOException | RuntimeException e) {
                    last = "broker " + n.id + ": " + e;
                }
            }
            if (waiting.isEmpty()) return;
            if (System.nanoTime() > deadline)
                throw new RuntimeException("the cluster is not ready after " + READY_MS / 1000 + " s; " + last);
            Thread.sleep(50);
        }
    }

    @Override
    public boolean started() {
        return started;
    }

    @Override
    public synchronized void stop() {
        if (stopped) return;
        stopped = true;
        nodes.values().stream().filter(n -> n.broker && !n.controller).forEach(Node::term);
        nodes.values().stream().filter(n -> n.broker && !n.controller).forEach(n -> n.awaitStop(30));
        nodes.values().stream().filter(Node::alive).forEach(Node::term);
        nodes.values().stream().filter(Node::alive).forEach(n -> n.awaitStop(30));
    }

    @Override
    public boolean stopped() {
        return stopped;
    }

    public void keepLogs() {
        Current.failed = true;
    }

    /** The end of a test: nothing is worth a clean shutdown any more. */
    public void close() {
        nodes.values().forEach(Node::kill);
        LIVE.remove(this);
        started = false;
        stopped = true;
        try {
            if (Current.failed && dir != null) {
                Path keep = Files.createDirectories(Path.of(System.getProperty("kafkait.out"), "logs", Current.slug()));
                for (Node n : nodes.values()) {
                    if (Files.exists(n.log())) Files.copy(n.log(), keep.resolve("node-" + n.id + ".log"), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
                    Path f = n.log().resolveSibling("server.properties");
                    if (Files.exists(f)) Files.copy(f, keep.resolve("node-" + n.id + ".properties"), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
                }
            }
            if (dir != null) delete(dir);
        } catch (IOException e) {
            System.err.println("cleaning up: " + e);
        }
    }

    private static void delete(Path p) throws IOException {
        if (!Files.exists(p)) return;
        try (var walk = Files.walk(p)) {
            for (Path f : walk.sorted(java.util.Comparator.reverseOrder()).toList()) Files.deleteIfExists(f);
        }
    }

    @Override
    public void shutdownBroker(int id) {
        Node n = broker(id);
        n.stop();
        long up = controllerNodes().stream().filter(Node::alive).count();
        // Kafka's kit stops only the broker half of a combined node. A process stops whole.
        if (n.controller && up * 2 <= controllerNodes().size())
            NeedsBrokerJvm.note("needs the broker's JVM: shutdownBroker(" + id + ") of a combined node must leave its controller up");
    }

    @Override
    public void startBroker(int id) {
        Node n = broker(id);
        if (!n.alive()) n.start();
        // Answers, and is no longer fenced: it is in its own picture of the cluster.
        poll("broker " + id + " is back", READY_MS, () -> {
            if (n.died()) throw new IllegalStateException(n.death());
            try (Wire w = new Wire(n.clientPort, sasl())) {
                DescribeClusterResponse r = w.send(new DescribeClusterRequest.Builder(new DescribeClusterRequestData()).build((short) 0));
                return r.nodes().containsKey(id);
            }
        });
    }

    // ---- facts ----

    @Override
    public Type type() {
        return combinedType ? Type.CO_KRAFT : Type.KRAFT;
    }

    @Override
    public ClusterConfig config() {
        return config;
    }

    @Override
    public Set<Integer> controllerIds() {
        return controllerNodes().stream().map(n -> n.id).collect(Collectors.toCollection(TreeSet::new));
    }

    @Override
    public Set<Integer> brokerIds() {
        return brokerNodes().stream().map(n -> n.id).collect(Collectors.toCollection(TreeSet::new));
    }

    @Override
    public ListenerName clientListener() {
        return config.brokerListenerName();
    }

    @Override
    public ListenerName controllerListenerName() {
        return config.controllerListenerName();
    }

    @Override
    public String bootstrapServers() {
        return brokerNodes().stream().map(n -> "localhost:" + n.clientPort).collect(Collectors.joining(","));
    }

    @Override
    public String bootstrapControllers() {
        return controllerNodes().stream().map(n -> "localhost:" + n.controllerPort).collect(Collectors.joining(","));
    }

    @Override
    public List<Integer> brokerBoundPorts() {
        return brokerNodes().stream().map(n -> n.clientPort).toList();
    }

    @Override
    public List<Integer> controllerBoundPorts() {
        return controllerNodes().stream().map(n -> n.controllerPort).toList();
    }

    @Override
    public String clusterId() {
        return clusterId;
    }

    /** A fault handler lives in the JVM; what is left of it from outside is a process that died by itself. */
    @Override
    public Optional<FaultHandlerException> firstFatalException() {
        return nodes.values().stream().filter(Node::died).map(n -> new FaultHandlerException(n.death())).findFirst();
    }

    @Override
    public Optional<FaultHandlerException> firstNonFatalException() {
        return Optional.empty();
    }

    @Override
    public Set<GroupProtocol> supportedGroupProtocols() {
        var protocols = EnumSet.of(GroupProtocol.CLASSIC);
        String enabled = nodes.firstEntry().getValue().properties.getProperty("group.coordinator.rebalance.protocols", "classic,consumer,streams");
        if (!enabled.toLowerCase(java.util.Locale.ROOT).contains("consumer")) return protocols;
        try (Admin admin = admin()) {
            var range = admin.describeFeatures().featureMetadata().get(10, TimeUnit.SECONDS).finalizedFeatures().get("group.version");
            if (range != null && range.maxVersionLevel() >= 1) protocols.add(GroupProtocol.CONSUMER);
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
        return protocols;
    }

    // ---- handles: objects of Kafka's server classes that do what can be done from outside ----

    @Override
    public synchronized Map<Integer, KafkaBroker> brokers() {
        if (brokerHandles.isEmpty())
            for (Node n : brokerNodes()) brokerHandles.put(n.id, Handles.broker(this, n));
        return new LinkedHashMap<>(brokerHandles);
    }

    @Override
    public Map<Integer, KafkaBroker> aliveBrokers() {
        var alive = aliveNodes().stream().map(n -> n.id).collect(Collectors.toSet());
        var m = brokers();
        m.keySet().retainAll(alive);
        return m;
    }

    @Override
    public synchronized Map<Integer, ControllerServer> controllers() {
        if (controllerHandles.isEmpty())
            for (Node n : controllerNodes()) controllerHandles.put(n.id, Handles.controller(this, n));
        return new LinkedHashMap<>(controllerHandles);
    }

    public Map<Integer, KafkaRaftManager<ApiMessageAndVersion>> raftManagers() {
        var m = new TreeMap<Integer, KafkaRaftManager<ApiMessageAndVersion>>();
        for (Node n : nodes.values()) m.put(n.id, Handles.raft(this, n));
        return m;
    }

    @Override
    public List<Authorizer> authorizers() {
        throw NeedsBrokerJvm.because("ClusterInstance.authorizers");
    }

    // ---- waits ----

    interface Check {
        boolean ok() throws Exception;
    }

    private static void poll(String what, long ms, Check check) {
        long deadline = System.nanoTime() + ms * 1_000_000;
        Throwable last = null;
        while (true) {
            try {
                if (check.ok()) return;
                last = null;
            } catch (IllegalStateException e) {
                throw new RuntimeException(e.getMessage());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new RuntimeException(e);
            } catch (Exception e) {
                last = e;
            }
            if (System.nanoTime() > deadline)
                throw new AssertionError("waited " + ms + " ms in vain: " + what + (last == null ? "" : "; " + last), last);
            try {
                Thread.sleep(50);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new RuntimeException(e);
            }
        }
    }

    /** The metadata as this very broker sees it now. */
    MetadataResponse metadata(Node n) throws IOException {
        try (Wire w = new Wire(n.clientPort, sasl())) {
            return w.send(MetadataRequest.Builder.allTopics().build((short) 12));
        }
    }

    /** The node's file, and over it the dynamic settings that the broker says it has. */
    Properties settings(Node n) {
        var all = new Properties();
        all.putAll(n.properties);
        if (!n.alive()) return all;
        try (Wire w = new Wire(n.clientPort, sasl())) {
            DescribeConfigsResponse r = w.send(new DescribeConfigsRequest.Builder(new DescribeConfigsRequestData()
                .setResources(List.of(new DescribeConfigsRequestData.DescribeConfigsResource()
                    .setResourceType(ConfigResource.Type.BROKER.id()).setResourceName(String.valueOf(n.id))))).build((short) 4));
            for (var c : r.data().results().get(0).configs()) {
                boolean dynamic = c.configSource() == DescribeConfigsResponse.ConfigSource.DYNAMIC_BROKER_CONFIG.id()
                    || c.configSource() == DescribeConfigsResponse.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG.id();
                if (dynamic && c.value() != null && !c.isSensitive()) all.setProperty(c.name(), c.value());
            }
        } catch (IOException | RuntimeException e) {
            // not allowed, or going down: the file is what is known
        }
        return all;
    }

    DescribeLogDirsResponse logDirs(Node n) throws IOException {
        try (Wire w = new Wire(n.clientPort, sasl())) {
            return w.send(new DescribeLogDirsRequest.Builder(new DescribeLogDirsRequestData().setTopics(null)).build((short) 4));
        }
    }

    Map<String, MetadataResponseTopic> topics(Node n) throws IOException {
        var m = new TreeMap<String, MetadataResponseTopic>();
        for (var t : metadata(n).data().topics()) if (t.errorCode() == 0 && t.name() != null) m.put(t.name(), t);
        return m;
    }

    @Override
    public void waitForReadyBrokers() {
        poll("every running broker knows every running broker", WAIT_MS, () -> {
            var up = aliveNodes();
            var want = up.stream().map(n -> n.id).collect(Collectors.toSet());
            for (Node n : up)
                if (!metadata(n).data().brokers().stream().map(b -> b.nodeId()).collect(Collectors.toSet()).containsAll(want)) return false;
            return true;
        });
    }

    @Override
    public void waitTopicCreation(String topic, int partitions) {
        if (partitions <= 0) throw new IllegalArgumentException("Partition count must be > 0, but was " + partitions);
        poll("topic " + topic + " has " + partitions + " partitions on every broker", WAIT_MS, () -> {
            for (Node n : aliveNodes()) {
                var t = topics(n).get(topic);
                if (t == null || t.partitions().size() != partitions) return false;
            }
            return true;
        });
    }

    @Override
    public void waitTopicDeletion(String topic) {
        poll("topic " + topic + " is gone from every broker", WAIT_MS, () -> {
            for (Node n : aliveNodes()) if (topics(n).containsKey(topic)) return false;
            return true;
        });
        poll("the replicas of topic " + topic + " are gone from every disk", WAIT_MS, () -> {
            try (Admin admin = admin()) {
                var all = admin.describeLogDirs(aliveNodes().stream().map(n -> n.id).toList()).allDescriptions().get(10, TimeUnit.SECONDS);
                return all.values().stream().flatMap(d -> d.values().stream())
                    .noneMatch(d -> d.replicaInfos().keySet().stream().anyMatch(tp -> tp.topic().equals(topic)));
            }
        });
    }

    /** Every broker has what the controller had when this began, and all tell the same story. */
    @Override
    public void ensureConsistentMetadata() {
        try (Admin admin = admin()) {
            var quorum = admin.describeMetadataQuorum().quorumInfo().get(10, TimeUnit.SECONDS);
            long end = quorum.voters().stream().filter(v -> v.replicaId() == quorum.leaderId()).mapToLong(v -> v.logEndOffset()).max().orElse(0);
            poll("every broker has the metadata up to " + end, WAIT_MS, () -> {
                var q = admin.describeMetadataQuorum().quorumInfo().get(10, TimeUnit.SECONDS);
                var behind = new HashSet<>(aliveNodes().stream().map(n -> n.id).toList());
                var replicas = new ArrayList<>(q.voters());
                replicas.addAll(q.observers());
                for (var r : replicas) if (r.logEndOffset() >= end) behind.remove(r.replicaId());
                return behind.isEmpty();
            });
        } catch (Exception e) {
            if (e instanceof InterruptedException) Thread.currentThread().interrupt();
            // not every test's client may ask for the quorum; the comparison below remains
        }
        var before = new ArrayList<Object>();
        poll("every broker shows the same metadata", WAIT_MS, () -> {
            var views = new HashSet<Object>();
            for (Node n : aliveNodes()) views.add(picture(n));
            boolean same = views.size() == 1 && views.equals(new HashSet<>(before));
            before.clear();
            before.addAll(views);
            return same;
        });
    }

    @Override
    public void ensureConsistentMetadata(Collection<KafkaBroker> brokers, Collection<ControllerServer> controllers) {
        ensureConsistentMetadata();
    }

    private Object picture(Node n) throws IOException {
        var d = metadata(n).data();
        var topics = d.topics().stream().map(Object::toString).sorted().toList();
        var brokers = d.brokers().stream().map(Object::toString).sorted().toList();
        return List.of(topics, brokers);
    }

    @Override
    public void waitAcls(AclBindingFilter filter, Collection<AccessControlEntry> entries) {
        var want = new HashSet<>(entries);
        poll("every broker has the ACLs " + entries, WAIT_MS, () -> {
            for (Node n : aliveNodes()) {
                try (Wire w = new Wire(n.clientPort, sasl())) {
                    DescribeAclsResponse r = w.send(new DescribeAclsRequest.Builder(filter).build((short) 3));
                    if (r.data().errorCode() != 0) return false;
                    var have = DescribeAclsResponse.aclBindings(r.acls()).stream().map(AclBinding::entry).collect(Collectors.toSet());
                    if (!have.equals(want)) return false;
                }
            }
            return true;
        });
    }
}
