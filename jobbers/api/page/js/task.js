// One task: what became of it, its attempts and errors, what it was given and what it returned.

import { html, useEffect, useState } from "../vendor/vendor.js";
import { get, post } from "./api.js";
import { Again } from "./again.js";
import { Logs } from "./logs.js";
import { link } from "./route.js";
import { between, duration, isRun, many, number, shown } from "./text.js";
import { Button, Card, Empty, Facts, Heading, Status, Text, Time, Tree, TypeLink, Waiting, ask, attempt } from "./ui.js";
import { Why } from "./why.js";
import { ASK, topicOf, useWatch } from "./watch.js";

const FINAL = ["succeeded", "failed", "cancelled", "skipped"];
const AGAIN = ["failed", "cancelled"];

async function fetched(id, signal) {
  const path = `tasks/${encodeURIComponent(id)}`;
  const task = await get(path, {}, signal);
  if (task.status !== "succeeded") return { task, result: null };
  try {
    return { task, result: { value: (await get(`${path}/result`, {}, signal)).result } };
  } catch (error) {
    if (error.status === 0 || signal.aborted) throw error;
    return { task, result: { gone: error.message } };
  }
}

/** News of a task. What it returned, and what is too long for news, is asked for. */
function merged({ task, result }, news) {
  const moved = news.status !== task.status || news.attempt !== task.attempt;
  if (moved && (news.large || news.status === "succeeded")) return ASK;
  return { task: { ...task, ...news }, result: news.status === "succeeded" ? result : null };
}

/** What happened when, oldest first. */
function events(task) {
  const list = [{ at: task.created, name: "submitted", shape: "queued", note: null }];
  for (const error of task.errors) {
    list.push({ at: error.started, name: `attempt ${error.attempt} began`, shape: "running", note: html`on <${Text}>${error.worker}<//>` });
    list.push({ at: error.ended, name: `attempt ${error.attempt} went wrong`, shape: "failed", note: html`<${Text}>${error.type}<//>, after ${duration(between(error.started, error.ended))}` });
  }
  const seen = task.errors.some((error) => error.attempt === task.attempt);
  if (task.started && !seen) {
    list.push({ at: task.started, name: `attempt ${task.attempt} began`, shape: "running", note: task.worker && html`on <${Text}>${task.worker}<//>` });
  }
  if (task.status === "scheduled" && task.due) list.push({ at: task.due, name: "due", shape: "scheduled", note: task.reason && html`<${Text}>${task.reason}<//>` });
  if (task.heartbeat && task.status === "running") list.push({ at: task.heartbeat, name: "last heartbeat", shape: "running", note: task.step && html`<${Text}>${task.step}<//>` });
  list.sort((a, b) => new Date(a.at) - new Date(b.at));
  if (task.finished) list.push({ at: task.finished, name: task.status, shape: task.status, note: task.reason && html`<${Text}>${task.reason}<//>` });
  return list;
}

const Timeline = ({ task }) => html`<ol class="timeline">${events(task).map(
  (event, index) => html`<li key=${index}><${Status} status=${event.shape} /><span class="event">${event.name}</span><${Time} at=${event.at} />${event.note && html`<span class="note">${event.note}</span>`}</li>`,
)}</ol>`;

function Progress({ task }) {
  if (task.status !== "running") return null;
  const percent = task.progress === null ? null : Math.round(task.progress * 100);
  return html`<${Card} title="Progress" note=${task.heartbeat ? html`last heartbeat <${Time} at=${task.heartbeat} />` : "no heartbeat yet"}>
    ${percent !== null ? html`<div class="progress"><progress max="100" value=${percent} aria-label="Progress"></progress><span class="tabular">${percent} %</span></div>` : html`<p class="faint">It has not said how far it is.</p>`}
    ${task.step && html`<p><${Text}>${task.step}<//></p>`}
  <//>`;
}

function Errors({ errors }) {
  return html`<${Card} title="Errors" note=${many(errors.length, "attempt")}>
    ${[...errors].reverse().map((error, index) => html`<details key=${error.attempt} class="error" open=${index === 0}>
      <summary><span class="faint">attempt ${error.attempt}</span> <b><${Text}>${error.type}<//></b> <span class="clip"><${Text}>${error.message}<//></span></summary>
      <pre tabindex="0"><bdi>${shown(error.traceback)}</bdi></pre>
      <p class="faint"><${Time} at=${error.started} /> on <${Text}>${error.worker}<//>, ${duration(between(error.started, error.ended))}</p>
    </details>`)}
  <//>`;
}

function Result({ task, result }) {
  if (task.status !== "succeeded") {
    const why = FINAL.includes(task.status) ? `It ${task.status === "failed" ? "failed" : `was ${task.status}`}: there is none.` : "Not yet.";
    return html`<p class="faint">${why}</p>`;
  }
  if (!result) return html`<p class="faint">Not loaded yet.</p>`;
  if (result.gone) return html`<p class="faint"><${Text}>${result.gone}<//></p>`;
  return html`<${Tree} value=${result.value} label="Result" />`;
}

