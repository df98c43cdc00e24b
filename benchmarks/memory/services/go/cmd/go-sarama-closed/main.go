// go-sarama-closed: a sarama client and sync producer for every request, both really closed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/IBM/sarama"

	"tidemark.example/memory-services/internal/service"
)

var brokers = strings.Split(os.Getenv("BOOTSTRAP"), ",")

func produce(_ context.Context, _ []byte, items []service.Item) (err error) {
	messages := make([]*sarama.ProducerMessage, 0, len(items))
	for _, item := range items {
		value, err := json.Marshal(item)
		if err != nil {
			return err
		}
		messages = append(messages, &sarama.ProducerMessage{
			Topic: "tidemark",
			Key:   sarama.StringEncoder(strconv.FormatInt(item.ID, 10)),
			Value: sarama.ByteEncoder(value),
		})
	}

	client, err := sarama.NewClient(brokers, configuration())
	if err != nil {
		return err
	}
	// Closing the producer does not close the client that it was made from.
	defer func() { err = errors.Join(err, client.Close()) }()
	producer, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	return producer.SendMessages(messages)
}

func configuration() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V2_1_0_0 // librdkafka's mock broker knows no newer encodings
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true // the sync producer needs it
	return config
}

func main() {
	service.Run(service.NewMux(produce))
}
