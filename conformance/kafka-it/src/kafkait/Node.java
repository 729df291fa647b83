package kafkait;

import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;

/** One node of the cluster under test: its properties file, its directories and, while it is up, its process. */
final class Node {
    private static final long GRACE_SECONDS = 30;
    /** Whether a process has run in this test: a test that passes without one has tested nothing of ours. */
    static volatile boolean used;

    final int id;
    final boolean broker;
    final boolean controller;
    /** The port of the clients' listener, or 0 when the node has none. */
    int clientPort;
    int controllerPort;
    final Properties properties;
    private final Path file;
    private final Path log;
    private final Map<String, String> env;
    private volatile Process process;
    private volatile boolean wantedDown = true;

    Node(int id, boolean broker, boolean controller, Properties properties, Path dir, Map<String, String> env) {
        this.id = id;
        this.broker = broker;
        this.controller = controller;
        this.properties = properties;
        this.file = dir.resolve("server.properties");
        this.log = dir.resolve("node.log");
        this.env = env;
    }

    Path log() {
        return log;
    }

    void writeFile() throws IOException {
        Files.createDirectories(file.getParent());
        try (Writer w = Files.newBufferedWriter(file)) {
            for (var e : env.entrySet()) w.write("# " + e.getKey() + "=" + e.getValue() + "\n");
            for (String key : new java.util.TreeSet<>(properties.stringPropertyNames()))
                w.write(key + "=" + properties.getProperty(key).replace("\\", "\\\\").replace("\n", "\\n") + "\n");
        }
    }

    synchronized void start() {
        if (alive()) throw new IllegalStateException("node " + id + " is already running");
        try {
            wantedDown = false;
            used = true;
            process = spawn("exec " + System.getProperty("kafkait.backend") + " \"$1\"", file.toString());
            note(process.pid());
        } catch (IOException e) {
            throw new RuntimeException("cannot start the backend", e);
        }
    }

    private Process spawn(String script, String... args) throws IOException {
        var cmd = new java.util.ArrayList<>(java.util.List.of("/bin/sh", "-c", script, "kafka-it"));
        cmd.addAll(java.util.List.of(args));
        var b = new ProcessBuilder(cmd).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        b.environment().putAll(env);
        return b.start();
    }

    /** The run script kills what is in this list when this JVM could not. */
    private static synchronized void note(long pid) throws IOException {
        Files.writeString(Path.of(System.getProperty("kafkait.out"), "pids"), pid + "\n",
            StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    boolean alive() {
        Process p = process;
        return p != null && p.isAlive();
    }

    /** True when the process ended although nobody asked it to. */
    boolean died() {
        Process p = process;
        return p != null && !p.isAlive() && !wantedDown;
    }

    String death() {
        return "node " + id + " exited with status " + process.exitValue() + tail();
    }

    private String tail() {
        try {
            var lines = Files.readAllLines(log);
            for (int i = lines.size() - 1; i >= 0; i--)
                if (lines.get(i).contains("ERROR") || lines.get(i).contains("Exception")) return ": " + lines.get(i);
            return lines.isEmpty() ? "" : ": " + lines.get(lines.size() - 1);
        } catch (IOException e) {
            return "";
        }
    }

    /** SIGTERM; SIGKILL if the process is still there after a grace. */
    void stop() {
        term();
        awaitStop(GRACE_SECONDS);
    }

    void term() {
        Process p = process;
        wantedDown = true;
        if (p != null) p.destroy();
    }

    void awaitStop(long seconds) {
        Process p = process;
        if (p == null) return;
        try {
            if (!p.waitFor(seconds, TimeUnit.SECONDS)) kill();
        } catch (InterruptedException e) {
            kill();
            Thread.currentThread().interrupt();
        }
    }

    void kill() {
        Process p = process;
        wantedDown = true;
        if (p == null) return;
        p.descendants().forEach(ProcessHandle::destroyForcibly);
        p.destroyForcibly();
        boolean interrupted = Thread.interrupted();
        try {
            p.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) Thread.currentThread().interrupt();
    }
}
