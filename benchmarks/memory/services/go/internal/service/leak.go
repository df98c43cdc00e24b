package service

import (
	"os"
	"strconv"
	"sync"
)

// registry is the session map that nobody clears: what it keeps is the injected leak.
type registry struct {
	mu       sync.Mutex
	sessions map[int][]byte
	posts    int
	bytes    int
	every    int
}

var leaked = registry{
	sessions: map[int][]byte{},
	bytes:    envInt("LEAK_BYTES", 0),
	every:    max(1, envInt("LEAK_EVERY", 1)),
}

// onPost keeps LEAK_BYTES bytes on every LEAK_EVERY-th call, and nothing if that is 0.
func (r *registry) onPost() {
	if r.bytes <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts++
	if r.posts%r.every != 0 {
		return
	}
	kept := make([]byte, r.bytes)
	for i := range kept {
		kept[i] = byte(r.posts+i) | 1 // never a zero page
	}
	r.sessions[r.posts] = kept
}

func envInt(name string, otherwise int) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return otherwise
	}
	return n
}
