import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A transactional producer that does what it is told: `Transactions BOOTSTRAP TOPIC TRANSACTIONAL_ID`. It takes a command a
 * line, `begin`, `send VALUE`, `commit` or `abort`, and answers each with a line: `ok`, or why it could not. Before the first
 * it says `ok` once it knows who it is. Records go to partition 0.
 */
public final class Transactions {
    private Transactions() {}

    public static void main(String[] args) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", args[0], "transactional.id", args[2]);
        Producer<byte[], byte[]> producer =
            new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
        producer.initTransactions();
        System.out.println("ok");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            System.out.println(answer(producer, args[1], line));
        }
        // Whoever closes the input wants it to end as it is, with its transaction open.
        Runtime.getRuntime().halt(0);
    }

    private static String answer(Producer<byte[], byte[]> producer, String topic, String command) {
        try {
            if (command.startsWith("send ")) {
                byte[] value = command.substring("send ".length()).getBytes(StandardCharsets.UTF_8);
                producer.send(new ProducerRecord<>(topic, 0, null, value)).get();
                return "ok";
            }
            switch (command) {
                case "begin" -> producer.beginTransaction();
                case "commit" -> producer.commitTransaction();
                case "abort" -> producer.abortTransaction();
                default -> throw new IllegalArgumentException("it is no command");
            }
            return "ok";
        } catch (Exception error) {
            return error.toString().replace('\n', ' ');
        }
    }
}
