// BullMQ's adapter: the command line of base.py, in Node. A flow is a tree whose leaves run first, so a fan has no root.

import { createRequire } from 'node:module';
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';

const require = createRequire(new URL('../../bullmq/package.json', import.meta.url));
const { FlowProducer, QueueEvents, Worker } = require('bullmq');

const QUEUE = 'flows';
const CONCURRENCY = 100;
const PATIENCE_MS = 120_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string', default: 'redis://127.0.0.1:6379/0' },
    width: { type: 'string', default: '1000' },
    length: { type: 'string', default: '100' },
  },
});

function connection() {
  const { hostname, port } = new URL(options.url);
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const bodies = {
  child: async (job) => job.data.number,
  join: async (job) => sum(Object.values(await job.getChildrenValues())),
  step: async (job) => sum(Object.values(await job.getChildrenValues())) + 1,
};

function fan(width) {
  const children = Array.from({ length: width }, (_, number) => (
    { name: 'child', queueName: QUEUE, data: { number } }));
  const tree = { name: 'join', queueName: QUEUE, data: {}, children };
  return { tree, tasks: width + 1, expected: (width * (width - 1)) / 2 };
}

function chain(length) {
  let tree = { name: 'step', queueName: QUEUE, data: {} };
  for (let i = 1; i < length; i += 1) tree = { name: 'step', queueName: QUEUE, data: {}, children: [tree] };
  return { tree, tasks: length, expected: length };
}

async function client() {
  const producer = new FlowProducer({ connection: connection() });
  const events = new QueueEvents(QUEUE, { connection: connection() });
  await Promise.all([producer.waitUntilReady(), events.waitUntilReady()]);
  for (const [flow, build] of [['fan', () => fan(Number(options.width))], ['chain', () => chain(Number(options.length))]]) {
    for (const warm of [false, true]) {
      const { tree, tasks, expected } = build();
      tree.opts = { jobId: randomUUID() };
      const start = performance.now();
      const { job } = await producer.add(tree);
      const result = await job.waitUntilFinished(events, PATIENCE_MS);
      const seconds = (performance.now() - start) / 1000;
      if (result !== expected) throw new Error(`${flow} returned ${result}, not ${expected}`);
      if (warm) console.log(JSON.stringify({ flow, variant: '', tasks, seconds }));
    }
  }
  await Promise.all([producer.close(), events.close()]);
}

if (positionals[0] === 'describe') {
  const versions = Object.fromEntries(['bullmq', 'ioredis'].map((name) => [name, require(`${name}/package.json`).version]));
  const settings = `one process, concurrency ${CONCURRENCY}, defaults (completed jobs kept); fan: no root`;
  console.log(JSON.stringify({ versions, runtime: `Node ${process.versions.node}`, settings }));
} else if (positionals[0] === 'worker') {
  const worker = new Worker(QUEUE, (job) => bodies[job.name](job), { connection: connection(), concurrency: CONCURRENCY });
  worker.on('error', (error) => console.error(error));
} else {
  await client();
}
