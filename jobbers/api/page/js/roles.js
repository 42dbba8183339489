// Roles: who serves which queues; changed by a form, or by a queue that is dragged onto a role or pressed and put there.

import { html, signal, useEffect, useRef, useState } from "../vendor/vendor.js";
import { get, put, remove } from "./api.js";
import { Field, read } from "./form.js";
import { many, number, shown } from "./text.js";
import { Button, Card, Empty, Heading, Table, Text, Waiting, ask, attempt, tell } from "./ui.js";
import { useWatch } from "./watch.js";

const SILENT = 10;
const SHOWN = 5;
const KIND = "text/x-jobbers-queue"; // so that nothing else that is dragged counts
const at = (name) => `roles/${encodeURIComponent(name)}`;

const rowsOf = (role) => Object.entries(role.queues).map(([queue, weight]) => ({ queue, weight: String(weight) }));
const textOf = ({ rows, strict }) => JSON.stringify([rows.map(({ queue, weight }) => [queue, weight]), strict]);

/** What the API is to be told of a role. Throws an Error whose message says what is wrong. */
function wanted({ rows, strict }) {
  if (!rows.length) throw new Error("a role needs a queue");
  if (strict) return { queues: rows.map(({ queue }) => queue), strict };
  return {
    queues: Object.fromEntries(rows.map(({ queue, weight }) => {
      try {
        return [queue, read({ kind: "number", whole: true }, weight, true)];
      } catch (error) {
        throw new Error(`the weight of ${queue} ${error.message}`);
      }
    })),
    strict,
  };
}

/** Change a role; where that leaves a queue unserved, ask whether to do it all the same. */
async function insist(change) {
  try {
    await change(false);
  } catch (error) {
    if (error.code !== "conflict") throw error;
    if (!(await ask("Leave a queue unserved?", error.message, "Do it anyway"))) return false;
    await change(true);
  }
  return true;
}

/** The queue that was pressed, to be put into a role: for keyboards and touch. */
const picked = signal(null);

/** A queue that can be taken. It is no button element, as those cannot be dragged everywhere. */
function Chip({ name, note = null, bad = false }) {
  const taken = picked.value === name;
  const press = () => (picked.value = taken ? null : name);
  const type = (event) => {
    if (event.key === "Escape") picked.value = null;
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    press();
  };
  const grab = (event) => {
    event.dataTransfer.setData(KIND, name);
    event.dataTransfer.effectAllowed = "copy";
  };
  return html`<span class=${`chip${bad ? " unserved" : ""}${taken ? " taken" : ""}`} role="button" tabindex="0" aria-pressed=${taken} title="Drag it onto a role; or press it, and then the button of a role" draggable="true" onClick=${press} onKeyDown=${type} onDragStart=${grab}><span aria-hidden="true">⠿</span><${Text}>${name}<//>${note && html` <span class="faint">${note}</span>`}</span>`;
}

function Row({ row, index, role, draft, edit }) {
  const change = (rows) => edit({ ...draft, rows });
  const earlier = () => {
    const rows = [...draft.rows];
    rows.splice(index - 1, 0, ...rows.splice(index, 1));
    change(rows);
  };
  const weigh = (weight) => change(draft.rows.map((one, place) => (place === index ? { ...one, weight } : one)));
  const label = `${shown(row.queue)} in role ${shown(role.name)}`;
  return html`<li class="role-queue">
    <span class="grow"><${Text}>${row.queue}<//>${role.idle.includes(row.queue) && html` <span class="tag warn" title="No task type sends there, nothing waits or was done for an hour">idle</span>`}</span>
    ${!draft.strict && html`<input class="weight" type="text" inputmode="numeric" aria-label=${`Weight of ${label}`} value=${row.weight} onInput=${(event) => weigh(event.target.value)} />`}
    <button type="button" disabled=${index === 0} onClick=${earlier} aria-label=${`Move ${label} up`}>↑</button>
    <button type="button" onClick=${() => change(draft.rows.filter((_, place) => place !== index))} aria-label=${`Take ${label} away`}>✕</button>
  </li>`;
}

