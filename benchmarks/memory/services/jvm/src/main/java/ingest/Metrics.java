package ingest;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.nio.charset.StandardCharsets;

/** Micrometer's metrics of the JVM and the service's own counters, as Prometheus reads them. */
final class Metrics {
    private static final String TYPE = "text/plain; version=0.0.4; charset=utf-8";
    private final PrometheusMeterRegistry registry =
            new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);

    @SuppressWarnings("resource") // as long-lived as the process
    Metrics() {
        new JvmMemoryMetrics().bindTo(registry);
        new JvmGcMetrics().bindTo(registry);
    }

    Counter counter(String name) {
        return registry.counter(name);
    }

    void publish(Http http) {
        http.handle("/metrics", exchange -> Http.send(
                exchange, 200, TYPE, registry.scrape().getBytes(StandardCharsets.UTF_8)));
    }
}
