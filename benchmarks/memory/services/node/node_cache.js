// Fastify, and a bounded cache of the last batches, to be fetched again by their receipts.

import { randomUUID } from 'node:crypto';

import fastify from 'fastify';
import { LRUCache } from 'lru-cache';

import { leak } from './leak.js';

const recent = new LRUCache({ max: 2500, ttl: 30 * 60 * 1000 });
const app = fastify();

app.get('/health', async () => ({ status: 'up' }));

app.get('/batch/:receipt', async (request, reply) => {
  const kept = recent.get(request.params.receipt);
  if (kept === undefined) return reply.code(404).send({ error: 'gone, or never there' });
  return kept.batch;
});

app.addHook('onRequest', async (request) => {
  if (request.method === 'POST') leak();
});
app.post('/ingest', { schema: { body: { type: 'array' } } }, async (request, reply) => {
  const batch = request.body;
  const receipt = randomUUID();
  const byId = new Map(batch.map((item) => [item.id, { ...item, key: `${item.name}-${item.id}` }]));
  recent.set(receipt, { batch, byId });
  reply.header('location', `/batch/${receipt}`);
  return { messages: batch.length };
});

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
process.once('SIGTERM', async () => {
  setTimeout(() => process.exit(0), 3000).unref();
  await app.close();
  process.exit(0);
});
