// One queue and what can be done with it; and task types that are sent to another queue.

import { html, useState } from "../vendor/vendor.js";
import { get, post, put, remove } from "./api.js";
import { Field, read } from "./form.js";
import { Needs, useAdvice } from "./advice.js";
import { Backlog, Chart, Legend, banded, readiness } from "./chart.js";
import { link } from "./route.js";
import { useStatistics } from "./statistics.js";
import { duration, many, number, shown } from "./text.js";
import { Button, Card, Empty, Facts, Heading, Table, Text, Time, Waiting, attempt } from "./ui.js";
import { me } from "./login.js";
import { Pause, State } from "./queues.js";
import { useWatch } from "./watch.js";

const SELDOM = 5000;
const RARELY = 30_000;
const LOOKED_AT = 200; // entries of the audit log
const POLICIES = ["refuse", "drop_oldest"];
const at = (name) => `queues/${encodeURIComponent(name)}`;

function Flow({ queue, refresh }) {
  const drain = async () => {
    await attempt(() => post(`${at(queue.name)}/drain`), `Queue ${queue.name} takes nothing more; what is there is done`);
    await refresh();
  };
  const resume = async () => {
    await attempt(() => post(`${at(queue.name)}/resume`), `Queue ${queue.name} gives out and takes again`);
    await refresh();
  };
  return html`<div class="row wrap">
      ${queue.paused ? null : html`<${Pause} queue=${queue} refresh=${refresh} />`}
      ${queue.draining ? null : html`<${Button} onPress=${drain}>Drain<//>`}
      ${(queue.paused || queue.draining) && html`<${Button} onPress=${resume}>Resume<//>`}
    </div>
    <p class="faint">Paused, it gives nothing out. Drained, it refuses what is submitted, and what is there is done. Resume ends both.</p>
    ${me.value?.scope === "admin" && html`<${Changes} queue=${queue} />`}`;
}

/** Who has paused, drained, resumed or purged it, or changed its length; the newest first. */
function Changes({ queue }) {
  const { data } = useWatch(`changes ${queue.name} ${queue.paused} ${queue.draining} ${queue.max_length}`, (signal) => get("audit", { limit: LOOKED_AT }, signal), { every: RARELY });
  const found = (data?.entries ?? []).filter((entry) => entry.action.startsWith("queues.") && entry.target.split(" ")[0] === queue.name);
  if (!found.length) return null;
  return html`<ul class="plain" aria-label="Who changed it">${found.slice(0, 3).map(
      (entry) => html`<li key=${entry.id}><span class="mono"><${Text}>${entry.action.slice("queues.".length)}<//></span> by <${Text}>${entry.who}<//> <span class="faint">(<${Text}>${entry.via}<//>)</span> <${Time} at=${entry.at} /></li>`,
    )}</ul>
    <p><a href=${link("audit", null, { q: `queues ${queue.name}` })}>All of it in the audit log</a></p>`;
}

function Length({ queue, refresh }) {
  const [typed, setTyped] = useState({ max_length: queue.max_length === null ? "" : String(queue.max_length), when_full: String(Math.max(0, POLICIES.indexOf(queue.when_full))) });
  const [error, setError] = useState(null);
  const send = async () => {
    setError(null);
    try {
      const max = read({ kind: "number", whole: true }, typed.max_length, false) ?? null;
      await put(`${at(queue.name)}/limit`, { max_length: max, when_full: POLICIES[Number(typed.when_full)] ?? "refuse" });
      await attempt(() => (max === null ? `Queue ${queue.name} may be of any length` : `Queue ${queue.name} may have ${many(max, "ready task")}`));
      await refresh();
    } catch (failure) {
      setError(failure.message);
    }
  };
  const reset = async () => {
    await attempt(() => remove(`${at(queue.name)}/limit`), `Queue ${queue.name} may be as long as the code says`);
    await refresh();
  };
  return html`<form class="form" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
    <${Field} id="queue-max" name="max length" field=${{ kind: "number", hint: "how many tasks may be ready; empty: any number" }} value=${typed.max_length} error=${error} onType=${(max_length) => setTyped({ ...typed, max_length })} />
    <${Field} id="queue-full" name="when full" field=${{ kind: "choice", choices: POLICIES, hint: "refuse what is submitted, or make dead letters of the oldest" }} required value=${typed.when_full} onType=${(when_full) => setTyped({ ...typed, when_full })} />
    <div class="row"><button class="primary">Set it</button><${Button} onPress=${reset}>As the code says<//></div>
  </form>`;
}

function Purge({ queue, refresh }) {
  const [typed, setTyped] = useState("");
  const right = typed === queue.name;
  const press = async () => {
    await attempt(async () => `Cancelled ${many((await post(`${at(queue.name)}/purge`, { queue: typed })).purged, "task")}`);
    setTyped("");
    await refresh();
  };
  return html`<form class="form" noValidate onSubmit=${(event) => { event.preventDefault(); if (right) press(); }}>
    <p>Cancels everything that waits in it, ready, scheduled or parked: ${many(queue.depth, "ready task")} at the moment. What runs goes on. It cannot be taken back.</p>
    <div class="field"><label for="purge">Type the name of the queue to go on</label>
      <input id="purge" value=${typed} autocomplete="off" spellcheck="false" placeholder=${shown(queue.name)} onInput=${(event) => setTyped(event.target.value)} /></div>
    <div class="row"><${Button} class="danger" disabled=${!right} onPress=${press}>Purge the queue<//></div>
  </form>`;
}

/** What became of its tasks within the last hour. */
function Hour({ name }) {
  const { data, error } = useStatistics();
  if (!data) return html`<${Card} title="Last hour"><${Waiting} error=${error} /><//>`;
  const found = data.queues.filter((one) => one.name === name);
  const minutes = (found[0]?.history ?? []).slice(-60).map((one) => ({ at: new Date(one.start).getTime(), bands: banded(one.outcomes) }));
  return html`<${Card} title="Last hour" note="what became of its executions, by minute" actions=${html`<${Legend} />`}>
    ${minutes.length ? html`<${Chart} minutes=${minutes} /><${Backlog} minutes=${readiness(found)} />` : html`<${Empty} title="Nothing of it has run within the last hour.">Submit a task of one of its types under <a href="#/types">Task types</a>.<//>`}<//>`;
}

