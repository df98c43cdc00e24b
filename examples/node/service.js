// Takes batches of messages by HTTP and writes them to Kafka with kafkajs.
//
//     node service.js broken --port 8080 --bootstrap 127.0.0.1:9092

import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import { Kafka, logLevel, Partitioners } from 'kafkajs';

const BODY_LIMIT = 16 << 20;
const ALL = -1; // acknowledgements

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '8080' },
    bootstrap: { type: 'string', default: '127.0.0.1:9092' },
    topic: { type: 'string', default: 'tidemark' },
  },
});
const kafka = new Kafka({
  clientId: 'ingest',
  brokers: given.bootstrap.split(','),
  logLevel: logLevel.ERROR,
});
const newProducer = () =>
  kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });

const send = (producer, batch) =>
  producer.send({ topic: given.topic, acks: ALL, messages: batch.map((value) => ({ value })) });

const strategies = {
  // A producer for each request, connected and never disconnected.
  broken: () => async (batch) => {
    const producer = newProducer();
    await producer.connect(); // the bug: nobody disconnects it
    await send(producer, batch);
  },

  // A producer for each request, disconnected.
  fixed: () => async (batch) => {
    const producer = newProducer();
    await producer.connect();
    try {
      await send(producer, batch);
    } finally {
      await producer.disconnect(); // the fix
    }
  },

  // One producer for the life of the process.
  shared: async () => {
    const producer = newProducer();
    await producer.connect();
    return (batch) => send(producer, batch);
  },
};

async function body(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new RangeError('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function ingest(request, write) {
  let batch;
  try {
    batch = JSON.parse(await body(request));
  } catch (error) {
    return [400, error.message];
  }
  if (!Array.isArray(batch)) return [400, 'no array'];
  try {
    await write(batch);
  } catch (error) {
    console.error(`not written: ${error.message}`);
    return [503, 'not written'];
  }
  return [200, batch.length];
}

const strategy = strategies[positionals[0]];
if (!strategy) {
  console.error(`which strategy? ${Object.keys(strategies).join(', ')}`);
  process.exit(2);
}
const write = await strategy();
createServer(async (request, response) => {
  const route = `${request.method} ${request.url}`;
  let [status, answer] = [404, 'not found'];
  if (route === 'POST /ingest') [status, answer] = await ingest(request, write);
  if (route === 'GET /healthz') [status, answer] = [200, 'ok'];
  response.writeHead(status, { 'Content-Type': 'text/plain' }).end(`${answer}\n`);
}).listen(Number(given.port), '127.0.0.1');
