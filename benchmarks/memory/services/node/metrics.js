// prom-client's default metrics of the process, and the page that shows them.

import { collectDefaultMetrics, Counter, register } from 'prom-client';

collectDefaultMetrics();

export const counter = (name, help) => new Counter({ name, help });

export const metrics = async () => [register.contentType, await register.metrics()];
