// Schedules: what is started again and again; make, change, pause, start now and delete them.

import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { get, post, remove, toJson } from "./api.js";
import { Field, aboutOf, read } from "./form.js";
import { go, link, route } from "./route.js";
import { duration, number, shown } from "./text.js";
import { Button, Card, Empty, Facts, Heading, Table, TaskLink, Text, Time, Tree, Waiting, ask, attempt, tell } from "./ui.js";
import { ASK, topicNamed, useWatch } from "./watch.js";

const ROWS = 100;
const at = (name) => `schedules/${encodeURIComponent(name)}`;
const home = (one) => (one.kind === "dag" ? link("dags", one.target) : link("types", one.target));
const started = (one) => (one.kind === "dag" ? html`<a class="id" href=${link("runs", one.last_id)}>${shown(one.last_id)}</a>` : html`<${TaskLink} id=${one.last_id} />`);
const State = ({ one }) =>
  one.paused
    ? html`<span class="state warn"><span aria-hidden="true">❚❚</span> paused</span>`
    : one.next
      ? html`<span class="state"><span aria-hidden="true">▸</span> on</span>`
      : html`<span class="state warn">no more times</span>`;

function usePauses(refresh) {
  return async (one) => {
    const said = one.paused ? `Schedule ${one.name} goes on from now` : `Schedule ${one.name} is paused: what runs goes on`;
    await attempt(() => post(`${at(one.name)}/${one.paused ? "resume" : "pause"}`), said);
    await refresh();
  };
}

