package ingest;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/** The injected leak: a registry of sessions that nobody clears. */
final class Leak {
    private static final int BYTES = Env.number("LEAK_BYTES", 0);
    private static final int EVERY = Env.number("LEAK_EVERY", 1);
    private static final Map<Long, byte[]> SESSIONS = new ConcurrentHashMap<>();
    private static final AtomicLong POSTS = new AtomicLong();

    private Leak() {}

    /** To be called once for every POST. */
    static void post() {
        if (BYTES == 0) {
            return;
        }
        long post = POSTS.incrementAndGet();
        if (post % EVERY == 0) {
            byte[] session = new byte[BYTES];
            ThreadLocalRandom.current().nextBytes(session);
            SESSIONS.put(post, session);
        }
    }
}
