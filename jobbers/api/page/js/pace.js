// Waiting against running, of the tasks that succeeded last.

import { html } from "../vendor/vendor.js";
import { get } from "./api.js";
import { link } from "./route.js";
import { between, duration, isOurs, many, shown } from "./text.js";
import { Card, Empty, Text, Waiting } from "./ui.js";
import { useWatch } from "./watch.js";

const MOST = 8;
const LIMIT = 50; // the first page of the list of tasks: those who look at it and this share a topic

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** By type, those with most tasks first: {type, count, wait, ran} in seconds, medians. A wait begins when a task is due. */
export function paces(tasks) {
  const types = new Map();
  for (const task of tasks) {
    if (!task.started || !task.finished || isOurs(task.type)) continue;
    const found = types.get(task.type) ?? types.set(task.type, { waits: [], runs: [] }).get(task.type);
    const ready = task.due && task.due > task.created ? task.due : task.created;
    found.waits.push(Math.max(0, between(ready, task.started)));
    found.runs.push(Math.max(0, between(task.started, task.finished)));
  }
  return [...types]
    .map(([type, { waits, runs }]) => ({ type, count: waits.length, wait: median(waits), ran: median(runs) }))
    .sort((a, b) => b.count - a.count || (a.type < b.type ? -1 : 1))
    .slice(0, MOST);
}

function Row({ one, most }) {
  const share = (seconds) => (100 * seconds) / most;
  const words = `${shown(one.type)}: waited ${duration(one.wait)}, ran ${duration(one.ran)}`;
  return html`<li class="pace"><a class="pace-name" href=${link("types", one.type)}><${Text}>${one.type}<//></a>
    <svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=${words}><title>${words}</title>
      <rect class="wait" y="2" width=${share(one.wait)} height="6" /><rect class="ran" x=${share(one.wait)} width=${Math.max(0.4, share(one.ran))} height="10" /></svg>
    <span class="pace-note tabular">${duration(one.wait)} + ${duration(one.ran)}</span></li>`;
}

/** The tasks that succeeded last. */
export const usePace = () => useWatch("pace", (signal) => get("tasks", { status: "succeeded", limit: LIMIT }, signal), { topic: "tasks:succeeded" });

export function Pace({ data, error }) {
  const found = paces(data?.tasks ?? []);
  const most = Math.max(0.001, ...found.map((one) => one.wait + one.ran));
  const legend = html`<ul class="legend"><li><svg viewBox="0 0 16 10" width="16" height="10" aria-hidden="true"><rect class="wait" y="2" width="16" height="6" /></svg>ready, waits</li><li><svg viewBox="0 0 16 10" width="16" height="10" aria-hidden="true"><rect class="ran" width="16" height="10" rx="2" /></svg>runs</li></ul>`;
  return html`<${Card} title="Wait against run" note=${found.length ? `medians of the ${many(found.reduce((sum, one) => sum + one.count, 0), "task")} that succeeded last` : ""} actions=${legend}>
    ${!data
      ? html`<${Waiting} error=${error} />`
      : found.length
        ? html`<ul class="paces">${found.map((one) => html`<${Row} key=${one.type} one=${one} most=${most} />`)}</ul>`
        : html`<${Empty} title="Nothing has succeeded lately.">When tasks have, this shows what takes their time: waiting for a worker, or running.<//>`}<//>`;
}
