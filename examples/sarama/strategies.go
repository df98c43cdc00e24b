package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// A strategy writes one message for each element of a batch, and returns when the brokers have
// acknowledged all of them.
type strategy interface {
	send(topic string, batch []string) error
}

func newStrategy(name string, brokers []string) (strategy, error) {
	switch name {
	case "broken":
		return broken{brokers}, nil
	case "fixed":
		return fixed{brokers}, nil
	case "shared":
		return newShared(brokers)
	}
	return nil, fmt.Errorf("no strategy is called %q: broken, fixed or shared", name)
}

func configuration() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V2_1_0_0 // what librdkafka's mock cluster understands, too
	config.Net.DialTimeout = 3 * time.Second
	config.Net.ReadTimeout = 5 * time.Second
	config.Net.WriteTimeout = 5 * time.Second
	config.Producer.Timeout = 3 * time.Second
	config.Producer.Return.Successes = true // somebody waits for them
	return config
}

// broken makes a client and a producer for each request, and closes the producer only.
type broken struct{ brokers []string }

func (s broken) send(topic string, batch []string) error {
	client, err := sarama.NewClient(s.brokers, configuration())
	if err != nil {
		return err
	}
	producer, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		return err
	}
	return sendAndClose(producer, topic, batch) // the bug: the client is the caller's to close
}

// fixed makes both for each request, and closes both.
type fixed struct{ brokers []string }

func (s fixed) send(topic string, batch []string) (err error) {
	client, err := sarama.NewClient(s.brokers, configuration())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }() // the fix
	producer, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		return err
	}
	return sendAndClose(producer, topic, batch)
}

// sendAndClose writes a batch, waits for what becomes of it, and closes the producer. One that is
// closed sooner gives up what it would have tried again.
func sendAndClose(producer sarama.AsyncProducer, topic string, batch []string) error {
	go func() {
		for _, text := range batch {
			producer.Input() <- message(topic, text)
		}
	}()
	var failed []error
	for range batch {
		select {
		case <-producer.Successes():
		case err := <-producer.Errors():
			failed = append(failed, err)
		}
	}
	return errors.Join(append(failed, producer.Close())...)
}

// shared has one producer for the life of the process.
type shared struct{ producer sarama.AsyncProducer }

func newShared(brokers []string) (shared, error) {
	producer, err := sarama.NewAsyncProducer(brokers, configuration())
	if err != nil {
		return shared{}, err
	}
	go func() {
		for sent := range producer.Successes() {
			sent.Metadata.(chan<- error) <- nil
		}
	}()
	go func() {
		for failed := range producer.Errors() {
			failed.Msg.Metadata.(chan<- error) <- failed.Err
		}
	}()
	return shared{producer}, nil
}

func (s shared) send(topic string, batch []string) error {
	outcomes := make(chan error, len(batch)) // nobody who reports an outcome waits for us
	for _, text := range batch {
		sent := message(topic, text)
		sent.Metadata = (chan<- error)(outcomes)
		s.producer.Input() <- sent
	}
	var failed []error
	for range batch {
		if err := <-outcomes; err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func message(topic, text string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(text)}
}
