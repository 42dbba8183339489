// Workers: their slots, what they run, and what they can be told.

import { html } from "../vendor/vendor.js";
import { get, post } from "./api.js";
import { between, duration, many, number, shown } from "./text.js";
import { Button, Card, Empty, Facts, Heading, Status, Table, TaskLink, Text, Time, TypeLink, Waiting, ask, attempt } from "./ui.js";
import { topicNamed, useWatch } from "./watch.js";
import { SILENT, Slots, WorkerTable, count, home, named, state } from "./workers.js";

const LATE_MS = 100;

/** What a worker can be told. It hears of it within two seconds. */
function Orders({ worker, refresh }) {
  if (worker.facts.stopping === "1" || worker.silent_seconds > SILENT) return null;
  const paused = worker.facts.paused === "1";
  const name = shown(named(worker));
  const tell = async (verb, said) => {
    await attempt(() => post(`workers/${encodeURIComponent(worker.id)}/${verb}`), said);
    await refresh();
  };
  const pause = () => tell(paused ? "resume" : "pause", paused ? `Worker ${name} is told to claim again` : `Worker ${name} is told to claim nothing more: what it runs goes on`);
  const drain = async () => {
    if (await ask(`Drain ${name}?`, "It claims nothing more and ends, as at SIGTERM: what it runs has its grace time. Whatever has started it may start another.", "Let it end")) {
      await tell("drain", `Worker ${name} is told to end`);
    }
  };
  return html`<${Button} onPress=${pause} aria-label=${`${paused ? "Resume" : "Pause"} worker ${name}`}>${paused ? "Resume" : "Pause"}<//>
    <${Button} onPress=${drain} aria-label=${`Drain worker ${name}`}>Drain…<//>`;
}

/** What a worker runs, the longest first. That goes on while the worker is silent, so it is told by the clock here. */
function Running({ tasks, silent }) {
  const now = new Date().toISOString();
  const lost = silent && html`<p class="notice">It hangs, is cut off or has ended: what it ran is given to other workers when its leases run out. Look at its process and its log.</p>`;
  if (!tasks.length) return lost || html`<p class="faint">It runs nothing at the moment.</p>`;
  return html`${lost}<${Table} caption="What it runs"
    columns=${[{ name: "Task" }, { name: "Type", grow: true }, { name: "Arguments", wide: true, grow: true }, { name: "Status", wide: true }, { name: "Step", wide: true }, { name: "For", end: true }]}
    rows=${[...tasks].sort((a, b) => (a.started < b.started ? -1 : 1)).slice(0, 50).map((task) => ({
      key: task.id,
      cells: [
        html`<${TaskLink} id=${task.id} />`,
        html`<${TypeLink} type=${task.type} />`,
        html`<span class="clip short mono" title=${shown(task.glimpse)}><${Text}>${task.glimpse}<//></span>`,
        html`<${Status} status=${task.status} liveness=${task.liveness} />`,
        html`<${Text}>${task.step}<//>${task.progress !== null ? ` ${Math.round(task.progress * 100)} %` : ""}`,
        duration(Math.max(0, between(task.started, now) ?? 0)),
      ],
    }))} />${tasks.length > 50 && html`<p class="faint">and ${tasks.length - 50} more</p>`}`;
}

function since(worker) {
  const seconds = count(worker.facts.started);
  return seconds ? html`<${Time} at=${new Date(seconds * 1000).toISOString()} />` : null;
}

function Worker({ worker, tasks, refresh, alone = false }) {
  const { facts } = worker;
  return html`<${Card} title=${alone ? "What it says" : home(worker)} actions=${html`${state(worker)}<${Orders} worker=${worker} refresh=${refresh} />`}>
    <${Facts} facts=${[
      ["Slots busy", html`<${Slots} worker=${worker} />`],
      ["Finished", number(count(facts.finished))],
      ["Loop late by", facts.lag_ms === undefined ? null : html`<span class=${count(facts.lag_ms) >= LATE_MS ? "warn" : null} title="By how much its event loop woke too late the last time: something blocks it when that is much">${duration(count(facts.lag_ms) / 1000)}</span>`],
      ["Memory", count(facts.memory_bytes) ? `${number(Math.round(count(facts.memory_bytes) / 2 ** 20))} MiB` : null],
      ["Refused", count(facts.refused) ? html`<span title="Completions that came too late: another worker had taken over">${number(count(facts.refused))}</span>` : null],
      ["Queues", facts.queues && html`<${Text}>${facts.queues.split(",").join(", ")}<//>`],
      ["Role", facts.role && html`<${Text}>${facts.role}<//>`],
      ["Host", facts.host && html`<${Text}>${facts.host}<//>`],
      ["Process", facts.pid && shown(facts.pid)],
      ["Since", since(worker)],
      ["Last seen", html`<${Time} at=${worker.seen} />`],
      ["Id", html`<span class="id">${shown(worker.id)}</span>`],
    ]} />
    <${Running} tasks=${tasks} silent=${worker.silent_seconds > SILENT} />
  <//>`;
}

function One({ id }) {
  const path = `workers/${encodeURIComponent(id)}`;
  const { data, error, refresh } = useWatch(path, (signal) => get(path, {}, signal), { topic: topicNamed("worker", id) });
  const crumbs = html`<p class="crumbs"><a href="#/workers">Workers</a></p>`;
  if (error?.status === 404 || error?.status === 422) return html`${crumbs}<${Heading}>Worker<//><${Empty} title="There is no such worker."><bdi>${shown(id)}</bdi> has ended, or has been silent for long: see <a href="#/workers">those that are there</a>.<//>`;
  if (!data) return html`${crumbs}<${Heading}>Worker<//><${Waiting} error=${error} />`;
  return html`${crumbs}<${Heading}><${Text}>${named(data.worker)}<//><//>
    <p class="lead">${`${many(data.running.length, "task")} under way${data.complete ? "" : ", and perhaps more: not all that run were looked at"}.`}</p>
    <${Worker} worker=${data.worker} tasks=${data.running} refresh=${refresh} alone />`;
}

export const Workers = ({ name }) => (name === null ? html`<${All} />` : html`<${One} key=${name} id=${name} />`);

function All() {
  const there = useWatch("workers", (signal) => get("workers", {}, signal), { topic: "workers" });
  const running = useWatch("running", (signal) => get("tasks", { status: "running", limit: 500 }, signal), { topic: "tasks:running?limit=500" });
  if (!there.data || !running.data) return html`<${Heading}>Workers<//><${Waiting} error=${there.error ?? running.error} />`;
  const { workers } = there.data;
  const { tasks } = running.data;
  return html`<${Heading}>Workers<//>
    <p class="lead">${workers.length ? `${many(workers.length, "worker")}, ${many(tasks.length, "task")} under way.` : ""}</p>
    ${workers.length
      ? workers.map((worker) => html`<${Worker} key=${worker.id} worker=${worker} tasks=${tasks.filter((task) => task.worker === worker.id)} refresh=${there.refresh} />`)
      : html`<${Card} flush><${WorkerTable} workers=${workers} /><//>`}`;
}
