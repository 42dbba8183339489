// Lists of tasks: by status, and dead letters.

import { html, useEffect, useState } from "../vendor/vendor.js";
import { each, get, post } from "./api.js";
import { bulk } from "./bulk.js";
import { useKeys } from "./keyboard.js";
import { change, link, route } from "./route.js";
import { between, duration, isRun, many, number, shown } from "./text.js";
import { Button, Card, Empty, Heading, Status, Table, TaskLink, Text, Time, Waiting, ask, attempt, tell } from "./ui.js";
import { topicOf, useWatch } from "./watch.js";

const SELDOM = 10_000;
const LONGEST_TOPIC = 400;
const MOMENT = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/; // as this page writes times into its address
const LIMIT = 50;
const STATUSES = ["running", "queued", "blocked", "scheduled", "failed", "succeeded", "cancelled", "skipped"];
const COUNTED = { running: "running", queued: "queued", scheduled: "scheduled", failed: "dead" };

// What each list says when it is empty.
const NOTHING = {
  running: ["Nothing runs.", "Tasks appear here while a worker executes them."],
  queued: ["Nothing waits.", "Every task that was ready has been taken."],
  blocked: ["Nothing stands in line.", "Tasks that wait for a limit, a rate, a turn or a breaker appear here. Those that wait for others of their run are on its page."],
  scheduled: ["Nothing is scheduled.", "Tasks with a delay, and those that wait for their next attempt, appear here."],
  failed: ["No task has failed for good.", "Those whose attempts are used up appear here and under Dead letters."],
  succeeded: ["Nothing has succeeded lately.", "The most recent ones are listed, as long as their records are kept."],
  cancelled: ["Nothing was cancelled lately.", "The most recent ones are listed, as long as their records are kept."],
  skipped: ["Nothing was skipped lately.", "Nodes of runs whose condition did not hold appear here."],
};

const MORE = ["run", "worker", "since", "until", "group"];
const LOOKED_AT = ["contains", ...MORE];

/** Whether there are filters for which many tasks are looked at: these are asked for more rarely. */
const narrow = (filters) => LOOKED_AT.some((name) => filters[name]);

