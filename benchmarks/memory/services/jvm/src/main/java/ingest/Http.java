package ingest;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** The JDK's HTTP server with a bounded pool of threads, and Jackson. */
final class Http {
    static final ObjectMapper JSON = new ObjectMapper();
    private static final TypeReference<List<Item>> BATCH = new TypeReference<>() {};
    private static final int THREADS = 8;

    private final HttpServer server;

    /** What a service does with a batch; it may add to the headers of the answer. */
    interface Ingest {
        void accept(List<Item> batch, Headers answer) throws Exception;
    }

    Http(Ingest ingest) throws IOException {
        // Head and body are two writes: without this, each answer waits for a delayed ACK.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        int port = Integer.parseInt(Env.required("PORT"));
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 128);
        ExecutorService pool = Executors.newFixedThreadPool(THREADS);
        server.setExecutor(pool);
        handle("/health", exchange -> json(exchange, 200, Map.of("status", "up")));
        handle("/ingest", exchange -> ingest(exchange, ingest));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.stop(0);
            pool.shutdownNow();
        }));
    }

    void handle(String path, HttpHandler handler) {
        server.createContext(path, handler);
    }

    void start() {
        server.start();
    }

    static void json(HttpExchange exchange, int status, Object answer) throws IOException {
        send(exchange, status, "application/json", JSON.writeValueAsBytes(answer));
    }

    static void send(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        try (exchange) {
            exchange.getResponseHeaders().set("Content-Type", type);
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
        }
    }

    private static void ingest(HttpExchange exchange, Ingest ingest) throws IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        if (!exchange.getRequestMethod().equals("POST")) {
            json(exchange, 405, Map.of("error", "POST only"));
            return;
        }
        Leak.post();
        try {
            List<Item> batch = JSON.readValue(body, BATCH);
            ingest.accept(batch, exchange.getResponseHeaders());
            json(exchange, 200, Map.of("messages", batch.size()));
        } catch (JsonProcessingException e) {
            json(exchange, 400, Map.of("error", "no batch"));
        } catch (IOException e) {
            throw e;
        } catch (Exception e) {
            System.err.println(e);
            json(exchange, 500, Map.of("error", "not stored"));
        }
    }
}
