// Workers, as far as the overview shows them.

import { html } from "../vendor/vendor.js";
import { link } from "./route.js";
import { duration, number } from "./text.js";
import { Empty, Table, Text } from "./ui.js";

/** Seconds of silence after which a worker is taken for gone. */
export const SILENT = 10;

/** Whether a worker lives, in a word. */
export function state(worker) {
  if (worker.silent_seconds > SILENT) return html`<span class="state bad"><span aria-hidden="true">✕</span> silent for ${duration(worker.silent_seconds)}</span>`;
  if (worker.facts.stopping === "1") return html`<span class="state warn"><span aria-hidden="true">❚❚</span> stopping</span>`;
  if (worker.facts.paused === "1") return html`<span class="state warn"><span aria-hidden="true">❚❚</span> paused</span>`;
  return html`<span class="state good"><span aria-hidden="true">●</span> alive</span>`;
}

/** A number of those that a worker tells as text. */
export function count(text) {
  const value = Number(text);
  return Number.isFinite(value) ? value : 0;
}

export function Slots({ worker }) {
  const all = count(worker.facts.concurrency);
  const busy = Math.min(count(worker.facts.running), all || Infinity);
  return html`<span class="slots"><span class="tabular">${number(busy)} / ${number(all)}</span><meter min="0" max=${all || 1} value=${busy} aria-label=${`${busy} of ${all} slots busy`}></meter></span>`;
}

export const named = (worker) => worker.facts.name || worker.id;

/** A link to the page of one worker. */
export const home = (worker) => html`<a href=${link("workers", worker.id)}><${Text}>${named(worker)}<//></a>`;

export function WorkerTable({ workers }) {
  if (!workers.length) return html`<${Empty} title="No worker is there.">Start one with <code>jobbers worker your_module</code>; until then tasks wait in their queues.<//>`;
  const columns = [{ name: "Worker", grow: true }, { name: "State" }, { name: "Slots busy" }];
  return html`<${Table} caption="Workers" columns=${columns} rows=${workers.map((worker) => ({
    key: worker.id,
    cells: [
      home(worker),
      state(worker),
      html`<${Slots} worker=${worker} />`,
    ],
  }))} />`;
}