/** The topic of the first page of a list: none for filters that match nothing, as one that is refused would end all. */
function first({ status = "failed", ...filters }) {
  const { run, since, until, group } = filters;
  const wrong = (run && !topicOf("run", run)) || (group && (status !== "failed" || !/^[0-9a-f]{16}$/.test(group)));
  if (wrong || [since, until].some((time) => time && !MOMENT.test(time)) || (since && until && since >= until)) return null;
  const given = ["type", "queue", ...LOOKED_AT].map((name) => [name, filters[name]]).filter(([, value]) => value);
  const topic = `tasks:${status}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
  return topic.length <= LONGEST_TOPIC ? topic : null;
}

const chosenOf = (query) => Object.fromEntries(["type", "queue", ...LOOKED_AT].map((name) => [name, query[name] ?? ""]));

/** Pages with cursors: which one is shown, and the way back. Other filters start from the first page. */
export function usePages(path, filters) {
  const key = JSON.stringify([path, filters]);
  const [place, setPlace] = useState({ key, trail: [] });
  const trail = place.key === key ? place.trail : [];
  const cursor = trail.at(-1) ?? null;
  const poll = useWatch(`${key} ${cursor}`, (signal) => get(path, { ...filters, cursor, limit: LIMIT }, signal), { topic: cursor === null ? first(filters) : null, every: narrow(filters) ? SELDOM : undefined });
  return {
    ...poll,
    page: trail.length + 1,
    next: poll.data?.cursor ? () => setPlace({ key, trail: [...trail, poll.data.cursor] }) : null,
    back: trail.length ? () => setPlace({ key, trail: trail.slice(0, -1) }) : null,
  };
}

const Pager = ({ pages }) =>
  (pages.next || pages.back) &&
  html`<nav class="pager" aria-label="Pages of the list">
    <button disabled=${!pages.back} onClick=${pages.back}>Previous</button>
    <span>Page ${pages.page}</span>
    <button disabled=${!pages.next} onClick=${pages.next}>Next</button>
  </nav>`;

/** The filters by type, queue and, where it is given, text in arguments, which apply when typing pauses. */
export function Filters({ type, queue, contains = null }) {
  const [known, setKnown] = useState({ types: [], queues: [] });
  const [typed, setTyped] = useState({ type, queue, contains });
  useEffect(() => {
    Promise.all([get("task-types"), get("queues")]).then(
      ([types, queues]) => setKnown({ types: types.task_types.map((one) => one.name), queues: queues.queues.map((one) => one.name) }),
      () => {}, // they are only suggestions
    );
  }, []);
  useEffect(() => setTyped({ type, queue, contains }), [type, queue, contains]);
  useEffect(() => {
    if (typed.type === type && typed.queue === queue && typed.contains === contains) return undefined;
    const timer = setTimeout(() => change(typed), 350);
    return () => clearTimeout(timer);
  }, [typed.type, typed.queue, typed.contains]);
  const field = (name, label, list) => html`<label class="filter"><span>${label}</span>
    <input value=${typed[name]} list=${`known-${name}`} placeholder="any" autocomplete="off" spellcheck="false" onInput=${(event) => setTyped({ ...typed, [name]: event.target.value.trim() })} />
    <datalist id=${`known-${name}`}>${list.map((one) => html`<option key=${one} value=${one}></option>`)}</datalist></label>`;
  return html`<div class="filters">${field("type", "Type", known.types)}${field("queue", "Queue", known.queues)}
    ${contains !== null && html`<label class="filter"><span>Arguments</span><input type="search" maxlength="200" value=${typed.contains} placeholder="contain" title="Text in the arguments, as the list shows them, or in the unique key" autocomplete="off" spellcheck="false" onInput=${(event) => setTyped({ ...typed, contains: event.target.value })} /></label>`}
    ${(type || queue || contains) && html`<button class="link" onClick=${() => change({ type: "", queue: "", ...(contains === null ? {} : { contains: "" }) })}>Clear</button>`}</div>`;
}

const two = (value) => String(value).padStart(2, "0");

/** A time as the browser's field wants it, in the viewer's zone. */
function local(at) {
  const date = new Date(at);
  if (!at || Number.isNaN(date.getTime())) return "";
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The filters that one needs now and then. They apply when the field is left. */
function More({ chosen }) {
  const given = MORE.filter((name) => chosen[name]);
  const text = (name, label) => html`<label class="filter"><span>${label}</span><input value=${chosen[name]} placeholder="any" autocomplete="off" spellcheck="false" onChange=${(event) => change({ [name]: event.target.value.trim() })} /></label>`;
  const time = (name, label) => html`<label class="filter"><span>${label}</span><input type="datetime-local" value=${local(chosen[name])} onChange=${(event) => change({ [name]: event.target.value ? new Date(event.target.value).toISOString() : "" })} /></label>`;
  return html`<details class="options" open=${given.length > 0}><summary>More filters</summary><div class="filters">
    ${text("run", "Run")}${text("worker", "Worker")}${time("since", "Submitted from")}${time("until", "Submitted before")}
    ${chosen.group && html`<span>of one error <button class="link" onClick=${() => change({ group: "" })}>All errors</button></span>`}
    ${given.length > 0 && html`<button class="link" onClick=${() => change(Object.fromEntries(MORE.map((name) => [name, ""])))}>Clear these</button>`}</div></details>`;
}

/** Which rows are chosen, of those that are there. */
function useChoice(tasks, key) {
  const [chosen, setChosen] = useState(new Set());
  useEffect(() => setChosen(new Set()), [key]);
  const here = tasks.filter((task) => chosen.has(task.id)).map((task) => task.id);
  const toggle = (id) => {
    const after = new Set(chosen);
    if (!after.delete(id)) after.add(id);
    setChosen(after);
  };
  const all = () => setChosen(here.length === tasks.length ? new Set() : new Set(tasks.map((task) => task.id)));
  return { ids: here, has: (id) => chosen.has(id), toggle, all, clear: () => setChosen(new Set()) };
}

/** Whether anything can be done with tasks in this status. */
const choosable = (status) => !["succeeded", "skipped"].includes(status);

const home = (task) => (isRun(task.type) ? link("runs", task.id) : link("tasks", task.id));

function when(task) {
  if (task.finished) return html`<${Time} at=${task.finished} />`;
  if (task.status === "scheduled") return html`<span class="faint">due</span> <${Time} at=${task.due} />`;
  if (task.started) return html`<${Time} at=${task.started} />`;
  return html`<${Time} at=${task.created} />`;
}

function detail(task) {
  if (task.status === "running") {
    const percent = task.progress === null ? "" : `${Math.round(task.progress * 100)} % `;
    return html`<span>${percent}<${Text}>${task.step}<//></span>`;
  }
  if (task.error) return html`<span class="clip" title=${shown(task.error.message)}><b><${Text}>${task.error.type}<//></b> <${Text}>${task.error.message}<//></span>`;
  return html`<span class="clip faint"><${Text}>${task.reason}<//></span>`;
}

