// go-plain: net/http and encoding/json alone; validates and sums each batch.
package main

import (
	"context"
	"expvar"
	"fmt"
	"strings"

	"tidemark.example/memory-services/internal/service"
)

var (
	messages = expvar.NewInt("messages")
	total    = expvar.NewFloat("value_total")
	tagged   = expvar.NewInt("tagged")
)

func summarise(_ context.Context, _ []byte, items []service.Item) error {
	tags := map[string]int{}
	sum := 0.0
	for _, item := range items {
		if item.ID < 0 {
			return fmt.Errorf("item %d (%s): negative id", item.ID, item.Name)
		}
		sum += item.Value
		for _, tag := range item.Tags {
			tags[strings.ToLower(tag)]++
		}
	}
	messages.Add(int64(len(items)))
	total.Add(sum)
	tagged.Add(int64(len(tags)))
	return nil
}

func main() {
	mux := service.NewMux(summarise)
	mux.Handle("GET /debug/vars", expvar.Handler())
	service.Run(mux)
}
