import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.kafka.tools.DumpLogSegments;

/**
 * What `cargo xtask test --only files` has done by Java: `FilesMain fill BOOTSTRAP DATA` gives a broker a load by which two
 * of them write the same files, and `FilesMain dump DATA OUT ...` has DumpLogSegments print every file of a stopped node's
 * directory into a file of the same name.
 */
public final class FilesMain {
    private static final List<String> OF_RECORDS = List.of("--print-data-log", "--deep-iteration");

    private FilesMain() {}

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "fill" -> new FilesLoad(args[1], Path.of(args[2])).fill();
            case "dump" -> {
                Shell shell = new Shell();
                for (int i = 1; i + 1 < args.length; i += 2) {
                    dump(shell, Path.of(args[i]), Path.of(args[i + 1]));
                }
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
        Runtime.getRuntime().halt(0);
    }

    private static void dump(Shell shell, Path data, Path out) throws Exception {
        List<Path> files;
        try (Stream<Path> all = Files.walk(data)) {
            files = all.filter(Files::isRegularFile).sorted().toList();
        }
        for (Path file : files) {
            Path name = data.relativize(file);
            List<String> runs = new ArrayList<>();
            for (List<String> how : ways(name)) {
                List<String> args = new ArrayList<>(how);
                args.addAll(List.of("--files", file.toString()));
                Shell.Result got = shell.run("kafka-dump-log", DumpLogSegments::main, args.toArray(String[]::new));
                runs.add("== " + String.join(" ", how) + " ended with " + got.code() + "\n" + got.out().replace(data + "/", ""));
            }
            if (!runs.isEmpty()) {
                Path to = out.resolve(name);
                Files.createDirectories(to.getParent());
                Files.writeString(to, String.join("", runs), StandardCharsets.UTF_8);
            }
        }
    }

    /** The options with which a file is dumped; none for what the tool does not know. */
    private static List<List<String>> ways(Path name) {
        String file = name.getFileName().toString();
        String suffix = file.substring(file.lastIndexOf('.') + 1);
        String folder = name.getParent() == null ? "" : name.getParent().toString();
        return switch (suffix) {
            case "log" -> {
                if (folder.startsWith("__consumer_offsets-")) {
                    yield List.of(with(OF_RECORDS, "--offsets-decoder"));
                }
                yield List.of(folder.startsWith("__cluster_metadata-") ? with(OF_RECORDS, "--cluster-metadata-decoder") : OF_RECORDS);
            }
            case "checkpoint" -> List.of(with(OF_RECORDS, "--cluster-metadata-decoder"));
            case "index" -> List.of(List.of(), List.of("--index-sanity-check"), List.of("--verify-index-only"));
            case "timeindex", "txnindex" -> List.of(List.of(), List.of("--index-sanity-check"));
            case "snapshot" -> List.of(List.of());
            default -> List.of();
        };
    }

    private static List<String> with(List<String> options, String more) {
        return Stream.concat(options.stream(), Stream.of(more)).toList();
    }
}
