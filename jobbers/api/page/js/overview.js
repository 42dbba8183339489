// Throughput and outcomes of the last hour, and how queues and workers stand.

import { html, useRef } from "../vendor/vendor.js";
import { forecast, useAdvice, utilisation } from "./advice.js";
import { get } from "./api.js";
import { Backlog, Chart, Legend, banded, readiness, sum } from "./chart.js";
import { Pace, usePace } from "./pace.js";
import { link } from "./route.js";
import { duration, many, number, shown } from "./text.js";
import { Card, Empty, Heading, Table, Text, TypeLink, Waiting } from "./ui.js";
import { QueueTable } from "./queues.js";
import { useStatistics } from "./statistics.js";
import { WorkerTable } from "./workers.js";
import { useWatch } from "./watch.js";

const MINUTES = 60;
/** The hour: all of it once, and then the last two minutes of it with all news. */
function useHour() {
  const known = useRef(null);
  const put = (stats, whole) => {
    const minutes = stats.minutes.map((one) => ({ at: new Date(one.start).getTime(), outcomes: one.outcomes }));
    const before = whole ? [] : known.current.filter((one) => one.at < minutes[0].at);
    known.current = [...before, ...minutes].slice(-MINUTES);
    return { counts: stats.counts, minutes: known.current };
  };
  const stale = () => !known.current || Date.now() - known.current.at(-1).at > 90_000;
  const fetcher = async (signal) => {
    const whole = stale();
    const stats = await get("stats", { minutes: whole ? MINUTES : 2 }, signal);
    return put(stats, whole);
  };
  return useWatch("hour", fetcher, { topic: "stats", merge: (before, news) => put(news, false) });
}

const Number = ({ name, value, note = null, to = null, bad = false }) => html`<div class=${bad ? "number bad" : "number"}>
  <span class="number-name">${to ? html`<a href=${to}>${name}</a>` : name}</span>
  <span class="number-value">${value}</span>
  <span class="number-note">${note}</span>
</div>`;

/** Phrases between which a line may end, and not within them. */
const whole = (phrases, between = ", ") =>
  phrases.filter(Boolean).map((phrase, index) => html`${index > 0 && between}<span class="whole">${phrase}</span>`);

function Types({ types }) {
  const rows = types
    .map((one) => ({ ...one, bands: banded(one.outcomes) }))
    .sort((a, b) => b.bands.succeeded + b.bands.failed - a.bands.succeeded - a.bands.failed)
    .slice(0, 15);
  if (!rows.length) return html`<${Empty} title="Nothing ended within the last hour.">Submit a task under <a href="#/types">Task types</a>.<//>`;
  return html`<${Table} caption="Task types of the last hour"
    columns=${[{ name: "Type", grow: true }, { name: "Queue", wide: true }, { name: "Succeeded", end: true }, { name: "Retried", end: true, wide: true }, { name: "Failed", end: true }]}
    rows=${rows.map((one) => ({
      key: `${one.type} ${one.queue}`,
      cells: [
        html`<${TypeLink} type=${one.type} />`,
        html`<a href=${link("queues", one.queue)}><${Text}>${one.queue}<//></a>`,
        number(one.bands.succeeded),
        number(one.bands.retried),
        html`<a class=${one.bands.failed ? "is-failed" : "faint"} href=${link("dead", null, { type: one.type })} aria-label=${`${one.bands.failed} failed: dead letters of ${shown(one.type)}`}>${number(one.bands.failed)}</a>`,
      ],
    }))} />`;
}

export function Overview() {
  const { data, error } = useHour();
  const counted = useStatistics();
  const queues = useWatch("queues", (signal) => get("queues", {}, signal), { topic: "queues" });
  const workers = useWatch("workers", (signal) => get("workers", {}, signal), { topic: "workers" });
  const advice = useAdvice();
  const last = usePace();
  const own = html`<${Card} title="Queues" flush>${queues.data ? html`<${QueueTable} queues=${queues.data.queues} refresh=${queues.refresh} advice=${advice} brief />` : html`<${Waiting} error=${queues.error} />`}<//>`;
  if (!data) return html`<${Heading}>Overview<//><${Waiting} error=${error} />${error?.code === "queue_forbidden" && own}`;
  const minutes = data.minutes.map((one) => ({ ...one, bands: banded(one.outcomes) }));
  const done = sum(minutes, "succeeded");
  const failed = sum(minutes, "failed");
  const recent = minutes.slice(-6, -1);
  const pace = recent.length ? sum(recent, "succeeded") / (recent.length * 60) : 0;
  const oldest = Math.max(0, ...(queues.data?.queues ?? []).map((queue) => queue.oldest_seconds));
  const { counts } = data;
  return html`
    <${Heading}>Overview<//>
    <div class="numbers">
      <${Number} name="Queued" value=${number(counts.queued)} note=${oldest ? whole([`oldest ${duration(oldest)}`, forecast(advice, queues.data?.queues ?? [])]) : "nothing waits"} to=${link("tasks", null, { status: "queued" })} />
      <${Number} name="Running" value=${number(counts.running)} note=${workers.data ? whole([utilisation(workers.data.workers), `on ${many(workers.data.workers.length, "worker")}`], " ") : ""} to=${link("tasks", null, { status: "running" })} />
      <${Number} name="Scheduled" value=${number(counts.scheduled)} note="for later, or to retry" to=${link("tasks", null, { status: "scheduled" })} />
      <${Number} name="Dead letters" value=${number(counts.dead)} note=${counts.dead ? "need a decision" : "none"} bad=${counts.dead > 0} to=${link("dead")} />
      <${Number} name="Succeeded, last hour" value=${number(done)} note=${`${pace.toFixed(pace < 10 ? 1 : 0)} a second lately`} />
      <${Number} name="Failed, last hour" value=${number(failed)} note=${done + failed ? `${((100 * failed) / (done + failed)).toFixed(1)} % of those that ended` : "nothing ended"} bad=${failed > 0} />
    </div>
    <${Card} title="Last hour" note="what became of executions, by minute" actions=${html`<${Legend} />`}>
      <${Chart} minutes=${minutes} />
      ${counted.data?.queues.length > 0 && html`<${Backlog} minutes=${readiness(counted.data.queues)} />`}
    <//>
    <div class="columns lead-on">
      ${own}
      <${Card} title="Workers" flush>${workers.data ? html`<${WorkerTable} workers=${workers.data.workers} />` : html`<${Waiting} error=${workers.error} />`}<//>
    </div>
    <${Pace} data=${last.data} error=${last.error} />
    <${Card} title="Task types" note="last hour" flush>${counted.data ? html`<${Types} types=${counted.data.types} />` : html`<${Waiting} error=${counted.error} />`}<//>
  `;
}
