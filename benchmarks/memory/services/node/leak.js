// The injected leak: a registry of sessions that nobody clears.

import { randomBytes } from 'node:crypto';

const BYTES = Number(process.env.LEAK_BYTES || 0);
const EVERY = Number(process.env.LEAK_EVERY || 1);
const sessions = new Map();
let posts = 0;

/** To be called once for every POST. */
export function leak() {
  if (BYTES === 0) return;
  posts += 1;
  if (posts % EVERY !== 0) return;
  // A flat string in the heap: one byte a character, written in full, no slice of another.
  sessions.set(posts, randomBytes(Math.ceil(BYTES / 2)).toString('hex').padEnd(BYTES));
}
