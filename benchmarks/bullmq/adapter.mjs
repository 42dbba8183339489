// BullMQ's adapter: the command line of benchmarks/adapters/base.py, in Node.
//
// Fair configuration: one worker with concurrency 100 and defaults otherwise; completed jobs are kept
// (default); bulk is addBulk in chunks of 1,000.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Queue, Worker } from 'bullmq';
import { hitter, marker } from './tally.mjs';

const QUEUE = 'bench';
const CHUNK = 1000;
const NAP_MS = 10;
const WARM_UP = { 'submit-one': 100, 'submit-bulk': 10 };

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string', default: 'redis://127.0.0.1:6379/0' },
    kind: { type: 'string', default: 'noop' },
    count: { type: 'string', default: '1' },
    payload: { type: 'string', default: '0' },
    'gap-ms': { type: 'string', default: '5' },
    concurrency: { type: 'string', default: '100' },
    tally: { type: 'string' },
    slot: { type: 'string', default: '0' },
    stamps: { type: 'string' },
  },
});
const command = positionals[0];
const count = Number(options.count);

function connection() {
  const { hostname, port } = new URL(options.url);
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null };
}

function describe() {
  const require = createRequire(import.meta.url);
  const versions = {};
  for (const name of ['bullmq', 'ioredis']) {
    const path = require.resolve(name).split(`/node_modules/${name}/`)[0];
    versions[name] = JSON.parse(readFileSync(`${path}/node_modules/${name}/package.json`)).version;
  }
  return { versions, runtime: `Node ${process.versions.node}`, settings: 'defaults (completed jobs kept)' };
}

async function addMany(queue, total, data) {
  for (let start = 0; start < total; start += CHUNK) {
    const size = Math.min(CHUNK, total - start);
    await queue.addBulk(Array.from({ length: size }, () => ({ name: options.kind, data })));
  }
}

async function submitTimed(queue) {
  const payload = Number(options.payload);
  const data = payload ? { payload: 'x'.repeat(payload) } : {};
  const warmUp = Math.min(WARM_UP[command], count);
  const submit = command === 'submit-bulk'
    ? (total) => addMany(queue, total, data)
    : async (total) => {
      for (let i = 0; i < total; i += 1) await queue.add(options.kind, data);
    };
  await submit(warmUp);
  const start = performance.now();
  await submit(count);
  return { count, seconds: (performance.now() - start) / 1000, submitted: count + warmUp };
}

async function submitSpaced(queue) {
  const mark = marker(options.stamps, 0);
  for (let index = 0; index < count; index += 1) {
    mark(index);
    await queue.add('stamp', { index });
    await sleep(Number(options['gap-ms']));
  }
  return { count, submitted: count };
}

async function work() {
  const hit = hitter(options.tally, Number(options.slot));
  const mark = options.stamps ? marker(options.stamps, 1) : () => {};
  const bodies = {
    noop: async () => { hit(); return 1; },
    nap: async () => { await sleep(NAP_MS); hit(); return 1; },
    stamp: async (job) => { mark(job.data.index); hit(); return 1; },
  };
  const worker = new Worker(QUEUE, (job) => bodies[job.name](job), {
    connection: connection(), concurrency: Number(options.concurrency), autorun: false,
  });
  worker.on('error', (error) => console.error(error));
  await worker.waitUntilReady();
  console.log('ready');
  createInterface({ input: process.stdin }).once('line', () => worker.run());
}

if (command === 'describe') {
  console.log(JSON.stringify(describe()));
} else if (command === 'worker') {
  await work();
} else {
  const queue = new Queue(QUEUE, { connection: connection() });
  await queue.waitUntilReady();
  const outcome = await (command === 'latency' ? submitSpaced(queue) : submitTimed(queue));
  await queue.close();
  console.log(JSON.stringify(outcome));
}
