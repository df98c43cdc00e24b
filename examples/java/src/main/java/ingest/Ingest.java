package ingest;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import org.apache.kafka.common.KafkaException;

/**
 * Takes batches of messages by HTTP and writes them to Kafka.
 *
 * <p>Arguments: strategy (broken, fixed or shared), port, brokers as host:port,..., topic.
 */
final class Ingest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final TypeReference<List<String>> BATCH = new TypeReference<>() {};
    private static final int THREADS = 16;

    private Ingest() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 4) {
            System.err.println("usage: ingest.Ingest STRATEGY PORT BROKERS TOPIC");
            System.exit(2);
        }
        Strategy strategy = Strategy.named(arguments[0], arguments[2], arguments[3]);
        // Head and body are two writes: without this, each answer waits for a delayed ACK.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        InetAddress loopback = InetAddress.getByName("127.0.0.1");
        int port = Integer.parseInt(arguments[1]);
        HttpServer server = HttpServer.create(new InetSocketAddress(loopback, port), 128);
        server.setExecutor(Executors.newFixedThreadPool(THREADS));
        server.createContext("/ingest", exchange -> ingest(exchange, strategy));
        server.createContext("/healthz", exchange -> answer(exchange, 200, "ok"));
        server.start();
    }

    private static void ingest(HttpExchange exchange, Strategy strategy) throws IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        if (!exchange.getRequestMethod().equals("POST")) {
            answer(exchange, 405, "POST only");
            return;
        }
        try {
            List<String> batch = JSON.readValue(body, BATCH);
            strategy.send(batch);
            answer(exchange, 200, Integer.toString(batch.size()));
        } catch (JsonProcessingException e) {
            answer(exchange, 400, "no array of strings");
        } catch (ExecutionException | KafkaException e) {
            System.err.println("not written: " + rootCause(e));
            answer(exchange, 503, "not written");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            answer(exchange, 503, "ending");
        }
    }

    private static Throwable rootCause(Throwable error) {
        Throwable cause = error;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    private static void answer(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = (text + "\n").getBytes(StandardCharsets.UTF_8);
        try (exchange) {
            exchange.getResponseHeaders().set("Content-Type", "text/plain");
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
        }
    }
}
