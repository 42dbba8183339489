// What of a run one looks for first: what went wrong in it, and what holds it up now.

import { html } from "../vendor/vendor.js";
import { get } from "./api.js";
import { link } from "./route.js";
import { between, duration, many, shown } from "./text.js";
import { Card, Status, Table, Text } from "./ui.js";
import { useWatch } from "./watch.js";

const MOST = 10;
const FEW = 5; // of those that run: what is below moves as they come and go
const LONGEST = 200;
const RARELY = 60_000;

/** For how long nodes of each type that succeeded ran: the median in seconds, by type. */
export function usual(nodes) {
  const ran = new Map();
  for (const node of nodes) {
    if (node.status !== "succeeded" || !node.started || !node.finished) continue;
    if (!ran.has(node.type)) ran.set(node.type, []);
    ran.get(node.type).push(between(node.started, node.finished));
  }
  return new Map([...ran].map(([type, values]) => [type, values.sort((a, b) => a - b)[Math.floor(values.length / 2)]]));
}

const earlier = (name) => (a, b) => (a[name] < b[name] ? -1 : a[name] > b[name] ? 1 : 0);

const LinkTo = ({ node }) => html`<a href=${link("tasks", node.id)}><${Text}>${node.name}<//></a>`;

const cut = (count, most) => (count > most ? `, ${most} of them here` : "");

/** What a node failed with: its error, where that is among the dead letters, or the reason. */
function Cause({ node, task }) {
  if (!task?.error) return html`<${Text}>${node.reason}<//>`;
  return html`<span title=${shown(task.error.message)}><b><${Text}>${task.error.type}<//></b> <${Text}>${task.error.message.slice(0, LONGEST)}<//></span>`;
}

function Failed({ failed, run }) {
  const { data } = useWatch(`failed ${run} ${failed.length}`, (signal) => get("tasks", { status: "failed", run, limit: 50 }, signal), { every: RARELY });
  const tasks = new Map((data?.tasks ?? []).map((task) => [task.id, task]));
  return html`<${Card} title="What went wrong" note=${`${many(failed.length, "node")} failed${failed.length > 1 ? `, the first one first${cut(failed.length, MOST)}` : ""}`} flush>
    <${Table} caption="Nodes that failed" columns=${[{ name: "Node", grow: true }, { name: "Type", wide: true }, { name: "Error", grow: true }]}
      rows=${failed.slice(0, MOST).map((node) => ({
        key: node.id,
        cells: [html`<span class="row"><${Status} status="failed" /><${LinkTo} node=${node} /></span>`, html`<${Text}>${node.type}<//>`, html`<${Cause} node=${node} task=${tasks.get(node.id)} />`],
      }))} /><//>`;
}

function Running({ running, nodes }) {
  const known = usual(nodes);
  const now = new Date().toISOString();
  return html`<${Card} title="What runs now" note=${`${many(running.length, "node")}${running.length > 1 ? `, the longest first${cut(running.length, FEW)}` : ""}`} flush>
    <${Table} caption="Nodes that run" columns=${[{ name: "Node", grow: true }, { name: "Type", wide: true }, { name: "For", end: true }, { name: "Others of its type", end: true }]}
      rows=${running.slice(0, FEW).map((node) => ({
        key: node.id,
        cells: [html`<${LinkTo} node=${node} />`, html`<${Text}>${node.type}<//>`, node.started ? duration(Math.max(0, between(node.started, now))) : "–", known.has(node.type) ? duration(known.get(node.type)) : html`<span class="faint">none yet</span>`],
      }))} /><//>`;
}

/** The nodes that failed, and those that run: what makes it late is among them. */
export function Happening({ run, over }) {
  const of = (status, by) => run.nodes.filter((node) => node.status === status).sort(earlier(by));
  const [failed, running] = [of("failed", "finished"), over ? [] : of("running", "started")];
  return html`${failed.length > 0 && html`<${Failed} failed=${failed} run=${run.id} />`}${running.length > 0 && html`<${Running} running=${running} nodes=${run.nodes} />`}`;
}