function List({ schedules, refresh }) {
  const pause = usePauses(refresh);
  if (!schedules.length) {
    return html`<${Empty} title="There are no schedules."><a href="#/schedules?new=1">Make one</a>, or write <code>app.schedule("nightly", task.s(), cron="0 3 * * *")</code> in the app: the next worker brings it.<//>`;
  }
  const columns = [{ name: "Schedule", grow: true }, { name: "When", grow: true }, { name: "Starts", wide: true, grow: true }, { name: "State" }, { name: "Next", wide: true }, { name: "Last", wide: true }, { name: "Started", end: true, wide: true }, { name: "Action", end: true, head: html`<span class="hidden">Action</span>` }];
  return html`<${Table} caption="Schedules" columns=${columns} rows=${schedules.map((one) => ({
    key: one.name,
    cells: [
      html`<a href=${link("schedules", one.name)}><${Text}>${one.name}<//></a>`,
      html`<span class="mono"><${Text}>${one.timing}<//></span>`,
      html`<a href=${home(one)}><${Text}>${one.target}<//></a>`,
      html`<${State} one=${one} />`,
      html`<${Time} at=${one.next} />`,
      html`<${Time} at=${one.last} />`,
      number(one.started),
      html`<${Button} onPress=${() => pause(one)} aria-label=${`${one.paused ? "resume" : "pause"} schedule ${shown(one.name)}`}>${one.paused ? "Resume" : "Pause"}<//>`,
    ],
  }))} />`;
}

// The form. What is typed is kept as text; `target` is "task name" or "dag name".

const TEXT = { kind: "text", hint: "" };
const FIELDS = [
  ["name", { ...TEXT, hint: "letters, digits, and . _ - :" }, true],
  ["target", null, true],
  ["cron", { ...TEXT, hint: "minute hour day month weekday, as in 30 3 * * MON" }, false],
  ["tz", { ...TEXT, hint: "time zone of the cron line; empty: UTC" }, false],
  ["every", { kind: "number", hint: "or again every so many seconds" }, false],
  ["args", { kind: "json", hint: "JSON list, such as [1, 2]" }, false],
  ["kwargs", { kind: "json", hint: 'JSON object, such as {"key": 1}' }, false],
  ["overlap", { kind: "choice", choices: ["skip", "queue", "cancel", "allow"], hint: "when what was started last still goes on" }, false],
  ["missed", { kind: "choice", choices: ["one", "skip", "all"], hint: "which missed times are made good for" }, false],
  ["jitter", { kind: "number", hint: "each start comes up to so many seconds later" }, false],
  ["catch_up", { kind: "number", whole: true, hint: "how many missed or waiting times are kept at most" }, false],
];

function initial(one) {
  if (!one) return { args: "", kwargs: "", tz: Intl.DateTimeFormat().resolvedOptions().timeZone };
  const index = (name, value) => String(FIELDS.find(([field]) => field === name)[1].choices.indexOf(value));
  return {
    name: one.name,
    target: `${one.kind} ${one.target}`,
    cron: one.cron ?? "",
    tz: one.tz ?? "",
    every: one.every === null ? "" : String(one.every),
    args: one.args.length ? toJson(one.args) : "",
    kwargs: Object.keys(one.kwargs).length ? toJson(one.kwargs, 2) : "",
    overlap: index("overlap", one.overlap),
    missed: index("missed", one.missed),
    jitter: one.jitter ? String(one.jitter) : "",
    catch_up: String(one.catch_up),
  };
}

function collect(typed, targets) {
  const wrong = new Map();
  const body = {};
  for (const [name, field, required] of FIELDS) {
    try {
      const value = read(name === "target" ? { kind: "choice", choices: targets } : field, name === "target" ? String(targets.indexOf(typed.target)).replace("-1", "") : typed[name], required);
      if (required && value === "") throw new Error("is needed");
      if (value !== undefined && value !== "") body[name] = value;
    } catch (error) {
      wrong.set(name, error.message);
    }
  }
  const [kind, ...rest] = (body.target ?? "").split(" ");
  delete body.target;
  if (kind) body[kind === "dag" ? "dag" : "type"] = rest.join(" ");
  if (!body.cron) delete body.tz; // it goes with a cron line only
  if (!wrong.size && !body.cron === !body.every) wrong.set("cron", "give a cron line or an interval (every)");
  return { body, wrong };
}

function Form({ one = null }) {
  const [typed, setTyped] = useState(() => initial(one));
  const [errors, setErrors] = useState(new Map());
  const [refused, setRefused] = useState(null);
  const [known, setKnown] = useState({ types: [], dags: [] });
  const form = useRef(null);
  useEffect(() => {
    Promise.all([get("task-types"), get("dags")]).then(
      ([types, dags]) => setKnown({ types: types.task_types.map((it) => it.name), dags: dags.dags.map((it) => it.name) }),
      (error) => setRefused(error.message),
    );
  }, []);
  useEffect(() => form.current?.querySelector("[aria-invalid=true]")?.focus(), [errors]);
  const own = one ? [`${one.kind} ${one.target}`] : [];
  const targets = [...new Set([...known.types.map((name) => `task ${name}`), ...known.dags.map((name) => `dag ${name}`), ...own])];
  const send = async () => {
    setRefused(null);
    const { body, wrong } = collect(typed, targets);
    setErrors(wrong);
    if (wrong.size) return;
    try {
      const { became } = await post("schedules", { ...body, replace: one !== null });
      tell(became === "made" ? `Schedule ${body.name} is made` : became === "same" ? `Schedule ${body.name} is just so already` : `Schedule ${body.name} is changed; it goes on from now`);
      go("schedules", body.name);
    } catch (error) {
      const about = aboutOf(error, FIELDS.map(([name]) => name));
      if (about) setErrors(new Map([[about, error.message]]));
      else setRefused(error.message);
    }
  };
  const field = ([name, kind, required]) => {
    const type = (value) => setTyped({ ...typed, [name]: value });
    if (name === "name" && one) return html`<p key=${name} class="faint">A schedule keeps its name.</p>`;
    if (name !== "target") return html`<${Field} key=${name} id=${`schedule-${name}`} name=${name} field=${kind} required=${required} value=${typed[name]} error=${errors.get(name)} onType=${type} />`;
    const value = targets.indexOf(typed.target);
    return html`<${Field} key=${name} id="schedule-target" name="starts" field=${{ kind: "choice", choices: targets, hint: "a task type or a graph" }} required value=${value < 0 ? "" : String(value)} error=${errors.get(name)} onType=${(index) => type(targets[Number(index)] ?? "")} />`;
  };
  return html`<form ref=${form} class="form" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
    ${FIELDS.slice(0, 7).map(field)}
    <details class="options" open=${one !== null}><summary>Options</summary><div class="form">${FIELDS.slice(7).map(field)}</div></details>
    <div class="row"><${Button} class="primary" onPress=${send}>${one ? "Change it" : "Make it"}<//><a class="button" href=${one ? link("schedules", one.name) : link("schedules")}>Leave</a></div>
    ${refused && html`<p class="notice bad" role="alert"><${Text}>${refused}<//></p>`}
    <button class="hidden" tabindex="-1" aria-hidden="true">Submit</button>
  </form>`;
}

function Actions({ one, refresh }) {
  const pause = usePauses(refresh);
  const run = async () => {
    await attempt(async () => {
      const { id } = await post(`${at(one.name)}/run`);
      return `Started once: ${id}`;
    });
    await refresh();
  };
  const drop = async () => {
    if (!(await ask(`Delete schedule ${shown(one.name)}?`, "What it started goes on. One that stands in the app's code comes back with the next worker.", "Delete it"))) return;
    if (await attempt(() => remove(at(one.name)), `Schedule ${one.name} is deleted`)) go("schedules");
  };
  return html`<div class="row wrap"><${Button} onPress=${run}>Run now<//><${Button} onPress=${() => pause(one)}>${one.paused ? "Resume" : "Pause"}<//><a class="button" href=${link("schedules", one.name, { edit: 1 })}>Edit</a><${Button} onPress=${drop}>Delete…<//></div>`;
}

