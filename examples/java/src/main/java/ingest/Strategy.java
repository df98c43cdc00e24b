package ingest;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/** Writes one message for each element of a batch; returns when the brokers have all of them. */
interface Strategy {
    void send(List<String> batch) throws ExecutionException, InterruptedException;

    static Strategy named(String name, String bootstrap, String topic) {
        return switch (name) {
            case "broken" -> broken(bootstrap, topic);
            case "fixed" -> fixed(bootstrap, topic);
            case "shared" -> shared(bootstrap, topic);
            default -> throw new IllegalArgumentException(
                    "no strategy is called " + name + ": broken, fixed or shared");
        };
    }

    /** A producer for each request, which nobody closes: its own thread keeps it. */
    private static Strategy broken(String bootstrap, String topic) {
        return batch -> {
            Producer<String, String> producer = newProducer(bootstrap); // the bug: nobody closes it
            write(producer, topic, batch);
        };
    }

    /** A producer for each request, closed. */
    private static Strategy fixed(String bootstrap, String topic) {
        return batch -> {
            try (Producer<String, String> producer = newProducer(bootstrap)) { // the fix
                write(producer, topic, batch);
            }
        };
    }

    /** One producer for the life of the process. */
    private static Strategy shared(String bootstrap, String topic) {
        Producer<String, String> producer = newProducer(bootstrap);
        return batch -> write(producer, topic, batch);
    }

    private static Producer<String, String> newProducer(String bootstrap) {
        Map<String, Object> configuration = Map.of(
                ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap,
                ProducerConfig.MAX_BLOCK_MS_CONFIG, 5_000,
                ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 3_000,
                ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 5_000);
        return new KafkaProducer<>(configuration, new StringSerializer(), new StringSerializer());
    }

    private static void write(Producer<String, String> producer, String topic, List<String> batch)
            throws ExecutionException, InterruptedException {
        List<Future<RecordMetadata>> sent = new ArrayList<>(batch.size());
        for (String text : batch) {
            // Without a key, all of a batch would go to one partition.
            String key = UUID.randomUUID().toString();
            sent.add(producer.send(new ProducerRecord<>(topic, key, text)));
        }
        for (Future<RecordMetadata> acknowledged : sent) {
            acknowledged.get();
        }
    }
}
