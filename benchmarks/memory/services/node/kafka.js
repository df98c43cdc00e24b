// The two things that the Kafka services share: a producer, and a batch sent with it.

import { Kafka, logLevel, Partitioners } from 'kafkajs';

const TOPIC = 'tidemark';

const kafka = new Kafka({
  clientId: 'ingest',
  brokers: process.env.BOOTSTRAP.split(','),
  logLevel: logLevel.ERROR,
});

export const newProducer = () =>
  kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });

/** One message for each item; resolves once the broker has all of them. */
export const send = (producer, batch) =>
  producer.send({
    topic: TOPIC,
    acks: -1,
    messages: batch.map((item) => ({ key: String(item.id), value: JSON.stringify(item) })),
  });
