// go-tls: HTTPS, and a line for every batch in a log that is rotated at 1 MB.
package main

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"gopkg.in/natefinch/lumberjack.v2"

	"tidemark.example/memory-services/internal/service"
)

var sizes = promauto.NewHistogram(prometheus.HistogramOpts{
	Name: "batch_bytes", Help: "Size of the posted batches.",
	Buckets: prometheus.ExponentialBuckets(128, 2, 8),
})

func main() {
	file := &lumberjack.Logger{Filename: service.Scratch("ingest.log"), MaxSize: 1, MaxBackups: 2}
	defer file.Close()
	logger := slog.New(slog.NewJSONHandler(file, nil))

	mux := service.NewMux(func(ctx context.Context, body []byte, items []service.Item) error {
		sizes.Observe(float64(len(body)))
		sum := 0.0
		for _, item := range items {
			sum += item.Value
		}
		logger.InfoContext(ctx, "batch", "bytes", len(body), "messages", len(items), "sum", sum)
		return nil
	})
	mux.Handle("GET /metrics", promhttp.Handler())
	service.RunTLS(mux)
}
