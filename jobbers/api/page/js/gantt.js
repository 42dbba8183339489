// When each node of a run waited and ran, and which of them decided how long the run took.

import { html, useState } from "../vendor/vendor.js";
import { link } from "./route.js";
import { duration, many, number, shown } from "./text.js";

const MOST = 60;
const PAGE = 200;
const ROW = 22;
const NAME = 190;
const WIDTH = 900;
const AXIS = 24;

const ms = (time) => (time ? new Date(time).getTime() : null);

/** Each node that has begun: {node, ready, start, end, wait, ran}, in ms; it is ready when all it waits for has ended. */
export function spans(nodes, created, now) {
  const ends = new Map(nodes.map((node) => [node.name, ms(node.finished)]));
  return nodes
    .filter((node) => node.started || (node.finished && node.items))
    .map((node) => {
      const parents = node.after.map((name) => ends.get(name)).filter((end) => end !== null && end !== undefined);
      const ready = Math.max(ms(created), ...parents);
      const start = Math.max(ready, ms(node.started) ?? ready);
      const end = Math.max(start, ms(node.finished) ?? now);
      return { node, ready, start, end, wait: start - ready, ran: end - start };
    });
}

/** The names of the nodes of the critical path: from the one that ended last back, each time to the parent that ended last. */
export function critical(nodes, found) {
  const byName = new Map(found.map((one) => [one.node.name, one]));
  const path = new Set();
  let last = found.reduce((most, one) => (most === null || one.end > most.end ? one : most), null);
  while (last && !path.has(last.node.name)) {
    path.add(last.node.name);
    last = last.node.after.map((name) => byName.get(name)).reduce((most, one) => (one && (!most || one.end > most.end) ? one : most), null);
  }
  return [...path].reverse();
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, ...[1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440].map((minutes) => minutes * 60_000)];
const TICKS = 7;

/** Where the time axis is marked, in ms from its start: at whole steps, at most seven times. */
export function ticks(length) {
  const step = STEPS.find((one) => length / one <= TICKS) ?? Math.ceil(length / TICKS / 86_400_000) * 86_400_000;
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, index) => index * step);
}

const Axis = ({ length, scale, height }) => html`<g class="axis" aria-hidden="true">${ticks(length).map(
  (at) => html`<g key=${at}><line x1=${NAME + at * scale} x2=${NAME + at * scale} y1=${AXIS - 4} y2=${height} /><text x=${NAME + at * scale} y=${AXIS - 8} text-anchor=${at * scale > WIDTH - NAME - 50 ? "end" : at ? "middle" : "start"}>${duration(at / 1000)}</text></g>`,
)}</g>`;

function Row({ one, index, from, scale, decisive }) {
  const { node, ready, start, end } = one;
  const x = (at) => NAME + (at - from) * scale;
  const y = AXIS + index * ROW;
  const words = `${shown(node.name)}: waited ${duration(one.wait / 1000)}, ran ${duration(one.ran / 1000)}${decisive ? ", on the critical path" : ""}`;
  return html`<a href=${link("tasks", node.id)} aria-label=${words}><g class=${`span is-${node.status ?? "none"}${decisive ? " decisive" : ""}`}>
    <title>${words}</title>
    <rect class="span-back" x="0" y=${y} width=${WIDTH} height=${ROW} />
    <text x="4" y=${y + 15}>${decisive ? "◆ " : ""}${shown(node.name).slice(0, 26)}</text>
    <rect class="wait" x=${x(ready)} y=${y + 8} width=${Math.max(0, (start - ready) * scale)} height="6" />
    <rect class="ran" x=${x(start)} y=${y + 4} width=${Math.max(2, (end - start) * scale)} height="14" rx="2" />
  </g></a>`;
}

export function Gantt({ nodes, run }) {
  const [page, setPage] = useState(null);
  const now = run.finished ? ms(run.finished) : Date.now();
  const found = spans(nodes, run.created, now);
  if (!found.length) return html`<p class="faint">Nothing has begun yet. When nodes run, this shows how long each waited and ran.</p>`;
  const path = critical(nodes, found);
  const decisive = new Set(path);
  const sorted = [...found].sort((a, b) => a.start - b.start || a.end - b.end);
  // of many nodes those of the critical path, those that went wrong and the longest
  const rank = (one) => (decisive.has(one.node.name) ? 2 : one.node.status === "failed" ? 1 : 0);
  const kept = new Set([...sorted].sort((a, b) => rank(b) - rank(a) || b.wait + b.ran - a.wait - a.ran).slice(0, MOST));
  const last = Math.ceil(found.length / PAGE) - 1;
  const first = page === null ? null : Math.min(page, last) * PAGE;
  const drawn = first === null ? sorted.filter((one) => kept.has(one)) : sorted.slice(first, first + PAGE);
  const [begun, ended] = [Math.min(...found.map((one) => one.ready)), Math.max(...found.map((one) => one.end))];
  const from = Math.min(...drawn.map((one) => one.ready));
  const until = Math.max(from + 1, ...drawn.map((one) => one.end));
  const scale = (WIDTH - NAME - 8) / (until - from);
  const height = AXIS + drawn.length * ROW;
  const onPath = found.filter((one) => decisive.has(one.node.name));
  const slowest = onPath.reduce((most, one) => (one.wait + one.ran > most.wait + most.ran ? one : most));
  const total = (name) => onPath.reduce((sum, one) => sum + one[name], 0) / 1000;
  return html`<p class="faint">${`${duration((ended - begun) / 1000)} in all. The critical path (◆) has ${many(path.length, "node")}: they waited ${duration(total("wait"))} and ran ${duration(total("ran"))}.`}${onPath.length > 1 && html` The longest of them is <a href=${link("tasks", slowest.node.id)}><bdi>${shown(slowest.node.name)}</bdi></a>${`, which waited ${duration(slowest.wait / 1000)} and ran ${duration(slowest.ran / 1000)}.`}`}</p>
    <ul class="legend"><li><svg viewBox="0 0 16 10" width="16" height="10" aria-hidden="true"><rect class="wait" y="2" width="16" height="6" /></svg>ready, waits for a worker</li><li><svg viewBox="0 0 16 10" width="16" height="10" aria-hidden="true"><rect class="ran" width="16" height="10" rx="2" /></svg>runs</li></ul>
    <div class="scroll gantt" tabindex="0" role="region" aria-label="When each node waited and ran">
      <svg viewBox=${`0 0 ${WIDTH} ${height}`} width=${WIDTH} height=${height}><${Axis} length=${until - from} scale=${scale} height=${height} />${drawn.map(
        (one, index) => html`<${Row} key=${one.node.name} one=${one} index=${index} from=${from} scale=${scale} decisive=${decisive.has(one.node.name)} />`,
      )}</svg></div>
    ${first === null
      ? drawn.length < found.length && html`<p class="faint">${decisive.size > MOST ? "The longest of the critical path" : "The critical path, what failed and the longest"}${`, of ${many(found.length, "node")}.`} <button class="link" onClick=${() => setPage(0)}>${last > 0 ? `Show all, ${PAGE} at a time` : "Show all"}</button></p>`
      : html`<nav class="pager" aria-label="Pages of the time axis"><button class="link" onClick=${() => setPage(null)}>The longest only</button>${last > 0 && html`<button disabled=${first === 0} onClick=${() => setPage(first / PAGE - 1)}>Previous</button><span>${`${number(first + 1)}–${number(first + drawn.length)} of ${number(found.length)}`}</span><button disabled=${first / PAGE >= last} onClick=${() => setPage(first / PAGE + 1)}>Next</button>`}</nav>`}`;
}
