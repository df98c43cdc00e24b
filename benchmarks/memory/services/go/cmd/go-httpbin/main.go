// go-httpbin serves mccutchen/go-httpbin as it is: a service that is not ours, without a leak.
package main

import (
	"github.com/mccutchen/go-httpbin/v2/httpbin"

	"tidemark.example/memory-services/internal/service"
)

func main() {
	service.Run(httpbin.New())
}
