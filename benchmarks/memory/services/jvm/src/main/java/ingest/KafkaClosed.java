package ingest;

import org.apache.kafka.clients.producer.Producer;

/** A new producer for every request, properly closed: slow, and it leaks nothing. */
final class KafkaClosed {
    private KafkaClosed() {}

    public static void main(String[] args) throws Exception {
        new Http((batch, answer) -> {
            try (Producer<String, byte[]> producer = Kafka.producer()) {
                Kafka.send(producer, batch);
            }
        }).start();
    }
}