/** News of a schedule. When it goes on at another time, those that follow are asked for. */
const moved = ({ one, times }, news) => (news.next === one.next && news.timing === one.timing ? { one: news, times } : ASK);

function One({ name, edit }) {
  const { data, error, refresh } = useWatch(
    `schedule ${name}`,
    async (signal) => {
      const [one, times] = await Promise.all([get(at(name), {}, signal), get(`${at(name)}/times`, {}, signal)]);
      return { one, times: times.times };
    },
    { topic: topicNamed("schedule", name), merge: moved },
  );
  if (!data) {
    return html`<${Heading}>Schedule<//>${[404, 422].includes(error?.status)
      ? html`<${Empty} title="There is no such schedule."><${Text}>${error.message}<//><//>`
      : html`<${Waiting} error=${error} />`}`;
  }
  const { one, times } = data;
  const crumbs = html`<p class="crumbs"><a href="#/schedules">Schedules</a></p>`;
  if (edit) return html`${crumbs}<${Heading}>Edit <${Text}>${one.name}<//><//><${Card}><${Form} key=${one.name} one=${one} /><//>`;
  const given = one.args.length || Object.keys(one.kwargs).length;
  return html`${crumbs}
    <div class="row wrap title"><${Heading}><${Text}>${one.name}<//><//><${State} one=${one} /><span class="push"></span><${Actions} one=${one} refresh=${refresh} /></div>
    <${Card}><${Facts} facts=${[
      ["When", html`<span class="mono"><${Text}>${one.timing}<//></span>`],
      ["Starts", html`<a href=${home(one)}><${Text}>${one.target}<//></a>`],
      ["Next", one.next && html`<${Time} at=${one.next} />`],
      ["Last", one.last && html`<${Time} at=${one.last} />`],
      ["It started", one.last_id && started(one)],
      ["Started", number(one.started)],
      ["Passed over", one.passed ? number(one.passed) : null],
      ["Waiting", one.waiting ? number(one.waiting) : null],
      ["Overlap", one.overlap],
      ["Missed", one.missed],
      ["Jitter", one.jitter ? duration(one.jitter) : null],
    ]} /><//>
    <div class="columns">
      <${Card} title="Next times" note="in your zone, without jitter">${times.length
        ? html`<ol class="plain" aria-label="Next times">${times.map((time) => html`<li key=${time}><${Time} at=${time} day /></li>`)}</ol>`
        : html`<p class="faint">There are no more.</p>`}<//>
      <${Card} title="Arguments">${given ? html`<${Tree} value=${{ args: one.args, kwargs: one.kwargs }} label="Arguments" />` : html`<p class="faint">It is given none.</p>`}<//>
    </div>`;
}

function All() {
  const [trail, setTrail] = useState([null]);
  const cursor = trail.at(-1);
  const { data, error, refresh } = useWatch(`schedules ${cursor}`, (signal) => get("schedules", { cursor, limit: ROWS }, signal), { topic: cursor ? null : `schedules?limit=${ROWS}` });
  const full = Boolean(data?.cursor);
  return html`<div class="row wrap title"><${Heading}>Schedules<//><span class="push"></span><a class="button" href="#/schedules?new=1">New schedule</a></div>
    <p class="lead">What is started again and again, by a cron line or an interval. Any worker of the app does it.</p>
    <${Card} flush>${data ? html`<${List} schedules=${data.schedules} refresh=${refresh} />` : html`<${Waiting} error=${error} />`}
      ${(full || trail.length > 1) && html`<nav class="pager" aria-label="Pages of the list"><button disabled=${trail.length < 2} onClick=${() => setTrail(trail.slice(0, -1))}>Previous</button><span>Page ${trail.length}</span><button disabled=${!full} onClick=${() => setTrail([...trail, data.cursor])}>Next</button></nav>`}
    <//>`;
}

export function Schedules({ name }) {
  const { query } = route.value;
  if (name !== null) return html`<${One} key=${name} name=${name} edit=${Boolean(query.edit)} />`;
  if (query.new) return html`<p class="crumbs"><a href="#/schedules">Schedules</a></p><${Heading}>New schedule<//><${Card}><${Form} /><//>`;
  return html`<${All} />`;
}
