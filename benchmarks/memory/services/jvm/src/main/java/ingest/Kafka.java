package ingest;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The two things that the Kafka services share: a producer, and a batch sent with it. */
final class Kafka {
    private static final String TOPIC = "tidemark";

    private Kafka() {}

    static Producer<String, byte[]> producer() {
        return new KafkaProducer<>(
                Map.of(
                        ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, Env.required("BOOTSTRAP"),
                        ProducerConfig.ACKS_CONFIG, "all",
                        ProducerConfig.LINGER_MS_CONFIG, 2,
                        ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 20_000,
                        ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 10_000),
                new StringSerializer(),
                new ByteArraySerializer());
    }

    /** One message for each item; returns once the broker has all of them. */
    static void send(Producer<String, byte[]> producer, List<Item> batch) throws Exception {
        List<Future<RecordMetadata>> reports = new ArrayList<>(batch.size());
        for (Item item : batch) {
            byte[] message = Http.JSON.writeValueAsBytes(item);
            reports.add(producer.send(new ProducerRecord<>(TOPIC, Long.toString(item.id()), message)));
        }
        for (Future<RecordMetadata> report : reports) {
            report.get();
        }
    }
}
