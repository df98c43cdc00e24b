// go-cache: remembers the last 2,000 batches in an LRU, so that a repeated POST is not done twice.
package main

import (
	"context"
	"crypto/sha256"
	"expvar"
	"log"

	lru "github.com/hashicorp/golang-lru/v2"

	"tidemark.example/memory-services/internal/service"
)

const batches = 2000

type digest = [sha256.Size]byte

func main() {
	cache, err := lru.New[digest, []service.Item](batches)
	if err != nil {
		log.Fatal(err)
	}
	repeated := expvar.NewInt("repeated")
	expvar.Publish("cached", expvar.Func(func() any { return cache.Len() }))

	mux := service.NewMux(func(_ context.Context, body []byte, items []service.Item) error {
		key := sha256.Sum256(body)
		if _, seen := cache.Get(key); seen {
			repeated.Add(1)
			return nil
		}
		cache.Add(key, items)
		return nil
	})
	mux.Handle("GET /debug/vars", expvar.Handler())
	service.Run(mux)
}