function TaskTable({ status, tasks, choice }) {
  const at = useKeys(tasks.map((task) => task.id), { open: (id) => (location.hash = home(tasks.find((task) => task.id === id))), choose: choosable(status) ? choice.toggle : null });
  const every = tasks.length > 0 && choice.ids.length === tasks.length;
  const columns = [
    { name: "Choose", slim: true, head: html`<input type="checkbox" aria-label="Choose all on this page" checked=${every} onChange=${choice.all} />` },
    { name: "Type", grow: true },
    { name: "Arguments", wide: true, grow: true },
    { name: "Task" },
    ...(status === "running" ? [{ name: "Status" }] : []),
    { name: "Queue", wide: true },
    { name: "Attempt", end: true, wide: true },
    { name: "Time", wide: true },
    { name: "Took", end: true, wide: true },
    { name: "Detail", wide: true, grow: true },
  ];
  const from = choosable(status) ? 0 : 1;
  return html`<${Table} caption=${`Tasks that are ${status}`} columns=${columns.slice(from)} rows=${tasks.map((task) => ({
    key: task.id,
    selected: choice.has(task.id),
    at: task.id === at,
    cells: [
      html`<input type="checkbox" aria-label=${`Choose task ${shown(task.id)}`} checked=${choice.has(task.id)} onChange=${() => choice.toggle(task.id)} />`,
      html`<a href=${home(task)}><${Text}>${task.type}<//></a>${task.error ? html`<span class="narrow clip faint"><${Text}>${task.error.type}<//>: <${Text}>${task.error.message}<//></span>` : task.glimpse && html`<span class="narrow clip faint mono"><${Text}>${task.glimpse}<//></span>`}`,
      task.glimpse ? html`<span class="clip short mono" title=${shown(task.glimpse)}><${Text}>${task.glimpse}<//></span>` : html`<span class="faint">–</span>`,
      html`<${TaskLink} id=${task.id} />`,
      ...(status === "running" ? [html`<${Status} status=${task.status} liveness=${task.liveness} />`] : []),
      html`<${Text}>${task.queue}<//>`,
      number(task.attempt),
      when(task),
      duration(between(task.started, task.finished ?? (task.status === "running" ? new Date().toISOString() : null))),
      detail(task),
    ].slice(from),
  }))} />`;
}

/** Do something to all that are chosen, and tell how it went. */
async function inBulk(ids, action, done) {
  const { done: count, errors } = await each(ids, action);
  if (count) tell(`${many(count, "task")} ${done}`);
  else if (!errors.length) tell(`No task ${done}: they had ended before`);
  if (errors.length) tell(`${many(errors.length, "task")} not ${done}: ${errors[0].message}`, true);
}

const cancelled = async (id) => (await post(`tasks/${encodeURIComponent(id)}/cancel`)).cancelled;

/** What can be done with those that are chosen. */
function Bulk({ choice, tasks, status, refresh }) {
  const { ids } = choice;
  const runs = new Set(tasks.filter((task) => isRun(task.type)).map((task) => task.id));
  const after = async (work) => {
    await work;
    choice.clear();
    await refresh();
  };
  const cancel = async () => {
    if (await ask(`Cancel ${many(ids.length, "task")}?`, "Those that run are told to stop; those that wait never start.", "Cancel them")) {
      await after(inBulk(ids, cancelled, "cancelled"));
    }
  };
  const requeue = () => after(inBulk(ids, (id) => post(runs.has(id) ? `runs/${encodeURIComponent(id)}/retry` : `tasks/${encodeURIComponent(id)}/requeue`), "queued again"));
  const drop = async () => {
    if (await ask(`Delete ${many(ids.length, "dead letter")} for good?`, "Their arguments and errors are lost.", "Delete them")) {
      await after(attempt(async () => `${many((await post("dead-letters/drop", { ids })).dropped, "dead letter")} deleted`));
    }
  };
  if (!ids.length) return html`<span class="faint">Choose tasks to ${["failed", "cancelled"].includes(status) ? "run them again" : "cancel them"}.</span>`;
  return html`<div class="row" role="group" aria-label="With those that are chosen">
    <strong class="tabular">${many(ids.length, "task")} chosen</strong>
    ${["running", "queued", "blocked", "scheduled"].includes(status) && html`<${Button} onPress=${cancel}>Cancel…<//>`}
    ${["failed", "cancelled"].includes(status) && html`<${Button} onPress=${requeue}>Run again<//>`}
    ${status === "failed" && html`<${Button} onPress=${drop}>Delete…<//>`}
    <button class="link" onClick=${choice.clear}>Clear</button>
  </div>`;
}

export function List({ pages, status, filtered }) {
  const tasks = pages.data?.tasks ?? [];
  const choice = useChoice(tasks, status);
  if (!pages.data) return html`<${Waiting} error=${pages.error} />`;
  const [title, advice] = NOTHING[status];
  if (!tasks.length) {
    const found = filtered ? ["Nothing matches the filter.", "Clear it, or choose another status."] : [title, advice];
    const more = pages.next ? "This page has none; there may be more on the next." : found[1];
    return html`<${Empty} title=${found[0]}>${more}<//><${Pager} pages=${pages} />`;
  }
  return html`<div class="bar-above">${!choosable(status) ? html`<span class="faint">Only the most recent ones are listed.</span>` : html`<${Bulk} choice=${choice} tasks=${tasks} status=${status} refresh=${pages.refresh} />`}</div>
    <${TaskTable} status=${status} tasks=${tasks} choice=${choice} /><${Pager} pages=${pages} />`;
}

