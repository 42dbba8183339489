// Queues: how deep, how old, paused or not.

import { html } from "../vendor/vendor.js";
import { get, post } from "./api.js";
import { Busy, Outlook, pace, useAdvice } from "./advice.js";
import { link } from "./route.js";
import { duration, number, shown } from "./text.js";
import { Lazy } from "./lazy.js";
import { Button, Card, Empty, Heading, Table, Text, Waiting, attempt } from "./ui.js";
import { useWatch } from "./watch.js";

export function Pause({ queue, refresh }) {
  const verb = queue.paused ? "resume" : "pause";
  const press = async () => {
    const said = queue.paused ? `Queue ${queue.name} gives its tasks out again` : `Queue ${queue.name} is paused: what runs goes on`;
    await attempt(() => post(`queues/${encodeURIComponent(queue.name)}/${verb}`), said);
    await refresh();
  };
  return html`<${Button} onPress=${press} aria-label=${`${verb} queue ${shown(queue.name)}`}>${queue.paused ? "Resume" : "Pause"}<//>`;
}

/** Whether a queue gives out and takes. */
export const State = ({ queue }) => {
  if (!queue.paused && !queue.draining) return html`<span class="state"><span aria-hidden="true">▸</span> open</span>`;
  const said = [queue.paused && "paused", queue.draining && "drained"].filter(Boolean).join(", ");
  return html`<span class="state warn"><span aria-hidden="true">❚❚</span> ${said}</span>`;
};

const Priorities = ({ depths }) => {
  const used = Object.entries(depths);
  if (!used.length) return html`<span class="faint">–</span>`;
  return html`<ul class="chips">${used.reverse().map(([priority, depth]) => html`<li key=${priority} title=${`priority ${priority}`}><span class="faint">p${priority}</span> ${number(depth)}</li>`)}</ul>`;
};

export function QueueTable({ queues, refresh, advice, brief = false }) {
  if (!queues.length) return html`<${Empty} title="No queue has ever held a task.">Submit one under <a href="#/types">Task types</a>, or with <code>jobbers submit</code>.<//>`;
  const columns = [
    { name: "Queue", grow: true },
    { name: "State", phone: false },
    { name: "Ready", end: true },
    { name: "Oldest", end: true },
    { name: "Empty in", end: true, phone: false },
    { name: "Tasks come", end: true, wide: true },
    { name: "Slots kept busy", wide: true },
    { name: "Parked", end: true, wide: true },
    { name: "By priority", wide: true },
    { name: "Action", head: html`<span class="hidden">Action</span>`, end: true },
  ];
  const rows = queues.map((queue) => ({
    key: queue.name,
    cells: [
      html`<a href=${link("queues", queue.name)}><${Text}>${queue.name}<//></a>${(queue.paused || queue.draining) && html`<span class="narrow"><${State} queue=${queue} /></span>`}`,
      html`<${State} queue=${queue} />`,
      html`<a href=${link("tasks", null, { status: "queued", queue: queue.name })}>${number(queue.depth)}</a>${queue.max_length !== null && html` <span class="faint">of ${number(queue.max_length)}</span>`}`,
      queue.depth ? duration(queue.oldest_seconds) : html`<span class="faint">–</span>`,
      html`<${Outlook} one=${advice.get(queue.name)} paused=${queue.paused} />`,
      pace(advice.get(queue.name)?.arrival_rate ?? null),
      html`<${Busy} one=${advice.get(queue.name)} />`,
      queue.parked ? html`<a href=${link("tasks", null, { status: "blocked", queue: queue.name })} title="wait for a limit, a rate, a turn or a breaker">${number(queue.parked)}</a>` : html`<span class="faint">–</span>`,
      html`<${Priorities} depths=${queue.by_priority} />`,
      html`<${Pause} queue=${queue} refresh=${refresh} />`,
    ],
  }));
  const kept = columns.map((_, index) => index).filter((index) => !brief || !columns[index].wide);
  return html`<${Table} caption="Queues" columns=${kept.map((index) => columns[index])} rows=${rows.map((row) => ({ ...row, cells: kept.map((index) => row.cells[index]) }))} />`;
}

const load = () => import("./queue_pages.js");

export function Queues({ name }) {
  return name === null ? html`<${All} />` : html`<${Lazy} key=${name} title=${html`<${Text}>${name}<//>`} view="Queue" load=${load} name=${name} />`;
}

function All() {
  const { data, error, refresh } = useWatch("queues", (signal) => get("queues", {}, signal), { topic: "queues" });
  const advice = useAdvice();
  return html`<${Heading}>Queues<//>
    <p class="lead">A paused queue gives nothing out: what runs goes on, and what is submitted waits. Choose one to drain, purge or bound it.</p>
    <${Card} flush>${data ? html`<${QueueTable} queues=${data.queues} refresh=${refresh} advice=${advice} />` : html`<${Waiting} error=${error} />`}<//>
    <${Lazy} view="Routes" load=${load} queues=${data?.queues.map((queue) => queue.name) ?? []} />`;
}
