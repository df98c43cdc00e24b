// A service that leaks a descriptor with every so-manieth request, and exports what client_golang
// exports: its process, the Go runtime, and its requests by status.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var kept []*os.File

func main() {
	every := flag.Int64("every", 5, "requests to a leaked descriptor; 0 leaks none")
	flag.Parse()
	counter := promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total",
		Help: "Requests that were answered.",
	}, []string{"code"})
	var answered atomic.Int64
	leaked := make(chan *os.File, 64)
	go func() {
		for file := range leaked {
			kept = append(kept, file)
		}
	}()
	work := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if *every > 0 && answered.Add(1)%*every == 0 {
			file, err := os.Open(os.DevNull)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			leaked <- file
		}
		fmt.Fprintln(w, "done")
	})
	http.Handle("/work", promhttp.InstrumentHandlerCounter(counter, work))
	http.Handle("/metrics", promhttp.Handler())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
