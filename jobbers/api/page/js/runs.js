// Runs of graphs: the latest ones, and one of them live.

import { html, useState } from "../vendor/vendor.js";
import { get, post } from "./api.js";
import { Gantt } from "./gantt.js";
import { Graph } from "./graph.js";
import { Happening } from "./happening.js";
import { Spread } from "./spread.js";
import { link, route } from "./route.js";
import { between, duration, many, number, shown } from "./text.js";
import { Button, Card, Empty, Facts, Heading, Shape, Status, Table, TaskLink, Text, Time, Tree, Waiting, ask, attempt } from "./ui.js";
import { ASK, topicOf, useWatch } from "./watch.js";

const FINAL = ["succeeded", "failed", "cancelled", "skipped"];
const ROWS = 200;

/** How a run stands: as it only waits for its own tasks, it is under way, not blocked. */
const Standing = ({ status }) => (status === "blocked" ? html`<span class="status is-running"><${Shape} status="running" />under way</span>` : html`<${Status} status=${status} />`);

export function Runs() {
  const { dag = "" } = route.value.query;
  const [trail, setTrail] = useState([]);
  const cursor = trail.at(-1) ?? null;
  const { data, error } = useWatch(`runs ${dag} ${cursor}`, (signal) => get("runs", { dag, cursor, limit: 50 }, signal), { topic: cursor === null ? `runs${dag ? `?${new URLSearchParams({ dag })}` : ""}` : null });
  const columns = [{ name: "Run" }, { name: "Graph", grow: true }, { name: "Status" }, { name: "Started", wide: true }, { name: "Took", end: true, wide: true }, { name: "Reason", grow: true, wide: true }];
  const rows = (data?.runs ?? []).map((run) => ({
    key: run.id,
    cells: [
      html`<a class="id" href=${link("runs", run.id)}>${shown(run.id)}</a>`,
      html`<${Text}>${run.dag}<//>`,
      html`<${Standing} status=${run.status} />`,
      html`<${Time} at=${run.created} />`,
      duration(between(run.created, run.finished)),
      html`<span class="clip"><${Text}>${run.reason}<//></span>`,
    ],
  }));
  return html`<${Heading}>Runs<//>
    <p class="lead">${dag ? html`The latest runs of <b><${Text}>${dag}<//></b>. <a href="#/runs">All graphs</a>` : "The latest runs of graphs, chains and groups."}</p>
    <${Card} flush>${!data
      ? html`<${Waiting} error=${error} />`
      : rows.length
        ? html`<${Table} caption="Runs" columns=${columns} rows=${rows} />`
        : html`<${Empty} title="No run is kept.">Start one under <a href="#/dags">DAGs</a>. A run is listed as long as its record is kept.<//>`}
      ${(data?.cursor || trail.length > 0) && html`<nav class="pager" aria-label="Pages of the list"><button disabled=${!trail.length} onClick=${() => setTrail(trail.slice(0, -1))}>Previous</button><span>Page ${trail.length + 1}</span><button disabled=${!data?.cursor} onClick=${() => setTrail([...trail, data.cursor])}>Next</button></nav>`}
    <//>`;
}

async function fetched(id, signal) {
  const path = encodeURIComponent(id);
  const run = await get(`runs/${path}`, {}, signal);
  if (run.status !== "succeeded") return { run, result: null };
  try {
    return { run, result: { value: (await get(`tasks/${path}/result`, {}, signal)).result } };
  } catch (error) {
    if (error.status === 0 || signal.aborted) throw error;
    return { run, result: { gone: error.message } };
  }
}

/** News of a run: the nodes that have moved. What it returned is asked for. */
function merged({ run, result }, news) {
  if (news.status === "succeeded" && run.status !== "succeeded") return ASK;
  const { whole, nodes, ...rest } = news;
  const moved = new Map(nodes.map((node) => [node.name, node]));
  return { run: { ...run, ...rest, nodes: whole ? nodes : run.nodes.map((node) => moved.get(node.name) ?? node) }, result: rest.status === "succeeded" ? result : null };
}

function Actions({ run, refresh }) {
  const path = encodeURIComponent(run.id);
  const cancel = async () => {
    if (!(await ask("Cancel this run?", "All its tasks that have not ended are cancelled.", "Cancel it"))) return;
    await attempt(async () => ((await post(`tasks/${path}/cancel`)).cancelled ? "Cancelled" : "It had ended before"));
    await refresh();
  };
  const hold = async () => {
    await attempt(() => post(`runs/${path}/${run.paused ? "resume" : "pause"}`), run.paused ? "The run goes on" : "Nothing more of the run starts; what runs goes on");
    await refresh();
  };
  const again = async () => {
    await attempt(async () => `${many((await post(`runs/${path}/retry`)).again.length, "node")} run again; what succeeded is kept`);
    await refresh();
  };
  return html`<div class="row">${!FINAL.includes(run.status) && html`<${Button} onPress=${hold}>${run.paused ? "Resume" : "Pause"}<//><${Button} onPress=${cancel}>Cancel…<//>`}
    ${["failed", "cancelled"].includes(run.status) && html`<${Button} class="primary" onPress=${again}>Run what failed again<//>`}</div>`;
}

function Items({ items }) {
  if (!items) return html`<span class="faint">–</span>`;
  if (items.total === null) return html`<span class="faint">not known yet</span>`;
  return html`<span class="slots"><span class="tabular">${number(items.done)} / ${number(items.total)}</span><meter min="0" max=${items.total || 1} value=${items.done} aria-label="Items done"></meter>${items.open > 0 && html`<span class="faint">${items.open} under way</span>`}</span>`;
}

/** Repeat an ended run from a node on. */
function From({ run, node, refresh }) {
  const press = async () => {
    if (!(await ask(`Run ${shown(node.name)} again?`, "It and all behind it run again; what the others returned is kept.", "Run them again"))) return;
    await attempt(async () => `${many((await post(`runs/${encodeURIComponent(run.id)}/retry`, { from_node: node.name })).again.length, "node")} run again`);
    await refresh();
  };
  return html`<${Button} onPress=${press} aria-label=${`From here… ${shown(node.name)}`}>From here…<//>`;
}

