// Task types: what they take, how they are run, and a form to submit one.

import { html, signal, useEffect, useRef, useState } from "../vendor/vendor.js";
import { get, post, remove, toJson } from "./api.js";
import { Field, describe, read } from "./form.js";
import { Lazy } from "./lazy.js";
import { link } from "./route.js";
import { useStatistics } from "./statistics.js";
import { duration, number, policyWords, shown } from "./text.js";
import { Button, Card, Empty, Facts, Heading, Table, TaskLink, Text, Time, Tree, Waiting, ask, attempt } from "./ui.js";
import { topicNamed, useWatch } from "./watch.js";

const RARELY = 30_000;
// What was typed, by task type: it outlives errors and a look elsewhere.
const typed = signal(new Map());

const OPTIONS = new Map([
  ["queue", { field: { kind: "text", hint: "other than the type's own" }, schema: {} }],
  ["priority", { field: { kind: "number", whole: true, hint: "0 is last, 9 first" }, schema: {} }],
  ["delay", { field: { kind: "number", hint: "seconds from now" }, schema: {} }],
  ["deadline", { field: { kind: "number", hint: "longest wait for the start, in seconds" }, schema: {} }],
]);
const OPTION = "option:";

function keep(type, name, value) {
  const after = new Map(typed.value);
  after.set(type, new Map(after.get(type)).set(name, value));
  typed.value = after;
}

/** What to send, or which fields are wrong. */
function collect(type, fields, values) {
  const errors = new Map();
  const body = { type: type.name, kwargs: {} };
  for (const { key, name, field, required } of fields) {
    try {
      const value = read(field, values.get(key), required);
      if (value !== undefined) (key.startsWith(OPTION) ? body : body.kwargs)[name] = value;
    } catch (error) {
      errors.set(key, error.message);
    }
  }
  return { body, errors };
}

/** The field that an error of the API is about: an argument for `invalid_argument`, else a field of the body. */
function fieldOf(error, fields) {
  const path = error.parameter ?? "";
  const names = error.code === "invalid_argument" ? [path.replace(/^kwargs\./, ""), OPTION + path] : [OPTION + path, path.replace(/^kwargs\./, "")];
  for (const name of names) {
    const found = fields.find(({ key }) => name === key || name.startsWith(`${key}.`) || name.startsWith(`${key}[`));
    if (found) return found.key;
  }
  return null;
}

function Submit({ type }) {
  const [errors, setErrors] = useState(new Map());
  const [refused, setRefused] = useState(null);
  const [made, setMade] = useState(null);
  const form = useRef(null);
  const schema = type.parameters;
  const needed = new Set(schema.required ?? []);
  const fields = [
    ...Object.entries(schema.properties ?? {}).map(([name, one]) => ({ key: name, name, schema: one, field: describe(one, schema.$defs), required: needed.has(name) })),
    ...[...OPTIONS].map(([name, one]) => ({ key: OPTION + name, name, ...one, required: false })),
  ];
  const values = typed.value.get(type.name) ?? new Map();
  useEffect(() => form.current?.querySelector("[aria-invalid=true]")?.focus(), [errors]);
  const send = async () => {
    setRefused(null);
    setMade(null);
    const { body, errors: wrong } = collect(type, fields, values);
    setErrors(wrong);
    if (wrong.size) return;
    try {
      setMade(await post("tasks", body));
    } catch (error) {
      const key = fieldOf(error, fields);
      if (key) setErrors(new Map([[key, error.message]]));
      else setRefused(error.message);
    }
  };
  const shownFields = (some) => some.map((one, index) => html`<${Field} key=${one.key} id=${`field-${one.key.startsWith(OPTION) ? "o" : "a"}${index}`} name=${one.name} field=${one.field} required=${one.required} schema=${one.schema}
    value=${values.get(one.key)} error=${errors.get(one.key)} onType=${(value) => keep(type.name, one.key, value)} />`);
  const own = fields.filter(({ key }) => !key.startsWith(OPTION));
  const options = fields.filter(({ key }) => key.startsWith(OPTION));
  return html`<form ref=${form} class="form" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
    ${own.length ? shownFields(own) : html`<p class="faint">It takes no arguments.</p>`}
    <details class="options" open=${options.some(({ key }) => values.get(key) || errors.get(key))}><summary>Options</summary><div class="form">${shownFields(options)}</div></details>
    <div class="row wrap"><${Button} class="primary" onPress=${send}>Submit<//>
      ${values.size > 0 && html`<button type="button" class="link" onClick=${() => { typed.value = new Map([...typed.value].filter(([name]) => name !== type.name)); setErrors(new Map()); }}>Clear</button>`}
      <span role="status">${made && html`<span>${made.created ? "Submitted" : "There already"}: <${TaskLink} id=${made.id} /></span>`}</span></div>
    ${refused && html`<p class="notice bad" role="alert"><${Text}>${refused}<//></p>`}
    <button class="hidden" tabindex="-1" aria-hidden="true">Submit</button>
  </form>`;
}

const limit = (seconds) => (seconds === null ? "none" : duration(seconds));

function policyFacts({ policy }) {
  const { retry } = policy;
  return [
    ["Queue", html`<a href=${link("tasks", null, { status: "queued", queue: policy.queue })}><${Text}>${policy.queue}<//></a>`],
    ["Priority", policy.priority],
    ["Attempts", retry.attempts],
    ["Backoff", `${retry.backoff} from ${duration(retry.delay)} to ${duration(retry.cap)}${retry.jitter ? ", spread" : ""}`],
    ["Runs as", policy.execution],
    ["Timeout", limit(policy.timeout)],
    ["Heartbeat", policy.heartbeat === null ? null : `every ${duration(policy.heartbeat)} at least`],
    ["Starts within", policy.deadline === null ? null : duration(policy.deadline)],
    ["Slow after", policy.slow_after === null ? null : duration(policy.slow_after)],
    ["On shutdown", policy.on_shutdown],
    ["Kept", `${duration(policy.retention)}; ${duration(policy.failed_retention)} if it failed`],
  ];
}

