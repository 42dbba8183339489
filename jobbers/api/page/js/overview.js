// Throughput and outcomes of the last hour, and how queues and workers stand.

import { html, useRef, useState } from "../vendor/vendor.js";
import { get } from "./api.js";
import { link } from "./route.js";
import { clock, duration, many, number, shown } from "./text.js";
import { Card, Empty, Heading, Table, Text, Waiting } from "./ui.js";
import { QueueTable } from "./queues.js";
import { WorkerTable } from "./workers.js";
import { useWatch } from "./watch.js";

const MINUTES = 60;
// From the bottom of a bar up. Each has a fill of its own besides its colour; the rest of the outcomes is one band.
const BANDS = ["succeeded", "retried", "failed", "other"];

/** The hour: all of it once, and then the last two minutes of it with all news. */
function useHour() {
  const known = useRef(null);
  const [types, setTypes] = useState([]);
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
    if (whole) setTypes(stats.types);
    return put(stats, whole);
  };
  return { ...useWatch("hour", fetcher, { topic: "stats", merge: (before, news) => put(news, false) }), types };
}

function banded(outcomes) {
  const bands = { succeeded: 0, retried: 0, failed: 0, other: 0 };
  for (const [outcome, count] of Object.entries(outcomes)) {
    bands[outcome !== "other" && BANDS.includes(outcome) ? outcome : "other"] += count;
  }
  return bands;
}

const sum = (minutes, band) => minutes.reduce((total, one) => total + one.bands[band], 0);

function Chart({ minutes }) {
  const most = Math.max(1, ...minutes.map((one) => BANDS.reduce((total, band) => total + one.bands[band], 0)));
  const words = BANDS.map((band) => `${number(sum(minutes, band))} ${band}`).join(", ");
  return html`<figure class="chart">
    <div class="chart-top faint" aria-hidden="true">${`${number(most)} a minute`}</div>
    <svg viewBox="0 0 600 100" preserveAspectRatio="none" role="img" aria-label=${`Tasks of the last hour by minute: ${words}`}>
      <defs>
        <pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-back" width="4" height="4" /><rect class="hatch-line" width="1.500" height="4" /></pattern>
        <pattern id="dots" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="dots-back" width="4" height="4" /><rect class="dots-dot" x="1" y="1" width="2" height="2" /></pattern>
      </defs>
      <path class="grid" d="M0 .500H600M0 50H600M0 99.500H600" />
      ${minutes.map((one, index) => {
        let top = 100;
        const said = BANDS.filter((band) => one.bands[band]).map((band) => `${number(one.bands[band])} ${band}`);
        return html`<g key=${one.at} class="bar">
          <rect class="hit" x=${index * 10} y="0" width="10" height="100"><title>${`${clock(new Date(one.at))}: ${said.join(", ") || "nothing"}`}</title></rect>
          ${BANDS.map((band) => {
            const height = (one.bands[band] / most) * 98;
            top -= height;
            return height > 0 && html`<rect class=${`band ${band}`} x=${index * 10 + 1} y=${top} width="8" height=${height} />`;
          })}
        </g>`;
      })}
    </svg>
    <div class="chart-axis faint" aria-hidden="true">${minutes.length > 1 && html`<span>${clock(new Date(minutes[0].at))}</span><span>${clock(new Date(minutes[Math.floor(minutes.length / 2)].at))}</span><span>now</span>`}</div>
  </figure>`;
}

const Number = ({ name, value, note = null, to = null, bad = false }) => html`<div class=${bad ? "number bad" : "number"}>
  <span class="number-name">${to ? html`<a href=${to}>${name}</a>` : name}</span>
  <span class="number-value">${value}</span>
  <span class="number-note">${note}</span>
</div>`;

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
        html`<${Text}>${one.type}<//>`,
        html`<${Text}>${one.queue}<//>`,
        number(one.bands.succeeded),
        number(one.bands.retried),
        html`<a class=${one.bands.failed ? "is-failed" : "faint"} href=${link("dead", null, { type: one.type })} aria-label=${`${one.bands.failed} failed: dead letters of ${shown(one.type)}`}>${number(one.bands.failed)}</a>`,
      ],
    }))} />`;
}

export function Overview() {
  const { data, error, types } = useHour();
  const queues = useWatch("queues", (signal) => get("queues", {}, signal), { topic: "queues" });
  const workers = useWatch("workers", (signal) => get("workers", {}, signal), { topic: "workers" });
  if (!data) return html`<${Heading}>Overview<//><${Waiting} error=${error} />`;
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
      <${Number} name="Queued" value=${number(counts.queued)} note=${oldest ? `oldest ${duration(oldest)}` : "nothing waits"} to=${link("tasks", null, { status: "queued" })} />
      <${Number} name="Running" value=${number(counts.running)} note=${workers.data ? `on ${many(workers.data.workers.length, "worker")}` : ""} to=${link("tasks", null, { status: "running" })} />
      <${Number} name="Scheduled" value=${number(counts.scheduled)} note="for later, or to retry" to=${link("tasks", null, { status: "scheduled" })} />
      <${Number} name="Dead letters" value=${number(counts.dead)} note=${counts.dead ? "need a decision" : "none"} bad=${counts.dead > 0} to=${link("dead")} />
      <${Number} name="Succeeded, last hour" value=${number(done)} note=${`${pace.toFixed(pace < 10 ? 1 : 0)} a second lately`} />
      <${Number} name="Failed, last hour" value=${number(failed)} note=${done + failed ? `${((100 * failed) / (done + failed)).toFixed(1)} % of those that ended` : "nothing ended"} bad=${failed > 0} />
    </div>
    <${Card} title="Last hour" note="what became of executions, by minute" actions=${html`<ul class="legend">${BANDS.map((band) => html`<li key=${band}><svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true"><rect class=${`band ${band}`} width="10" height="10" /></svg>${band}</li>`)}</ul>`}>
      <${Chart} minutes=${minutes} />
    <//>
    <div class="columns">
      <${Card} title="Queues" flush>${queues.data ? html`<${QueueTable} queues=${queues.data.queues} refresh=${queues.refresh} brief />` : html`<${Waiting} error=${queues.error} />`}<//>
      <${Card} title="Workers" flush>${workers.data ? html`<${WorkerTable} workers=${workers.data.workers} brief />` : html`<${Waiting} error=${workers.error} />`}<//>
    </div>
    <${Card} title="Task types" note="last hour, as of when you opened this" flush><${Types} types=${types} /><//>
  `;
}
