package kafkait;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;

/**
 * Hands out ports of the range that the run was given: below the one from which the kernel takes ports of outgoing
 * connections, so that no client can take one first.
 */
final class Ports {
    private static final int FROM = Integer.getInteger("kafkait.ports.from");
    private static final int TO = Integer.getInteger("kafkait.ports.to");
    private static int next = FROM + (int) ((ProcessHandle.current().pid() * 397) % (TO - FROM));

    private Ports() { }

    static synchronized int free() {
        for (int tries = 0; tries < TO - FROM; tries++) {
            int port = next++;
            if (next >= TO) next = FROM;
            try (ServerSocket s = new ServerSocket()) {
                s.setReuseAddress(true);
                s.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
                return port;
            } catch (IOException busy) {
                // the next one
            }
        }
        throw new IllegalStateException("no free port");
    }
}
