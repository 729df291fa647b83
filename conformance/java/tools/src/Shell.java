import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.common.utils.Exit;

/** Runs the `main` of Apache Kafka's tools one after the other in this JVM, which saves a second or two for each. */
final class Shell {
    /** What a tool printed and how it ended. */
    record Result(String tool, int code, String out) {
        Result ok() {
            Suite.expect(code == 0, tool + " ended with " + code + ": " + shortened());
            return this;
        }

        Result says(String... words) {
            for (String word : words) {
                Suite.expect(out.contains(word), tool + " does not say '" + word + "' but: " + shortened());
            }
            return this;
        }

        Result saysNot(String... words) {
            for (String word : words) {
                Suite.expect(!out.contains(word), tool + " says '" + word + "': " + shortened());
            }
            return this;
        }

        long lines(String with) {
            return out.lines().filter(line -> line.contains(with)).count();
        }

        private String shortened() {
            String text = out.strip();
            return text.length() <= 250 ? text : text.substring(0, 120) + " ... " + text.substring(text.length() - 120);
        }
    }

    /** Ends a tool where it would end the JVM. */
    private static final class Ended extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    interface Main {
        void run(String[] args) throws Exception;
    }

    private final PrintStream terminal = System.out;
    private final InputStream input = System.in;
    private volatile ByteArrayOutputStream captured = new ByteArrayOutputStream();
    private volatile Integer exitCode;
    private final List<Runnable> atExit = new CopyOnWriteArrayList<>();

    /** Takes over the standard streams, once: Scala's console keeps the stream that it finds first. */
    Shell() {
        PrintStream capture = new PrintStream(new OutputStream() {
            @Override
            public void write(int b) {
                captured.write(b);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) {
                captured.write(bytes, offset, length);
            }
        }, true);
        System.setOut(capture);
        System.setErr(capture);
        Exit.setExitProcedure((code, message) -> {
            if (exitCode == null) {
                exitCode = code;
            }
            throw new Ended();
        });
        // The console producer sends what it still holds when the JVM ends.
        Exit.setShutdownHookAdder((name, hook) -> atExit.add(hook));
    }

    PrintStream terminal() {
        return terminal;
    }

    Result run(String tool, Main main, String... args) {
        return runWith("", tool, main, args);
    }

    Result runWith(String stdin, String tool, Main main, String... args) {
        captured = new ByteArrayOutputStream();
        exitCode = null;
        System.setIn(new ByteArrayInputStream(stdin.getBytes(StandardCharsets.UTF_8)));
        try {
            main.run(args);
        } catch (Ended ended) {
            // The code is kept.
        } catch (Throwable error) {
            return new Result(tool, 1, captured.toString(StandardCharsets.UTF_8) + error);
        } finally {
            atExit.forEach(Runnable::run);
            atExit.clear();
            System.setIn(input);
        }
        return new Result(tool, exitCode == null ? 0 : exitCode, captured.toString(StandardCharsets.UTF_8));
    }

    /** Asks the harness for something and waits until it is done. */
    void ask(String what) throws java.io.IOException {
        terminal.println(what);
        terminal.flush();
        StringBuilder line = new StringBuilder();
        for (int c = input.read(); c != '\n'; c = input.read()) {
            Suite.expect(c >= 0, "the harness is gone");
            line.append((char) c);
        }
        Suite.same("done", line.toString(), "answer of the harness");
    }
}