const ended = (one, outcome) => one.outcomes[outcome] ?? 0;

/** What became of the tasks of a type, in each of its queues. */
function Hour({ type }) {
  const { data, error } = useStatistics();
  if (!data) return html`<${Card} title="Last hour"><${Waiting} error=${error} /><//>`;
  const rows = data.types.filter((one) => one.type === type.name);
  if (!rows.length) return html`<${Card} title="Last hour" flush><${Empty} title="None of its tasks has run within the last hour.">Submit one with the form.<//><//>`;
  const columns = [{ name: "Queue", grow: true }, { name: "Succeeded", end: true }, { name: "Retried", end: true }, { name: "Failed", end: true }, { name: "Half ran", end: true }, { name: "95 % ran", end: true, wide: true }];
  return html`<${Card} title="Last hour" note="run times are at most these" flush><${Table} caption="Last hour" columns=${columns} rows=${rows.map((one) => ({
    key: one.queue,
    cells: [
      html`<a href=${link("queues", one.queue)}><${Text}>${one.queue}<//></a>`,
      number(ended(one, "succeeded")),
      number(ended(one, "retried")),
      ended(one, "failed") ? html`<a class="is-failed" href=${link("dead", null, { type: type.name })}>${number(ended(one, "failed"))}</a>` : "0",
      duration(one.ran.p50),
      duration(one.ran.p95),
    ],
  }))} /><//>`;
}

/** What operators have changed about a type while all runs, and a form to change more. */
function Changes({ type }) {
  const path = `task-types/${encodeURIComponent(type.name)}`;
  const { data, refresh } = useWatch(path, (signal) => get(path, {}, signal), { every: RARELY, topic: topicNamed("task-type", type.name) });
  if (!data) return html`<${Card} title="Changed while it runs"><p class="faint">…</p><//>`;
  const now = data.task_type;
  return html`<${Card} title="Changed while it runs" actions=${html`<${Hold} data=${data} refresh=${refresh} />`}><${Changed} data=${data} /><//>
    <${Card} title="Change how it is run"><details class="options" open=${Object.keys(now.live).length > 0}><summary>Timeout, retries, priority and more</summary>
      <${Lazy} key=${toJson(now.live)} view="LivePolicy" load=${() => import("./policies.js")} type=${now} refresh=${refresh} /></details><//>`;
}

/** Stops all tasks of a type, and lets them run again. */
function Hold({ data, refresh }) {
  const { name } = data.task_type;
  const held = data.strikes.filter((one) => one.action === "hold" && !Object.keys(one.where).length);
  const hold = async () => {
    if (!(await ask(`Hold all tasks of ${shown(name)}?`, "None of them starts, and new ones wait, until you let them run again. What runs goes on.", "Hold them"))) return;
    await attempt(() => post("strikes", { type: name, action: "hold" }), `Tasks of type ${name} are held within a second`);
    await refresh();
  };
  const lift = async () => {
    await attempt(() => Promise.all(held.map((one) => remove(`strikes/${encodeURIComponent(one.id)}`))), `Tasks of type ${name} go on within a minute`);
    await refresh();
  };
  return held.length ? html`<${Button} onPress=${lift}>Let them run<//>` : html`<${Button} onPress=${hold}>Hold all of them…<//>`;
}

