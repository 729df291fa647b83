package kafkait;

import org.opentest4j.TestAbortedException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/** The tests of this run, as they are named in the results; all there are, where no list was given. */
public final class Wanted {
    private static final Set<String> TESTS = new HashSet<>();
    private static final Set<String> METHODS = new HashSet<>();
    /** After how many tests of a class in a row that waited in vain the others are not tried; 0 is never. */
    private static final int VAIN_MAX = Integer.getInteger("kafkait.vain.max");
    private static int vain;

    private Wanted() { }

    /** A file with a class and a test a line, separated by a tab. */
    static void read(String file) throws IOException {
        if (file.isEmpty()) return;
        for (String row : Files.readAllLines(Path.of(file))) {
            TESTS.add(row);
            METHODS.add(row.replaceFirst("[ (].*", ""));
        }
    }

    /** A method runs when one of its invocations is wanted. */
    static boolean method(String cls, String method) {
        return METHODS.isEmpty() || METHODS.contains(cls + "\t" + method);
    }

    static boolean test(String cls, String name) {
        return TESTS.isEmpty() || TESTS.contains(cls + "\t" + name);
    }

    /** A class begins, or a test of it ended: whether it failed only after it had waited as long as it may. */
    static void waitedInVain(boolean yes) {
        vain = yes ? vain + 1 : 0;
    }

    /** An invocation of a method that others of its invocations brought along ends before it has a cluster. */
    public static void skipOthers() {
        if (!test(Current.className, Current.test)) throw new TestAbortedException("not wanted in this run");
        if (VAIN_MAX > 0 && vain >= VAIN_MAX) {
            vain++;
            throw new TestAbortedException("not tried: the tests before it waited in vain");
        }
    }
}
