// Package service is what the Go services of the corpus share: the ingest endpoint,
// the injected leak, and a server that ends on SIGTERM.
package service

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const maxBody = 1 << 20 // bytes

// Item is one element of a posted batch.
type Item struct {
	ID    int64    `json:"id"`
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Tags  []string `json:"tags"`
}

// Work is what a service does with a batch; body is the JSON that items were read from.
type Work func(ctx context.Context, body []byte, items []Item) error

// NewMux serves POST /ingest with work, and GET /health.
func NewMux(work Work) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("POST /ingest", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var items []Item
		if err := json.Unmarshal(body, &items); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := work(r.Context(), body, items); err != nil {
			log.Print(err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		leaked.onPost()
		reply(w, map[string]int{"messages": len(items)})
	})
	return mux
}

// Run serves handler with plain HTTP on 127.0.0.1:PORT until SIGTERM.
func Run(handler http.Handler) {
	server := newServer(handler)
	run(server, server.ListenAndServe)
}

// Scratch is a file of that name in the service's own folder.
func Scratch(name string) string {
	return filepath.Join(os.Getenv("SCRATCH"), name)
}

func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              "127.0.0.1:" + os.Getenv("PORT"),
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
}

func run(server *http.Server, serve func() error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	select {
	case err := <-failed:
		if !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	case <-ctx.Done():
		grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			log.Print(err)
		}
	}
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err) // the client has gone
	}
}
