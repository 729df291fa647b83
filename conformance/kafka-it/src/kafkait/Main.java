package kafkait;

import org.apache.kafka.common.test.api.ClusterTemplate;
import org.apache.kafka.common.test.api.ClusterTest;
import org.apache.kafka.common.test.api.ClusterTests;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Runs the cluster tests of the classes named in a file ("class" or "class#method" a line), one class after
 * another, and appends a row for each test to results.tsv as soon as it is known.
 */
public final class Main implements TestExecutionListener {
    /** The exit status that tells the run script to start a new JVM for the classes that are left. */
    private static final int STUCK = 75;

    private final Path results;
    private final Map<String, Long> startedAt = new HashMap<>();
    private TestPlan plan;
    private String className;
    private int passed;
    private int failed;
    private int na;

    private Main(Path results) {
        this.results = results;
    }

    public static void main(String[] args) throws Exception {
        Path out = Path.of(System.getProperty("kafkait.out"));
        Path done = out.resolve("done");
        long timeout = Long.parseLong(System.getProperty("kafkait.timeout"));
        endWithParent();
        watch(out, timeout);
        Wanted.read(System.getProperty("kafkait.wanted", ""));
        var finished = Files.exists(done) ? Files.readAllLines(done) : List.<String>of();
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            line = line.strip();
            if (line.isEmpty() || line.startsWith("#") || finished.contains(line)) continue;
            new Main(out.resolve("results.tsv")).run(line, timeout);
            Files.writeString(done, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        }
        System.exit(0);  // whatever threads the tests left
    }

