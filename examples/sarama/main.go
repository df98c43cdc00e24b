// ingest takes batches of messages by HTTP and writes them to Kafka with sarama, in one of three
// ways (-strategy). It is the service of a real outage, cut down to what mattered.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"
)

const maxBody = 16 << 20 // bytes

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` that takes the requests")
	brokers := flag.String("brokers", "127.0.0.1:9092", "brokers, as `host:port,...`")
	topic := flag.String("topic", "tidemark", "topic that is written to")
	profile := flag.String("pprof", "", "`host:port` of net/http/pprof; none by default")
	name := flag.String("strategy", "broken", "how the producer is made: broken, fixed or shared")
	flag.Parse()

	if *profile != "" {
		go func() { log.Fatal(http.ListenAndServe(*profile, profiles())) }()
	}
	strategy, err := newStrategy(*name, strings.Split(*brokers, ","))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr:         *addr,
		Handler:      routes(strategy, *topic),
		ReadTimeout:  5 * time.Second,
		WriteTimeout: 5 * time.Second,
		IdleTimeout:  2 * time.Minute,
	}
	log.Printf("%s: listening on %s", *name, *addr)
	log.Fatal(server.ListenAndServe())
}

// routes serves the batches on the path of the story and on the one that Tidemark posts to.
func routes(strategy strategy, topic string) http.Handler {
	mux := http.NewServeMux()
	ingest := func(w http.ResponseWriter, r *http.Request) {
		var batch []string
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&batch); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := strategy.send(topic, batch); err != nil {
			log.Print(err)
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, len(batch))
	}
	mux.HandleFunc("POST /interface.php", ingest)
	mux.HandleFunc("POST /ingest", ingest)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// profiles is net/http/pprof on a multiplexer of its own, so that the service does not show it.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	return mux
}
