// What the services on node:http share: routes, a bounded body, JSON, an orderly end.

import { createServer } from 'node:http';

import { leak } from './leak.js';

const BODY_LIMIT = 1 << 20;

async function body(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new RangeError('body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export function json(response, status, answer) {
  const text = JSON.stringify(answer);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

async function post(request, response, ingest) {
  leak();
  let batch;
  try {
    batch = JSON.parse(await body(request));
  } catch (error) {
    return json(response, error instanceof RangeError ? 413 : 400, { error: error.message });
  }
  if (!Array.isArray(batch)) return json(response, 400, { error: 'no batch' });
  await ingest(batch);
  return json(response, 200, { messages: batch.length });
}

/**
 * Serves POST /ingest with ingest(batch), GET /health, and GET on each path of pages, whose
 * functions answer with [content type, text]. Calls close, if given, before it ends.
 */
export function serve(ingest, { pages = {}, close = async () => {} } = {}) {
  async function handle(request, response) {
    if (request.method === 'POST' && request.url === '/ingest') {
      await post(request, response, ingest);
    } else if (request.method === 'GET' && request.url === '/health') {
      json(response, 200, { status: 'up' });
    } else if (request.method === 'GET' && Object.hasOwn(pages, request.url)) {
      const [type, text] = await pages[request.url]();
      response.writeHead(200, { 'Content-Type': type }).end(text);
    } else {
      json(response, 404, { error: 'not found' });
    }
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      console.error(error);
      if (response.headersSent) response.destroy();
      else json(response, 500, { error: 'not stored' });
    });
  });
  server.listen(Number(process.env.PORT), '127.0.0.1');
  process.once('SIGTERM', () => {
    server.close(async () => {
      await close();
      process.exit(0);
    });
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 3000).unref();
  });
}
