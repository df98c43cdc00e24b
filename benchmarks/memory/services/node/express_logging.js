// Express, with a line for each request and each item in a log of a few files that are rolled.

import { join } from 'node:path';

import express from 'express';
import pino from 'pino';

import { leak } from './leak.js';

const log = pino(
  pino.transport({
    target: 'pino-roll',
    options: {
      file: join(process.env.SCRATCH, 'ingest'),
      extension: '.log',
      size: '2m',
      limit: { count: 2 },
    },
  }),
);

const app = express();
app.disable('x-powered-by');
app.use((request, response, next) => {
  const started = performance.now();
  response.on('finish', () => {
    const { method, originalUrl: url } = request;
    log.info({ method, url, status: response.statusCode, ms: performance.now() - started }, 'done');
  });
  next();
});

app.get('/health', (request, response) => response.json({ status: 'up' }));

app.post('/ingest', (request, response, next) => {
  leak();
  next();
});
app.post('/ingest', express.json({ limit: '1mb' }), (request, response) => {
  const batch = request.body;
  if (!Array.isArray(batch)) return response.status(400).json({ error: 'no batch' });
  for (const { id, name, tags } of batch) log.info({ id, name, tags: tags.length }, 'item');
  return response.json({ messages: batch.length });
});

const server = app.listen(Number(process.env.PORT), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close(() => log.flush(() => process.exit(0)));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), 3000).unref();
});
