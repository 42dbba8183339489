// How the nodes of a run are spread over queues, and how even that is.

import { html } from "../vendor/vendor.js";
import { spans } from "./gantt.js";
import { link } from "./route.js";
import { duration, number } from "./text.js";
import { Table, Text } from "./ui.js";

/** For each queue: {queue, nodes, begun, wait, ran, longest}, times in ms; that which ran longest comes first. */
export function spread(nodes, created, now) {
  const queues = new Map();
  const of = (queue) => {
    if (!queues.has(queue)) queues.set(queue, { queue, nodes: 0, begun: 0, wait: 0, ran: 0, longest: null });
    return queues.get(queue);
  };
  for (const node of nodes) of(node.queue).nodes += 1;
  for (const one of spans(nodes, created, now)) {
    const queue = of(one.node.queue);
    queue.begun += 1;
    queue.wait += one.wait;
    queue.ran += one.ran;
    if (!queue.longest || one.ran > queue.longest.ran) queue.longest = one;
  }
  return [...queues.values()].sort((a, b) => b.ran - a.ran || b.nodes - a.nodes);
}

/** The share of the fullest times the number of all: 1 is even, and their number is all in one. `null` for fewer than two. */
export function skew(amounts) {
  const all = amounts.reduce((sum, one) => sum + one, 0);
  return amounts.length < 2 || !all ? null : (Math.max(...amounts) * amounts.length) / all;
}

const told = (value) => (value === null ? "" : value < 1.05 ? "even" : `the fullest has ${value.toFixed(1)} times its share`);

export function Spread({ run }) {
  const found = spread(run.nodes, run.created, run.finished ? new Date(run.finished).getTime() : Date.now());
  const [byNumber, byTime] = ["nodes", "ran"].map((name) => told(skew(found.map((one) => one[name]))));
  return html`${byNumber && html`<p class="bar-above faint">${`By number of nodes: ${byNumber}. By time: ${byTime || "not known yet"}.`}</p>`}
    <${Table} caption="Nodes by queue"
    columns=${[{ name: "Queue", grow: true }, { name: "Nodes", end: true }, { name: "Begun", end: true, wide: true }, { name: "Waited", end: true }, { name: "Ran", end: true }, { name: "Longest", wide: true }]}
    rows=${found.map((one) => ({
      key: one.queue,
      cells: [
        html`<a href=${link("queues", one.queue)}><${Text}>${one.queue}<//></a>`,
        number(one.nodes),
        number(one.begun),
        duration(one.wait / 1000),
        duration(one.ran / 1000),
        one.longest ? html`<a href=${link("tasks", one.longest.node.id)}><${Text}>${one.longest.node.name}<//></a> <span class="faint">${duration(one.longest.ran / 1000)}</span>` : html`<span class="faint">–</span>`,
      ],
    }))} />`;
}
