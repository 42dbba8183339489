// Outcomes by minute, as bars of bands.

import { html } from "../vendor/vendor.js";
import { clock, number } from "./text.js";

// From the bottom of a bar up. Each has a fill of its own besides its colour; the rest of the outcomes is one band.
const BANDS = ["succeeded", "retried", "failed", "other"];

/** The outcomes of a minute as bands. */
export function banded(outcomes) {
  const bands = { succeeded: 0, retried: 0, failed: 0, other: 0 };
  for (const [outcome, count] of Object.entries(outcomes)) {
    bands[outcome !== "other" && BANDS.includes(outcome) ? outcome : "other"] += count;
  }
  return bands;
}

/** How many of one band there are in all. */
export const sum = (minutes, band) => minutes.reduce((total, one) => total + one.bands[band], 0);

/** Minutes, each with its `bands`, as bars. */
export function Chart({ minutes }) {
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

/** How many tasks were ready when each minute began: `minutes` are {at, ready}, and `ready` is null where nobody looked. */
export function Backlog({ minutes }) {
  const known = minutes.filter((one) => one.ready !== null);
  const most = Math.max(1, ...known.map((one) => one.ready));
  const words = known.length ? `Ready tasks by minute: ${number(known[0].ready)} at first, ${number(known.at(-1).ready)} at last, ${number(most)} at most` : "Ready tasks by minute: nobody has looked yet";
  return html`<figure class="chart backlog">
    <div class="chart-top faint">${known.length ? `Ready when the minute began: ${number(most)} at most` : "How many tasks were ready, minute by minute, appears here when a worker has looked."}</div>
    <svg viewBox="0 0 600 100" preserveAspectRatio="none" role="img" aria-label=${words}>
      <path class="grid" d="M0 .500H600M0 99.500H600" />
      ${minutes.map((one, index) => html`<g key=${one.at} class="bar"><rect class="hit" x=${index * 10} y="0" width="10" height="100"><title>${`${clock(new Date(one.at))}: ${one.ready === null ? "nobody looked" : `${number(one.ready)} ready`}`}</title></rect>
        ${one.ready > 0 && html`<rect class="band ready" x=${index * 10 + 1} y=${100 - (one.ready / most) * 98} width="8" height=${(one.ready / most) * 98} />`}</g>`)}
    </svg></figure>`;
}

/** What was ready in some queues together, by minute, of what the statistics of queues say. */
export const readiness = (queues) =>
  (queues[0]?.history ?? []).map((step, index) => {
    const depths = queues.map((queue) => queue.history[index]?.ready ?? null);
    return { at: new Date(step.start).getTime(), ready: depths.includes(null) ? null : depths.reduce((total, depth) => total + depth, 0) };
  });

/** What the fills of the chart mean. */
export const Legend = () => html`<ul class="legend">${BANDS.map((band) => html`<li key=${band}><svg viewBox="0 0 14 10" width="14" height="10" aria-hidden="true"><rect class=${`band ${band}`} width="14" height="10" /></svg>${band}</li>`)}</ul>`;
