// go-bolt: keeps the last 5,000 elements in a bbolt database.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"log"
	"time"

	"go.etcd.io/bbolt"

	"tidemark.example/memory-services/internal/service"
)

const keep = 5000 // rows

var rows = []byte("rows")

func main() {
	db, err := bbolt.Open(service.Scratch("rows.db"), 0o600, &bbolt.Options{
		Timeout:      5 * time.Second,
		FreelistType: bbolt.FreelistMapType,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(rows)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}

	service.Run(service.NewMux(func(_ context.Context, _ []byte, items []service.Item) error {
		return db.Update(func(tx *bbolt.Tx) error { return store(tx.Bucket(rows), items) })
	}))
}

// store appends items and deletes the oldest rows beyond keep.
func store(bucket *bbolt.Bucket, items []service.Item) error {
	var last uint64
	for _, item := range items {
		value, err := json.Marshal(item)
		if err != nil {
			return err
		}
		if last, err = bucket.NextSequence(); err != nil {
			return err
		}
		if err := bucket.Put(key(last), value); err != nil {
			return err
		}
	}
	if last <= keep {
		return nil
	}
	// Deleting moves a cursor, so the first row is looked for anew each time.
	for oldest, _ := bucket.Cursor().First(); oldest != nil; oldest, _ = bucket.Cursor().First() {
		if binary.BigEndian.Uint64(oldest) > last-keep {
			return nil
		}
		if err := bucket.Delete(oldest); err != nil {
			return err
		}
	}
	return nil
}

func key(sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, sequence)
}