const NONE = { depth: 0, parked: 0, oldest_seconds: 0, paused: false, draining: false, by_priority: {}, max_length: null, when_full: null };

export function Queue({ name }) {
  const { data, error, refresh } = useWatch("queues", (signal) => get("queues", {}, signal), { topic: "queues" });
  const advice = useAdvice();
  const crumbs = html`<p class="crumbs"><a href="#/queues">Queues</a></p>`;
  if (!data) return html`${crumbs}<${Heading}><${Text}>${name}<//><//><${Waiting} error=${error} />`;
  const known = data.queues.find((one) => one.name === name);
  const queue = known ?? { ...NONE, name };
  return html`${crumbs}<div class="row wrap title"><${Heading}><${Text}>${name}<//><//><${State} queue=${queue} /><span class="push"></span><a class="button" href=${link("tasks", null, { status: "queued", queue: name })}>Its tasks</a></div>
    ${!known && html`<p class="lead">It has never held a task, and nothing is said of it.</p>`}
    <${Card}><${Facts} facts=${[
      ["Ready", number(queue.depth)],
      ["Parked", number(queue.parked)],
      ["Oldest", queue.depth ? duration(queue.oldest_seconds) : null],
      ["Max length", queue.max_length === null ? "any" : number(queue.max_length)],
      ["When full", queue.when_full],
    ]} /><//>
    <${Card} title="What it needs" note="by the last minutes, so that tasks wait 5 s on average"><${Needs} one=${advice.get(name)} paused=${queue.paused} /><//>
    <${Hour} name=${name} />
    <div class="columns">
      <div><${Card} title="Flow"><${Flow} queue=${queue} refresh=${refresh} /><//>
        <${Card} title="Purge"><${Purge} key=${name} queue=${queue} refresh=${refresh} /><//></div>
      <${Card} title="Length"><${Length} key=${name} queue=${queue} refresh=${refresh} /><//>
    </div>`;
}

