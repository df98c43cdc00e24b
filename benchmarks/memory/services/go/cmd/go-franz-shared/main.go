// go-franz-shared: one franz-go producer for the life of the process, one record per element.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"tidemark.example/memory-services/internal/service"
)

var produced = promauto.NewCounter(prometheus.CounterOpts{
	Name: "messages_produced_total", Help: "Records that the broker has acknowledged.",
})

func main() {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("BOOTSTRAP"), ",")...),
		kgo.DefaultProduceTopic("tidemark"),
		kgo.MaxVersions(kversion.V2_1_0()), // librdkafka's mock broker knows no newer encodings
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	mux := service.NewMux(func(ctx context.Context, _ []byte, items []service.Item) error {
		records := make([]*kgo.Record, 0, len(items))
		for _, item := range items {
			value, err := json.Marshal(item)
			if err != nil {
				return err
			}
			key := strconv.AppendInt(nil, item.ID, 10)
			records = append(records, &kgo.Record{Key: key, Value: value})
		}
		if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return err
		}
		produced.Add(float64(len(records)))
		return nil
	})
	mux.Handle("GET /metrics", promhttp.Handler())
	service.Run(mux)
}
