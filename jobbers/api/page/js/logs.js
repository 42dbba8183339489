// What a task has logged.

import { html } from "../vendor/vendor.js";
import { get } from "./api.js";
import { many, shown } from "./text.js";
import { Card, Text, Time, Waiting } from "./ui.js";
import { topicOf, useWatch } from "./watch.js";

const LOUD = { warning: "warn", error: "is-failed", critical: "is-failed" };

export function Logs({ id, type }) {
  const { data, error } = useWatch(`logs ${id}`, (signal) => get(`tasks/${encodeURIComponent(id)}/logs`, {}, signal), { topic: topicOf("logs", id) });
  if (!data) return html`<${Card} title="Log"><${Waiting} error=${error} /><//>`;
  if (!data.lines.length) {
    return html`<${Card} title="Log"><p class="faint">No line is kept. Set <code>keep_logs</code> (<code>JOBBERS_KEEP_LOGS</code>) to <code>all</code>, or to <code><${Text}>${type}<//></code>, where its workers run.</p><//>`;
  }
  return html`<${Card} title="Log" note=${data.lines.length > 1 ? `the last ${many(data.lines.length, "line")}` : "one line"}>
    <div class="scroll log" tabindex="0" role="region" aria-label="Log"><ol>${data.lines.map(
      (line, index) => html`<li key=${index}><${Time} at=${line.time} /> <span class=${LOUD[line.level] ?? "faint"}>${shown(line.level)}</span> <span class="faint" title=${`attempt ${line.attempt}`}><${Text}>${line.logger}<//></span> <span class="log-text"><${Text}>${line.message}<//></span></li>`,
    )}</ol></div><//>`;
}
