import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Runs named checks and prints one row each: ROW, client, check, PASS|FAIL|SKIP, seconds, message, with tabs between. */
final class Suite {
    interface Body {
        void run() throws Exception;
    }

    private record Check(String name, Body body) {}

    private final String client;
    private final PrintStream out;
    private final List<Check> checks = new ArrayList<>();

    Suite(String client, PrintStream out) {
        this.client = client;
        this.out = out;
    }

    void check(String name, Body body) {
        checks.add(new Check(name, body));
    }

    void run() throws InterruptedException {
        String only = System.getenv().getOrDefault("ONLY_CHECK", "");
        for (Check check : checks) {
            if (check.name.contains(only)) {
                report(check);
            }
        }
    }

    private void report(Check check) throws InterruptedException {
        long start = System.nanoTime();
        Throwable[] failure = new Throwable[1];
        Thread thread = new Thread(() -> {
            try {
                check.body.run();
            } catch (Throwable t) {
                failure[0] = t;
            }
        }, check.name);
        thread.setDaemon(true);
        thread.start();
        thread.join(90_000);
        if (thread.isAlive()) {
            failure[0] = new AssertionError("the check took more than 90 s");
            for (StackTraceElement frame : thread.getStackTrace()) {
                System.err.println("  at " + frame);
            }
        }
        String status = "PASS";
        String message = "";
        if (failure[0] instanceof Skipped) {
            status = "SKIP";
            message = failure[0].getMessage();
        } else if (failure[0] != null) {
            status = "FAIL";
            message = failure[0].toString().replaceAll("\\s+", " ");
            failure[0].printStackTrace();
        }
        if (message.length() > 300) {
            message = message.substring(0, 300);
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        out.printf(Locale.ROOT, "ROW\t%s\t%s\t%s\t%.1f\t%s%n", client, check.name, status, seconds, message);
    }

    static final class Skipped extends RuntimeException {
        private static final long serialVersionUID = 1;

        Skipped(String why) {
            super(why);
        }
    }

    static void expect(boolean ok, String what) {
        if (!ok) {
            throw new AssertionError(what);
        }
    }

    static void same(Object want, Object got, String what) {
        if (!want.equals(got)) {
            String text = what + ": got " + got + ", want " + want;
            throw new AssertionError(text.length() > 400 ? text.substring(0, 400) : text);
        }
    }

    static void await(Supplier<String> what, BooleanSupplier ready) throws InterruptedException {
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (!ready.getAsBoolean()) {
            expect(System.nanoTime() < deadline, "not within 30 s: " + what.get());
            Thread.sleep(50);
        }
    }
}
