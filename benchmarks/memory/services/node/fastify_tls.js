// Fastify over TLS, with a certificate that it makes itself and a schema for what is posted.

import fastify from 'fastify';
import selfsigned from 'selfsigned';

import { leak } from './leak.js';

const { private: key, cert } = selfsigned.generate([{ name: 'commonName', value: 'localhost' }], {
  days: 30,
  keySize: 2048,
  algorithm: 'sha256',
  extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
});

const item = {
  type: 'object',
  required: ['id', 'name', 'value', 'tags'],
  properties: {
    id: { type: 'integer' },
    name: { type: 'string' },
    value: { type: 'number' },
    tags: { type: 'array', items: { type: 'string' } },
  },
};

const app = fastify({ https: { key, cert } });

app.get('/health', async () => ({ status: 'up' }));

app.addHook('onRequest', async (request) => {
  if (request.method === 'POST') leak();
});
app.post('/ingest', { schema: { body: { type: 'array', items: item } } }, async (request, reply) => {
  const tags = new Set(request.body.flatMap((posted) => posted.tags));
  reply.header('x-tags', tags.size);
  return { messages: request.body.length };
});

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
process.once('SIGTERM', async () => {
  setTimeout(() => process.exit(0), 3000).unref();
  await app.close();
  process.exit(0);
});
