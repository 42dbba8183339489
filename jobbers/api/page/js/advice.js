// How fast tasks come and can be run, when a queue will be empty, and how many workers it needs.

import { html } from "../vendor/vendor.js";
import { get } from "./api.js";
import { link } from "./route.js";
import { duration, many, number } from "./text.js";
import { Facts, Text } from "./ui.js";
import { useWatch } from "./watch.js";

/** The advice for all queues by name; empty until it is there. */
export function useAdvice() {
  const { data } = useWatch("advice", (signal) => get("advice", {}, signal), { every: 5000, topic: "advice" });
  return new Map((data?.advice ?? []).map((one) => [one.queue, one]));
}

/** Tasks a second, as people say them. */
export const pace = (rate) => (rate === null ? "–" : rate === 0 ? "0" : rate < 0.1 ? `${number(Math.round(rate * 600) / 10)} / min` : `${number(Math.round(rate * 10) / 10)} / s`);

const percent = (share) => `${number(Math.round(share * 100))} %`;

/** When the last queue will be empty, at the pace of the last minutes, and where that has no end; paused ones apart. */
export function forecast(advice, queues) {
  const paused = new Set(queues.filter((queue) => queue.paused).map((queue) => queue.name));
  const waiting = [...advice.values()].filter((one) => one.ready > 0 && !paused.has(one.queue));
  if (!waiting.length) return "";
  const endless = waiting.filter((one) => one.drain_seconds === null);
  if (endless.length === 1) return html`no end in <a href=${link("queues", endless[0].queue)}><${Text}>${endless[0].queue}<//></a>`;
  if (endless.length) return html`no end in <a href="#/queues">${many(endless.length, "queue")}</a>`;
  return `done in ${duration(Math.max(...waiting.map((one) => one.drain_seconds)))}`;
}

/** How many slots of all workers are taken. */
export function utilisation(workers) {
  const total = (name) => workers.reduce((sum, worker) => sum + (Number(worker.facts[name]) || 0), 0);
  return total("concurrency") ? `${percent(total("running") / total("concurrency"))} of slots` : "";
}

/** When one queue will be empty. */
export function Outlook({ one, paused = false }) {
  if (!one) return html`<span class="faint">–</span>`;
  if (!one.ready) return html`<span class="faint">is empty</span>`;
  if (paused) return html`<span class="warn" title="It gives nothing out until it is resumed">paused</span>`;
  if (one.drain_seconds !== null) return duration(one.drain_seconds);
  return html`<span class="warn" title=${one.workers ? "As many tasks come as are run, or more, or how long they run is not known" : "No worker serves it"}>${one.workers ? "never" : "no worker"}</span>`;
}

/** The share of slots that arrivals keep busy. */
export function Busy({ one }) {
  if (!one || one.utilisation === null) return html`<span class="faint">–</span>`;
  const share = one.utilisation;
  return html`<span class="slots"><span class=${share > 1 ? "tabular warn" : "tabular"}>${percent(share)}</span><meter min="0" max="1" high="0.9" value=${Math.min(1, share)} aria-label=${`Arrivals keep ${percent(share)} of the slots busy`}></meter></span>`;
}

/** What one queue needs. */
export function Needs({ one, paused = false }) {
  if (!one) return html`<p class="faint">Nothing is known of it yet: when tasks have come and gone, this says how many workers it needs.</p>`;
  return html`<${Facts} facts=${[
      ["Tasks come", pace(one.arrival_rate)],
      ["Can be run", pace(one.service_rate)],
      ["One runs for", one.run_seconds === null ? "–" : duration(one.run_seconds)],
      ["Slots kept busy", html`<${Busy} one=${one} />`],
      ["Empty in", html`<${Outlook} one=${one} paused=${paused} />`],
      ["Served by", `${many(one.workers, "worker")}, ${many(one.slots, "slot")}`],
      ["Needs", html`<b>${many(one.wanted_workers, "worker")}</b>, ${many(one.wanted_slots, "slot")}`],
    ]} /><p class="faint"><${Text}>${one.why}<//></p>`;
}
