package ingest;

import io.micrometer.core.instrument.Counter;
import java.util.DoubleSummaryStatistics;

/** Parses a batch, sums it up, forgets it. */
final class Plain {
    private Plain() {}

    public static void main(String[] args) throws Exception {
        Metrics metrics = new Metrics();
        Counter items = metrics.counter("ingest.items");
        Counter values = metrics.counter("ingest.values");
        Http http = new Http((batch, answer) -> {
            DoubleSummaryStatistics sums =
                    batch.stream().mapToDouble(Item::value).summaryStatistics();
            items.increment(sums.getCount());
            values.increment(Math.abs(sums.getSum()));
        });
        metrics.publish(http);
        http.start();
    }
}
