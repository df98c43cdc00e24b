// node:http alone: parses a batch, sums it up, forgets it.

import { serve } from './http.js';
import { counter, metrics } from './metrics.js';

const items = counter('ingest_items_total', 'Items received');
const values = counter('ingest_values_total', 'Sum of their absolute values');

serve(
  async (batch) => {
    items.inc(batch.length);
    values.inc(batch.reduce((sum, item) => sum + Math.abs(item.value), 0));
  },
  { pages: { '/metrics': metrics } },
);