function Actions({ task, refresh }) {
  const path = `tasks/${encodeURIComponent(task.id)}`;
  const cancel = async () => {
    const text = task.status === "running" ? "Its worker is told to stop it." : "It will not start.";
    if (!(await ask("Cancel this task?", text, "Cancel it"))) return;
    await attempt(async () => ((await post(`${path}/cancel`)).cancelled ? "Cancelled" : "It had ended before"));
    await refresh();
  };
  const again = async () => {
    await attempt(() => post(`${path}/requeue`), "Queued again, with all its attempts");
    await refresh();
  };
  return html`<div class="row">
    ${!FINAL.includes(task.status) && html`<${Button} onPress=${cancel}>Cancel…<//>`}
    ${AGAIN.includes(task.status) && !isRun(task.type) && html`<${Button} class="primary" onPress=${again}>Run again<//>`}
  </div>`;
}

const arguments_ = (task) => (Object.keys(task.kwargs).length === 0 ? task.args : task.args.length === 0 ? task.kwargs : { args: task.args, kwargs: task.kwargs });

/** How long ago something was, by the second. */
function Elapsed({ from }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return duration(Math.max(1, Math.round((now - new Date(from)) / 1000)));
}

export function Task({ id }) {
  const { data, error, refresh } = useWatch(id, (signal) => fetched(id, signal), { topic: topicOf("task", id), merge: merged });
  const [editing, setEditing] = useState(false);
  if (!data) {
    const advice = error?.status === 404 || error?.status === 422;
    return html`<${Heading}>Task<//>${advice
      ? html`<${Empty} title="There is no such task."><${Text}>${error.message}<//><//>`
      : html`<${Waiting} error=${error} />`}`;
  }
  const { task, result } = data;
  const editable = !isRun(task.type) && task.args && !task.large;
  const none = !task.args.length && !Object.keys(task.kwargs).length;
  const errors = task.errors.length > 0 && html`<${Errors} errors=${task.errors} />`;
  const wait = between(task.due && task.due > task.created ? task.due : task.created, task.started);
  return html`
    <p class="crumbs"><a href=${link("tasks", null, { status: task.status })}>Tasks</a></p>
    <div class="row wrap title"><${Heading}><${Text}>${task.type}<//><//><${Status} status=${task.status} liveness=${task.liveness} /><span class="push"></span>
      ${task.trace_url && html`<a class="button" href=${task.trace_url} target="_blank" rel="noopener noreferrer">Its trace</a>`}${isRun(task.type) && html`<a class="button" href=${link("runs", task.id)}>Show the run</a>`}${editable && html`<button aria-expanded=${editing} onClick=${() => setEditing(!editing)}>Run with other arguments…</button>`}<${Actions} task=${task} refresh=${refresh} /></div>
    ${editing && editable && html`<${Again} key=${task.id} task=${task} close=${() => setEditing(false)} />`}
    ${task.reason && html`<p class="lead"><${Text}>${task.reason}<//></p>`}
    <${Why} task=${task} />
    <${Card}><${Facts} facts=${[
      ["Id", html`<span class="id">${shown(task.id)}</span>`],
      ["Type", html`<${TypeLink} type=${task.type} />`],
      ["Run", task.run && html`<a class="id" href=${link("runs", task.run)}>${shown(task.run)}</a>`],
      ["Node", task.run && task.node && html`<${Text}>${task.node}<//>`],
      ["Queue", html`<a href=${link("queues", task.queue)}><${Text}>${task.queue}<//></a>`],
      ["Priority", number(task.priority)],
      ["Attempts", number(task.attempt)],
      ["Crashes", task.crashes ? number(task.crashes) : null],
      ["Put back", task.snoozes ? number(task.snoozes) : null],
      ["Waited", task.started ? duration(Math.max(0, wait)) : null],
      ["Ran", task.finished && task.started ? duration(between(task.started, task.finished)) : null],
      ["Runs for", task.status === "running" && task.started ? html`<${Elapsed} from=${task.started} />` : null],
      ["Due", task.due && html`<${Time} at=${task.due} />`],
      ["Start by", task.deadline && html`<${Time} at=${task.deadline} />`],
      ["Unique key", task.unique_key && html`<${Text}>${task.unique_key}<//>`],
      ["Worker", task.worker && html`<a href=${link("workers", task.worker)}><${Text}>${task.worker}<//></a>`],
    ]} /><//>
    <${Progress} task=${task} />
    ${task.status === "failed" && errors}
    <div class="columns">
      <${Card} title="Arguments">${none ? html`<p class="faint">It was given none.</p>` : html`<${Tree} value=${arguments_(task)} label="Arguments" />`}<//>
      <${Card} title="Result"><${Result} task=${task} result=${result} /><//>
    </div>
    ${task.attempt > 0 && !isRun(task.type) && html`<${Logs} key=${task.id} id=${task.id} type=${task.type} />`}
    ${task.status !== "failed" && errors}
    <div class="columns">
      <${Card} title="What happened"><${Timeline} task=${task} /><//>
      ${Object.keys(task.headers).length > 0 && html`<${Card} title="Headers"><${Tree} value=${task.headers} label="Headers" /><//>`}
    </div>`;
}
