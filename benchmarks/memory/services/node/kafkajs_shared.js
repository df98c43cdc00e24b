// One producer for the life of the process.

import { serve } from './http.js';
import { newProducer, send } from './kafka.js';
import { counter, metrics } from './metrics.js';

const delivered = counter('ingest_delivered_total', 'Messages that the broker has acknowledged');
const producer = newProducer();
await producer.connect();

serve(
  async (batch) => {
    if (batch.length === 0) return;
    await send(producer, batch);
    delivered.inc(batch.length);
  },
  { pages: { '/metrics': metrics }, close: () => producer.disconnect() },
);