function Changed({ data }) {
  const live = policyWords(data.task_type.live);
  if (data.route === null && !data.strikes.length && !live) return html`<p class="faint">Nothing: it runs as its code says. Send it to another queue under <a href="#/queues">Queues</a>, bound or strike it under <a href="#/limits">Limits</a>.</p>`;
  return html`<ul class="plain">
    ${live && html`<li>Set live, instead of what its code says: <${Text}>${live}<//>.</li>`}
    ${data.route !== null && html`<li>Its tasks are sent to the queue <a href=${link("queues", data.route)}><${Text}>${data.route}<//></a> (<a href="#/queues">routes</a>).</li>`}
    ${data.strikes.map((one) => html`<li key=${one.id}>Struck since <${Time} at=${one.at} day />, by <${Text}>${one.by}<//>: ${Object.keys(one.where).length ? html`those with <span class="mono"><${Text}>${toJson(one.where)}<//></span>` : "all"} ${one.action === "hold" ? "are held" : "are cancelled"}${one.reason && html`, “<${Text}>${one.reason}<//>”`} (<a href="#/limits">strikes</a>).</li>`)}
  </ul>`;
}

function One({ type }) {
  return html`
    <p class="crumbs"><a href="#/types">Task types</a></p>
    <div class="row wrap title"><${Heading}><${Text}>${type.name}<//><//><span class="push"></span><a class="button" href=${link("dead", null, { by: "error", type: type.name })}>Its errors</a><a class="button" href=${link("tasks", null, { status: "running", type: type.name })}>Its tasks</a></div>
    ${type.description && html`<p class="lead pre"><${Text}>${type.description}<//></p>`}
    <div class="columns">
      <${Card} title="Submit">${type.parameters ? html`<${Submit} key=${type.name} type=${type} />` : html`<p class="faint">Its annotations cannot be resolved, so there is no form for it.</p>`}<//>
      <div>
        <${Hour} type=${type} />
        <${Changes} type=${type} />
        <${Card} title="How it is run" note="as its code says"><${Facts} facts=${policyFacts(type)} /><//>
        ${type.parameters && html`<${Card} title="Schema"><${Tree} value=${type.parameters} label="Schema of the arguments" /><//>`}
      </div>
    </div>`;
}

function List({ types }) {
  if (!types.length) return html`<${Empty} title="This app has no task types.">Decorate a function with <code>@app.task</code> in the module that <code>jobbers api</code> was given, and start it again.<//>`;
  return html`<${Table} caption="Task types"
    columns=${[{ name: "Type", grow: true }, { name: "Takes", wide: true }, { name: "Queue" }, { name: "Priority", end: true, wide: true }, { name: "Attempts", end: true, wide: true }, { name: "Timeout", end: true }]}
    rows=${types.map((type) => ({
      key: type.name,
      cells: [
        html`<a href=${link("types", type.name)}><${Text}>${type.name}<//></a>`,
        html`<span class="clip mono"><${Text}>${Object.keys(type.parameters?.properties ?? {}).join(", ")}<//></span>`,
        html`<${Text}>${type.policy.queue}<//>`,
        type.policy.priority,
        type.policy.retry.attempts,
        limit(type.policy.timeout),
      ],
    }))} />`;
}

export function TaskTypes({ name }) {
  const { data, error } = useWatch("types", (signal) => get("task-types", {}, signal), { every: RARELY, topic: "task-types" });
  if (!data) return html`<${Heading}>Task types<//><${Waiting} error=${error} />`;
  if (name === null) return html`<${Heading}>Task types<//><p class="lead">What the app of this service can run. Choose one to submit a task.</p><${Card} flush><${List} types=${data.task_types} /><//>`;
  const type = data.task_types.find((one) => one.name === name);
  if (!type) return html`<${Heading}>Task types<//><${Empty} title="There is no such task type."><bdi>${shown(name)}</bdi> is not one of this app's: see <a href="#/types">all of them</a>.<//>`;
  return html`<${One} type=${type} />`;
}
