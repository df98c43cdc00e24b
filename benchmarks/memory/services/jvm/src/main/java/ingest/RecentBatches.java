package ingest;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Keeps the last batches, parsed, to be fetched again by the receipt that each was given. */
final class RecentBatches {
    private static final int BATCHES = 2_500;

    private record Kept(List<Item> items, byte[] document) {}

    private RecentBatches() {}

    public static void main(String[] args) throws Exception {
        Cache<UUID, Kept> recent = Caffeine.newBuilder().maximumSize(BATCHES).build();
        Http http = new Http((batch, answer) -> {
            UUID receipt = UUID.randomUUID();
            byte[] document = Http.JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(batch);
            recent.put(receipt, new Kept(batch, document));
            answer.set("Location", "/batch/" + receipt);
        });
        http.handle("/batch/", exchange -> {
            String path = exchange.getRequestURI().getPath();
            Kept kept = recent.getIfPresent(receipt(path.substring("/batch/".length())));
            if (kept == null) {
                Http.json(exchange, 404, Map.of("error", "gone, or never there"));
            } else {
                Http.send(exchange, 200, "application/json", kept.document());
            }
        });
        http.start();
    }

    private static UUID receipt(String text) {
        try {
            return UUID.fromString(text);
        } catch (IllegalArgumentException e) {
            return new UUID(0, 0);
        }
    }
}