/** What can be done with all tasks of a list, also those of other pages. */
function All({ status, chosen, refresh }) {
  const { type, queue } = chosen;
  const given = Object.values(chosen).some(Boolean);
  const action = ["running", "queued", "blocked", "scheduled"].includes(status) ? "cancel" : ["failed", "cancelled"].includes(status) ? "retry" : null;
  if (!action) return null;
  const words = given ? "all that match" : `all ${status}`;
  const which = `${words}${narrow(chosen) ? " the filters" : ""}${type ? `, of type ${shown(type)}` : ""}${queue ? `, of queue ${shown(queue)}` : ""}`;
  return html`<${Button} onPress=${() => bulk(action, { status, ...chosen }, which, refresh)}>${action === "cancel" ? `Cancel ${words}…` : `Run ${words} again…`}<//>`;
}

export function Tasks() {
  const { status: wanted = "running", ...query } = route.value.query;
  const status = STATUSES.includes(wanted) ? wanted : "running";
  const chosen = chosenOf(query);
  if (status !== "failed") chosen.group = "";
  const { type, queue } = chosen;
  const pages = usePages("tasks", { status, ...chosen });
  useEffect(() => document.querySelector("main nav [aria-current]").scrollIntoView({ block: "nearest", inline: "center" }), [status]);
  const { data: stats } = useWatch("counts", (signal) => get("stats", { minutes: 1 }, signal), { topic: "stats" });
  return html`<${Heading}>Tasks<//>
    <nav class="tabs" aria-label="Status"><ul>${STATUSES.map((one) => {
      const counted = Object.hasOwn(COUNTED, one) && stats ? stats.counts[COUNTED[one]] : null;
      return html`<li key=${one}><a href=${link("tasks", null, { status: one, ...chosen, group: "" })} aria-current=${one === status ? "page" : null}><${Status} status=${one} />${counted !== null && html`<span class="count">${number(counted)}</span>`}</a></li>`;
    })}</ul></nav>
    <div class="row wrap"><${Filters} type=${type} queue=${queue} contains=${chosen.contains} /><span class="push"></span>${pages.data?.tasks.length > 0 && html`<${All} status=${status} chosen=${chosen} refresh=${pages.refresh} />`}</div>
    <${More} chosen=${chosen} />
    <${Card} flush><${List} pages=${pages} status=${status} filtered=${Object.values(chosen).some(Boolean)} /><//>`;
}