function NewRoute({ types, queues, refresh }) {
  const [typed, setTyped] = useState({});
  const [errors, setErrors] = useState(new Map());
  const send = async () => {
    const wrong = new Map(["type", "queue"].filter((name) => !typed[name]?.trim()).map((name) => [name, "is needed"]));
    setErrors(wrong);
    if (wrong.size) return;
    try {
      await put(`routes/${encodeURIComponent(typed.type.trim())}`, { queue: typed.queue.trim() });
      await attempt(() => `Tasks of type ${typed.type.trim()} go to ${typed.queue.trim()} within a second`);
      setTyped({});
      await refresh();
    } catch (error) {
      setErrors(new Map([[error.parameter === "queue" || error.message.includes("queue") ? "queue" : "type", error.message]]));
    }
  };
  const field = (name, hint, known) => html`<div class=${errors.has(name) ? "field wrong" : "field"}><label for=${`route-${name}`}>${name} <span class="needed">needed</span></label>
    <input id=${`route-${name}`} list=${`route-${name}-known`} value=${typed[name] ?? ""} autocomplete="off" spellcheck="false" aria-required="true" aria-invalid=${errors.has(name) ? "true" : null} aria-describedby=${`route-${name}-hint`}
      onInput=${(event) => setTyped({ ...typed, [name]: event.target.value })} />
    <datalist id=${`route-${name}-known`}>${known.map((one) => html`<option key=${one} value=${one} />`)}</datalist>
    <span class="hint" id=${`route-${name}-hint`}>${hint}</span>
    ${errors.has(name) && html`<span class="error-text" role="alert"><span aria-hidden="true">✕ </span><${Text}>${errors.get(name)}<//></span>`}</div>`;
  return html`<form class="form" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
    ${field("type", "tasks of this type", types)}${field("queue", "go to this queue, whatever their type or caller says", queues)}
    <div class="row"><button class="primary">Send them there</button></div>
  </form>`;
}

/** Task types that are sent to another queue than their own. */
export function Routes({ queues }) {
  const { data, error, refresh } = useWatch("routes", (signal) => get("routes", {}, signal), { every: SELDOM, topic: "routes" });
  const types = useWatch("types", (signal) => get("task-types", {}, signal), { every: SELDOM, topic: "task-types" }).data?.task_types.map((one) => one.name) ?? [];
  if (!data) return html`<${Card} title="Routes"><${Waiting} error=${error} /><//>`;
  const end = async (route) => {
    await attempt(() => remove(`routes/${encodeURIComponent(route.type)}`), `Tasks of type ${route.type} go where their type says`);
    await refresh();
  };
  return html`<${Card} title="Routes" note="task types whose tasks are sent to another queue" flush>
      ${data.routes.length ? html`<${Table} caption="Routes" columns=${[{ name: "Type", grow: true }, { name: "Goes to", grow: true }, { name: "Action", end: true, head: html`<span class="hidden">Action</span>` }]}
        rows=${data.routes.map((route) => ({
          key: route.type,
          cells: [html`<${Text}>${route.type}<//>`, html`<a href=${link("queues", route.queue)}><${Text}>${route.queue}<//></a>`,
            html`<${Button} onPress=${() => end(route)} aria-label=${`End it: the route of ${shown(route.type)}`}>End it<//>`],
        }))} />` : html`<${Empty} title="No type is sent elsewhere.">All tasks go to the queue of their type, or where their caller says.<//>`}<//>
    <${Card} title="New route"><${NewRoute} types=${types} queues=${queues} refresh=${refresh} /><//>`;
}
