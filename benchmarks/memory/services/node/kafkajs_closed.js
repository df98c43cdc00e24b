// A new producer for every request, properly disconnected: slow, and it leaks nothing.

import { serve } from './http.js';
import { newProducer, send } from './kafka.js';

serve(async (batch) => {
  const producer = newProducer();
  await producer.connect();
  try {
    if (batch.length > 0) await send(producer, batch);
  } finally {
    await producer.disconnect();
  }
});
