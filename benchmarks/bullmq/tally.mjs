// The Node side of benchmarks/counter.py: same files, same words, same clock (CLOCK_MONOTONIC).
//
// Node cannot map memory, so words are written with pwrite to the files that the harness has mapped. A hit
// only touches memory and a clock; what has been counted is written every 64 hits and every 2 ms.

import fs from 'node:fs';

const WORD = 8;
const LANE_WORDS = 4;
const LANES_PER_SLOT = 128;
const FLUSH_EVERY = 64;
const FLUSH_MS = 2;

/** A function that counts one task in the first lane of a slot. */
export function hitter(path, slot) {
  const file = fs.openSync(path, 'r+');
  const offset = slot * LANES_PER_SLOT * LANE_WORDS * WORD;
  const lane = new BigUint64Array(LANE_WORDS);
  let count = 0;
  let written = 0;
  const flush = () => {
    if (written === count) return;
    lane[0] = BigInt(count);
    fs.writeSync(file, lane, 0, lane.byteLength, offset);
    written = count;
  };
  setInterval(flush, FLUSH_MS);
  return () => {
    const now = process.hrtime.bigint();
    if (count === 0) lane[1] = now;
    lane[2] = now;
    count += 1;
    if (count - written >= FLUSH_EVERY) flush();
  };
}

/** A function that stamps the time of task `index`; side 0 is the submit, side 1 the body. */
export function marker(path, side) {
  const file = fs.openSync(path, 'r+');
  const word = new BigUint64Array(1);
  return (index) => {
    word[0] = process.hrtime.bigint();
    fs.writeSync(file, word, 0, WORD, (2 * index + side) * WORD);
  };
}