function Add({ role, draft, add, known }) {
  const [typed, setTyped] = useState("");
  const others = known.filter((queue) => !draft.rows.some((row) => row.queue === queue));
  const id = `add-${role.name}`;
  const send = () => {
    if (typed.trim()) add(typed.trim());
    setTyped("");
  };
  return html`<div class="row"><label class="hidden" for=${id}>Queue to add to role ${shown(role.name)}</label>
    <input id=${id} list=${`${id}-known`} value=${typed} placeholder="queue" autocomplete="off" spellcheck="false" onInput=${(event) => setTyped(event.target.value)}
      onKeyDown=${(event) => { if (event.key === "Enter") { event.preventDefault(); send(); } }} />
    <datalist id=${`${id}-known`}>${others.map((queue) => html`<option key=${queue} value=${queue} />`)}</datalist>
    <button type="button" onClick=${send} aria-label=${`Add the queue to role ${shown(role.name)}`}>Add</button></div>`;
}

function Role({ role, known, refresh }) {
  const stored = { rows: rowsOf(role), strict: role.strict };
  const [draft, setDraft] = useState(null);
  const [over, setOver] = useState(false);
  const [refused, setRefused] = useState(null);
  const now = draft ?? stored;
  const changed = draft !== null && textOf(draft) !== textOf(stored);
  const add = (queue) => !now.rows.some((row) => row.queue === queue) && setDraft({ ...now, rows: [...now.rows, { queue, weight: "1" }] });
  const ours = (event) => event.dataTransfer.types.includes(KIND);
  const drag = {
    onDragOver: (event) => { if (ours(event)) { event.preventDefault(); event.dataTransfer.dropEffect = "copy"; setOver(true); } },
    onDragLeave: (event) => !event.currentTarget.contains(event.relatedTarget) && setOver(false),
    onDrop: (event) => { setOver(false); if (ours(event)) { event.preventDefault(); add(event.dataTransfer.getData(KIND)); } },
  };
  const save = async () => {
    setRefused(null);
    try {
      const body = wanted(now);
      if (!(await insist((force) => put(at(role.name), { ...body, force })))) return;
      tell(`Role ${role.name} is changed: its workers follow within a second`);
      await refresh();
      setDraft(null);
    } catch (error) {
      setRefused(error.message);
    }
  };
  const reset = async () => {
    await attempt(async () => ((await insist((force) => remove(`${at(role.name)}${force ? "?force=true" : ""}`))) ? `Role ${role.name} is what the code says` : null));
    await refresh();
    setDraft(null);
  };
  const queue = picked.value;
  const take = () => {
    add(queue);
    picked.value = null;
  };
  const source = { live: "changed live", code: "as the code says", nobody: "not defined" }[role.source];
  return html`<section class=${over ? "card role over" : "card role"} aria-label=${`Role ${shown(role.name)}`} ...${drag}>
    <header><h2><${Text}>${role.name}<//></h2><span class="note">${source}</span><span class="push"></span>
      <span class=${role.workers.length ? "state good" : "state warn"} title=${role.workers.map(shown).join(", ")}>${many(role.workers.length, "worker")}</span></header>
    <div class="card-body">
      ${queue !== null && !now.rows.some((row) => row.queue === queue) && html`<div class="row"><button type="button" class="primary" onClick=${take} aria-label=${`Put ${shown(queue)} into role ${shown(role.name)}`}>Put <${Text}>${queue}<//> here</button></div>`}
      ${now.rows.length ? html`<ol class="plain" aria-label=${`Queues of role ${shown(role.name)}`}>${now.rows.map((row, index) => html`<${Row} key=${row.queue} row=${row} index=${index} role=${role} draft=${now} edit=${setDraft} />`)}</ol>` : html`<p class="faint">It has no queues: its workers wait.</p>`}
      <${Add} role=${role} draft=${now} add=${add} known=${known} />
      <label><input type="checkbox" checked=${now.strict} onChange=${(event) => setDraft({ ...now, strict: event.target.checked })} /> Strict order: a queue comes only when those above it are empty</label>
      <div class="row wrap">
        <${Button} class="primary" disabled=${!changed} onPress=${save} aria-label=${`Save role ${shown(role.name)}`}>Save<//>
        ${changed && html`<button type="button" onClick=${() => { setDraft(null); setRefused(null); }}>Leave as it was</button><span class="warn" role="status">not saved yet</span>`}
        ${!changed && role.source === "live" && html`<${Button} onPress=${reset} aria-label=${`Reset role ${shown(role.name)}`}>Reset<//>`}
      </div>
      ${refused && html`<p class="notice bad" role="alert"><${Text}>${refused}<//></p>`}
    </div>
  </section>`;
}

function NewRole({ known, refresh }) {
  const [typed, setTyped] = useState({});
  const [errors, setErrors] = useState(new Map());
  const form = useRef(null);
  useEffect(() => form.current?.querySelector("[aria-invalid=true]")?.focus(), [errors]);
  const send = async () => {
    const wrong = new Map(["name", "queue"].filter((name) => !typed[name]?.trim()).map((name) => [name, "is needed"]));
    setErrors(wrong);
    if (wrong.size) return;
    try {
      await put(at(typed.name.trim()), { queues: [typed.queue.trim()] });
      tell(`Role ${typed.name} is defined: start workers with --role ${typed.name}`);
      setTyped({});
      await refresh();
    } catch (error) {
      setErrors(new Map([[error.code === "invalid_name" && !error.message.includes("role") ? "queue" : "name", error.message]]));
    }
  };
  const field = (name, hint) => html`<${Field} id=${`role-${name}`} name=${name} field=${{ kind: "text", hint }} required value=${typed[name]} error=${errors.get(name)} onType=${(value) => setTyped({ ...typed, [name]: value })} />`;
  return html`<form ref=${form} class="form" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
    ${field("name", "workers are started with jobbers worker APP --role NAME")}
    ${field("queue", known.length ? `its first queue, such as ${known[0]}` : "its first queue")}
    <div class="row"><button class="primary">Define it</button></div>
  </form>`;
}

const queuesOf = (worker) => (worker.facts.queues ?? "").split(",").filter(Boolean);

function Served({ queues, roles, workers }) {
  const named = (worker) => worker.facts.name || worker.id;
  return html`<${Table} caption="Who serves what" columns=${[{ name: "Queue" }, { name: "Roles", grow: true }, { name: "Workers", grow: true }]}
    rows=${queues.map((queue) => {
      const serving = workers.filter((worker) => queuesOf(worker).includes(queue)).map(named);
      return {
        key: queue,
        cells: [
          html`<${Chip} name=${queue} />`,
          html`<${Text}>${roles.filter((role) => Object.hasOwn(role.queues, queue)).map((role) => role.name).join(", ") || "–"}<//>`,
          serving.length ? html`<${Text}>${serving.slice(0, SHOWN).join(", ")}<//>${serving.length > SHOWN ? ` and ${number(serving.length - SHOWN)} more` : ""}` : html`<span class="faint">nobody, and nothing is there to do</span>`,
        ],
      };
    })} />`;
}

export function Roles() {
  useEffect(() => () => (picked.value = null), []);
  const [of, inQueues, there] = ["roles", "queues", "workers"].map((path) => useWatch(path, (signal) => get(path, {}, signal), { topic: path }));
  const lead = html`<p class="lead">Who serves which queues. Change it here, or drag a queue onto a role (or press it, and then the role that is to have it) and save; running workers follow within a second.</p>`;
  if (!of.data || !inQueues.data || !there.data) return html`<${Heading}>Roles<//>${lead}<${Card}><${Waiting} error=${of.error ?? inQueues.error ?? there.error} /><//>`;
  const { roles, unserved } = of.data;
  const { queues } = inQueues.data;
  const workers = there.data.workers.filter((one) => one.silent_seconds < SILENT && one.facts.stopping !== "1");
  const { refresh } = of;
  const without = new Set(unserved.map((one) => one.queue));
  const known = [...new Set([...queues.map((one) => one.name), ...workers.flatMap(queuesOf), ...roles.flatMap((role) => Object.keys(role.queues)), ...without])].sort();
  return html`<${Heading}>Roles<//>${lead}
    ${unserved.length > 0 && html`<${Card} title="Nobody serves" note="tasks wait there, or task types send there">
      <ul class="chips" aria-label="Queues that nobody serves">${unserved.map((one) => html`<li key=${one.queue}><${Chip} name=${one.queue} note=${one.waiting ? `${number(one.waiting)} waiting` : "nothing waits"} bad /></li>`)}</ul><//>`}
    ${known.length > 0 && html`<${Card} title="Who serves what" note="drag or press a queue" flush><${Served} queues=${known.filter((name) => !without.has(name))} roles=${roles} workers=${workers} /><//>`}
    ${roles.length
      ? html`<div class="columns">${roles.map((role) => html`<${Role} key=${role.name} role=${role} known=${known} refresh=${refresh} />`)}</div>`
      : html`<${Card} flush><${Empty} title="There are no roles.">Workers without a role serve the queues of their task types. Define one below, or in code: <code>Jobbers(roles=…)</code>.<//><//>`}
    <${Card} title="New role"><${NewRole} known=${known} refresh=${refresh} /><//>`;
}
