package kafkait;

import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;

import java.lang.reflect.Method;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Interrupts a test that takes longer than the run allows, where Kafka's own annotations would allow it more. */
public final class Patience implements InvocationInterceptor {
    private static final long SECONDS = Long.getLong("kafkait.timeout");
    private static final ScheduledExecutorService CLOCK = Executors.newSingleThreadScheduledExecutor(work -> {
        var t = new Thread(work, "junit-kafka-it-patience");  // a name that the tests' thread-leak check ignores
        t.setDaemon(true);
        return t;
    });

    @Override
    public void interceptTestTemplateMethod(Invocation<Void> test, ReflectiveInvocationContext<Method> method, ExtensionContext context)
            throws Throwable {
        var running = Thread.currentThread();
        // Again and again: a client that is being closed waits once more.
        var alarm = CLOCK.scheduleAtFixedRate(running::interrupt, SECONDS, 1, TimeUnit.SECONDS);
        try {
            test.proceed();
        } finally {
            alarm.cancel(false);
        }
    }
}