function Nodes({ run, refresh }) {
  const { nodes } = run;
  const over = FINAL.includes(run.status);
  const [status, setStatus] = useState("");
  const [rows, setRows] = useState(ROWS);
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const fits = (node) => !wanted || node.id.toLowerCase() === wanted || [node.name, node.type, node.queue].some((one) => one?.toLowerCase().includes(wanted));
  const found = nodes.filter((node) => (!status || (node.status ?? "expired") === status) && fits(node));
  const visible = found.slice(0, rows);
  const statuses = [...new Set(nodes.map((node) => node.status ?? "expired"))];
  const columns = [{ name: "Node", grow: true }, { name: "Status" }, { name: "Task", wide: true }, { name: "Type", wide: true }, { name: "Waits for", wide: true }, { name: "Items", wide: true }, { name: "Ran", end: true, wide: true }, { name: "Reason", wide: true, grow: true }, ...(over ? [{ name: "Action", end: true, head: html`<span class="hidden">Action</span>` }] : [])];
  return html`<div class="bar-above filters"><label class="filter"><span>Find</span><input value=${text} placeholder="name, type or queue" autocomplete="off" spellcheck="false" onInput=${(event) => setText(event.target.value)} /></label>
    <label class="filter"><span>Status</span><select value=${status} onChange=${(event) => setStatus(event.target.value)}><option value="">any</option>${statuses.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>${found.length < nodes.length && html`<span class="faint" role="status">${number(found.length)} of ${many(nodes.length, "node")}</span>`}</div>
    ${found.length === 0 ? html`<${Empty} title="No node matches.">Clear what you look for, or choose another status.<//>` : html`<${Table} caption="Nodes of the run" columns=${columns} rows=${visible.map((node) => ({
      key: node.id,
      cells: [
        html`<a href=${link("tasks", node.id)}><${Text}>${node.name}<//></a>`,
        html`<${Status} status=${node.status} />`,
        html`<${TaskLink} id=${node.id} />`,
        html`<${Text}>${node.type}<//>`,
        html`<span class="clip"><${Text}>${node.after.join(", ") || "–"}<//></span>`,
        html`<${Items} items=${node.items} />`,
        duration(between(node.started, node.finished)),
        html`<span class="clip"><${Text}>${node.reason}<//></span>`,
        ...(over ? [html`<${From} run=${run} node=${node} refresh=${refresh} />`] : []),
      ],
    }))} />`}
    ${visible.length < found.length && html`<button class="link" onClick=${() => setRows(rows + ROWS)}>${`${number(Math.min(ROWS, found.length - visible.length))} more`}</button>`}`;
}

export function Run({ id }) {
  const { data, error, refresh } = useWatch(id, (signal) => fetched(id, signal), { topic: topicOf("run", id), merge: merged });
  if (!data) {
    return html`<${Heading}>Run<//>${[404, 422].includes(error?.status)
      ? html`<${Empty} title="There is no such run."><${Text}>${error.message}<//><//>`
      : html`<${Waiting} error=${error} />`}`;
  }
  const { run, result } = data;
  const ended = run.nodes.filter((node) => FINAL.includes(node.status)).length;
  return html`
    <p class="crumbs"><a href="#/runs">Runs</a></p>
    <div class="row wrap title"><${Heading}><${Text}>${run.dag}<//><//><${Standing} status=${run.status} />${run.paused && html`<span class="state warn"><span aria-hidden="true">❚❚</span> paused</span>`}<span class="push"></span><a class="button" href=${link("tasks", null, { status: FINAL.includes(run.status) ? run.status : "running", run: run.id })}>Its tasks</a><a class="button" href=${link("tasks", run.id)}>Its record</a><${Actions} run=${run} refresh=${refresh} /></div>
    ${run.reason && html`<p class="lead"><${Text}>${run.reason}<//></p>`}
    <${Card}><${Facts} facts=${[
      ["Id", html`<span class="id">${shown(run.id)}</span>`],
      ["Started", html`<${Time} at=${run.created} />`],
      ["Ended", run.finished && html`<${Time} at=${run.finished} />`],
      ["Took", run.finished && duration(between(run.created, run.finished))],
      ["Nodes ended", `${number(ended)} of ${number(run.nodes.length)}`],
    ]} /><//>
    <${Happening} run=${run} over=${FINAL.includes(run.status)} />
    <${Card} title="Graph"><${Graph} nodes=${run.nodes} label=${`Graph of the run of ${run.dag}`} /><//>
    <${Card} title="Time" note="waiting against running"><${Gantt} nodes=${run.nodes} run=${run} /><//>
    <${Card} title="By queue" note="how its nodes are spread; times are sums" flush><${Spread} run=${run} /><//>
    <${Card} title="Nodes" note=${many(run.nodes.length, "node")} flush><${Nodes} run=${run} refresh=${refresh} /><//>
    ${result && html`<${Card} title="Result">${result.gone ? html`<p class="faint"><${Text}>${result.gone}<//></p>` : html`<${Tree} value=${result.value} label="Result" />`}<//>`}`;
}
