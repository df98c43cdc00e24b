// A fast server to measure load generators against: it parses a JSON array of strings and answers
// how many there were. GET /served says how many it has answered.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
)

var served atomic.Int64

func ingest(writer http.ResponseWriter, request *http.Request) {
	var messages []string
	if err := json.NewDecoder(request.Body).Decode(&messages); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	served.Add(1)
	writer.Write(strconv.AppendInt(nil, int64(len(messages)), 10))
}

func main() {
	http.HandleFunc("POST /ingest", ingest)
	http.HandleFunc("GET /served", func(writer http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(writer, served.Load())
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