    /** The pipe on standard input breaks when whoever started this JVM is gone; its brokers then go with it. */
    private static void endWithParent() {
        var t = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (IOException broken) {
                // the same
            }
            System.exit(1);
        }, "junit-kafka-it-parent");  // a name that the tests' thread-leak check ignores
        t.setDaemon(true);
        t.start();
    }

    /** A test that even an interrupt cannot end: gives up this JVM, after killing its brokers. */
    private static void watch(Path out, long timeout) {
        var t = new Thread(() -> {
            while (true) {
                try {
                    Thread.sleep(1000);
                } catch (InterruptedException e) {
                    return;
                }
                long since = Current.since;
                if (since == 0 || System.nanoTime() - since < (timeout + 180) * 1_000_000_000L) continue;
                try {
                    row(out.resolve("results.tsv"), Current.className, Current.test, "FAIL", timeout + 180, "stuck: the run gave up this JVM");
                    Files.writeString(out.resolve("stuck"), Current.className + "\n");
                } catch (IOException ignored) {
                    // the status says enough
                }
                ProcessCluster.killAll();
                Runtime.getRuntime().halt(STUCK);
            }
        }, "junit-kafka-it-watch");  // a name that the tests' thread-leak check ignores
        t.setDaemon(true);
        t.start();
    }

    private void run(String line, long timeout) {
        int hash = line.indexOf('#');
        className = hash < 0 ? line : line.substring(0, hash);
        String method = hash < 0 ? null : line.substring(hash + 1);
        LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
            .selectors(DiscoverySelectors.selectClass(className))
            .filters((PostDiscoveryFilter) d -> {
                var source = d.getSource().orElse(null);
                if (!(source instanceof MethodSource m)) return FilterResult.included("not a method");
                boolean named = method == null || m.getMethodName().equals(method);
                // In a class of cluster tests, the other methods are unit tests that no broker sees.
                boolean meant = usesCluster(m.getJavaMethod())
                    || Stream.of(m.getJavaClass().getMethods()).noneMatch(Main::usesCluster);
                return FilterResult.includedIf(named && meant && Wanted.method(className, m.getMethodName()));
            })
            .configurationParameter("junit.jupiter.execution.timeout.testable.method.default", timeout + " s")
            .configurationParameter("junit.jupiter.execution.timeout.thread.mode.default", "SEPARATE_THREAD")
            .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "true")
            .build();
        Current.begin(className, "");
        Current.end();
        Current.failed = false;
        Wanted.waitedInVain(false);
        long t0 = System.nanoTime();
        LauncherFactory.create().execute(request, this);
        System.out.printf(Locale.ROOT, "%s: %d passed, %d failed, %d na (%.0f s)%n", className, passed, failed, na, (System.nanoTime() - t0) / 1e9);
    }

    private static boolean usesCluster(Method java) {
        return java.isAnnotationPresent(ClusterTest.class) || java.isAnnotationPresent(ClusterTests.class)
            || java.isAnnotationPresent(ClusterTemplate.class);
    }

    @Override
    public void testPlanExecutionStarted(TestPlan plan) {
        this.plan = plan;
    }

    @Override
    public void executionStarted(TestIdentifier id) {
        startedAt.put(id.getUniqueId(), System.nanoTime());
        if (id.isTest()) {
            NeedsBrokerJvm.takeReason();
            Node.used = ProcessCluster.anyAlive();
            // A template's invocation has a cluster of its own; plain tests may share one.
            if (!(id.getSource().orElse(null) instanceof MethodSource m) || usesCluster(m.getJavaMethod())) Current.failed = false;
            Current.begin(className, name(id));
        }
    }

    @Override
    public void executionSkipped(TestIdentifier id, String reason) {
        record(id, "NA", 0, "skipped: " + reason);
    }

    @Override
    public void executionFinished(TestIdentifier id, TestExecutionResult result) {
        double seconds = (System.nanoTime() - startedAt.getOrDefault(id.getUniqueId(), System.nanoTime())) / 1e9;
        var error = result.getThrowable().orElse(null);
        if (!id.isTest()) {
            // A class or a template has no row of its own: the rows of its tests will be missed.
            if (result.getStatus() == TestExecutionResult.Status.FAILED) System.out.println(className + " broke: " + error);
            return;
        }
        Current.end();
        if (result.getStatus() == TestExecutionResult.Status.FAILED) Current.failed = true;
        if (result.getStatus() != TestExecutionResult.Status.ABORTED)
            Wanted.waitedInVain(result.getStatus() == TestExecutionResult.Status.FAILED && seconds >= Long.getLong("kafkait.timeout"));
        String needsJvm = NeedsBrokerJvm.takeReason();
        switch (result.getStatus()) {
            case SUCCESSFUL -> {
                if (Node.used) record(id, "PASS", seconds, "");
                else record(id, "NA", seconds, "passed, but no broker process took part");
            }
            case ABORTED -> record(id, "NA", seconds, String.valueOf(error == null ? null : error.getMessage()));
            default -> {
                if (needsJvm != null) record(id, "NA", seconds, needsJvm);
                else record(id, "FAIL", seconds, String.valueOf(error));
                if (error != null) trace(error);
            }
        }
    }

    private void trace(Throwable error) {
        try {
            Path dir = Files.createDirectories(results.resolveSibling("logs").resolve(Current.slug()));
            var w = new java.io.StringWriter();
            error.printStackTrace(new java.io.PrintWriter(w));
            Files.writeString(dir.resolve("error.txt"), w.toString());
        } catch (IOException e) {
            System.err.println(e);
        }
    }

    /** "method [n] type, tags": the method's name first, for a template's invocations only know their own label. */
    private String name(TestIdentifier id) {
        String method = id.getSource().filter(s -> s instanceof MethodSource).map(s -> ((MethodSource) s).getMethodName())
            .orElseGet(() -> plan.getParent(id).flatMap(TestIdentifier::getSource)
                .filter(s -> s instanceof MethodSource).map(s -> ((MethodSource) s).getMethodName())
                .orElseGet(() -> id.getSource().map(s -> s instanceof ClassSource c ? c.getClassName() : s.toString()).orElse("?")));
        String label = id.getDisplayName().replace("\"", "");
        int at = label.indexOf('[');
        if (label.startsWith(method)) return label;
        return method + " " + (at < 0 ? label : label.substring(at));
    }

    private void record(TestIdentifier id, String status, double seconds, String error) {
        if (!Wanted.test(className, name(id))) return;
        switch (status) {
            case "PASS" -> passed++;
            case "FAIL" -> failed++;
            default -> na++;
        }
        try {
            row(results, className, name(id), status, seconds, error);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static void row(Path file, String cls, String test, String status, double seconds, String error) throws IOException {
        String first = error.strip().lines().findFirst().orElse("").replace('\t', ' ');
        if (first.length() > 400) first = first.substring(0, 400);
        Files.writeString(file, String.format(Locale.ROOT, "%s\t%s\t%s\t%.1f\t%s%n", cls, test.replace('\t', ' '), status, seconds, first),
            StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }
}
