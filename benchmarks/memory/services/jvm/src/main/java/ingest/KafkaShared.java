package ingest;

import io.micrometer.core.instrument.Counter;
import org.apache.kafka.clients.producer.Producer;

/** One producer for the life of the process. */
final class KafkaShared {
    private KafkaShared() {}

    public static void main(String[] args) throws Exception {
        Metrics metrics = new Metrics();
        Counter delivered = metrics.counter("ingest.delivered");
        Producer<String, byte[]> producer = Kafka.producer();
        Runtime.getRuntime().addShutdownHook(new Thread(producer::close));
        Http http = new Http((batch, answer) -> {
            Kafka.send(producer, batch);
            delivered.increment(batch.size());
        });
        metrics.publish(http);
        http.start();
    }
}
