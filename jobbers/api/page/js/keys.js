// Keys of the API: made, shown once, and taken away.

import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { get, locked, post, remove } from "./api.js";
import { Field, aboutOf, read } from "./form.js";
import { me } from "./login.js";
import { number, shown } from "./text.js";
import { Button, Card, Empty, Heading, Table, Text, Time, Waiting, ask, attempt, tell } from "./ui.js";
import { useWatch } from "./watch.js";

const SELDOM = 5000;
const DAY = 86400;
const SCOPES = ["read", "submit", "operate", "admin"];
const FIELDS = [
  ["name", { kind: "text", hint: "what it is called in the audit log" }, true],
  ["scope", { kind: "choice", choices: SCOPES, hint: "each includes those before it" }, true],
  ["queues", { kind: "text", hint: "with commas between them; empty: all. Not for admin" }, false],
  ["expires", { kind: "number", hint: "in how many days it ends; empty: never" }, false],
  ["rate", { kind: "number", hint: "how many calls a second it may make; empty: as the service says" }, false],
];

function collect(typed) {
  const body = {};
  const wrong = new Map();
  for (const [name, field, required] of FIELDS) {
    try {
      const value = read(field, typed[name], required);
      if (required && value === "") throw new Error("is needed");
      if (value === undefined || value === "") continue;
      if (name === "queues") body.queues = value.split(",").map((queue) => queue.trim()).filter(Boolean);
      else body[name] = name === "expires" ? value * DAY : value;
    } catch (error) {
      wrong.set(name, error.message);
    }
  }
  return { body, wrong };
}

function Made({ made, done }) {
  const field = useRef(null);
  useEffect(() => field.current.select(), []);
  const copy = () => attempt(() => navigator.clipboard.writeText(made.key), "Copied");
  return html`<div class="notice" role="status">
    <label for="made-key"><b>Key <${Text}>${made.name}<//> is made.</b> It is shown this once: keep it now.</label>
    <input id="made-key" class="mono" ref=${field} readonly value=${made.key} onFocus=${(event) => event.target.select()} />
    <div class="row end"><${Button} onPress=${copy}>Copy<//><button onClick=${done}>I have kept it</button></div>
  </div>`;
}

function Create({ first, refresh }) {
  const [typed, setTyped] = useState({ scope: first ? String(SCOPES.indexOf("admin")) : "" });
  const [errors, setErrors] = useState(new Map());
  const [refused, setRefused] = useState(null);
  const [made, setMade] = useState(null);
  const form = useRef(null);
  useEffect(() => form.current?.querySelector("[aria-invalid=true]")?.focus(), [errors]);
  const send = async () => {
    setRefused(null);
    const { body, wrong } = collect(typed);
    setErrors(wrong);
    if (wrong.size) return;
    try {
      const key = await post("keys", body);
      setMade(key);
      setTyped({});
      if (me.value?.kind === "open") { // it was the first: from now on one has to be logged in
        me.value = await post("login", { key: key.key });
        locked.value = false;
      }
      await refresh();
    } catch (error) {
      const about = aboutOf(error, FIELDS.map(([name]) => name));
      if (about) setErrors(new Map([[about, error.message]]));
      else setRefused(error.message);
    }
  };
  return html`${made && html`<${Made} key=${made.key} made=${made} done=${() => setMade(null)} />`}
    ${first && !made && html`<p class="notice">The first key closes the API: from then on every call needs one. Make one with the scope admin; this page logs in with it.</p>`}
    <form ref=${form} class="form" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
      ${FIELDS.map(([name, field, required]) => html`<${Field} key=${name} id=${`key-${name}`} name=${name} field=${field} required=${required} value=${typed[name]} error=${errors.get(name)} onType=${(value) => setTyped({ ...typed, [name]: value })} />`)}
      <div class="row"><button class="primary">Make the key</button></div>
      ${refused && html`<p class="notice bad" role="alert"><${Text}>${refused}<//></p>`}
    </form>`;
}

function List({ keys, refresh }) {
  if (!keys.length) return html`<${Empty} title="There are no keys.">Whoever reaches the API may do everything.<//>`;
  const revoke = async (key) => {
    const own = me.value?.kind === "key" && me.value.name === key.name ? " It is the one that you are logged in with." : "";
    if (!(await ask(`Revoke key ${shown(key.name)}?`, `The next call with it is refused, and logins made with it end.${own}`, "Revoke it"))) return;
    if (await attempt(() => remove(`keys/${encodeURIComponent(key.name)}`))) tell(`Key ${key.name} is revoked`);
    await refresh();
  };
  return html`<${Table} caption="Keys"
    columns=${[{ name: "Key", grow: true }, { name: "Scope" }, { name: "Queues", wide: true, grow: true }, { name: "Made", wide: true }, { name: "Ends" }, { name: "Calls a second", end: true, wide: true }, { name: "Action", end: true, head: html`<span class="hidden">Action</span>` }]}
    rows=${keys.map((key) => ({
      key: key.name,
      cells: [
        html`<${Text}>${key.name}<//>`,
        key.scope,
        key.queues === null ? html`<span class="faint">all</span>` : html`<${Text}>${key.queues.join(", ")}<//>`,
        html`<${Time} at=${key.created} />`,
        key.expires === null ? html`<span class="faint">never</span>` : html`${key.expired && html`<span class="state bad"><span aria-hidden="true">✕</span> ended</span> `}<${Time} at=${key.expires} />`,
        key.rate ? number(key.rate) : html`<span class="faint">–</span>`,
        html`<${Button} onPress=${() => revoke(key)} aria-label=${`Revoke key ${shown(key.name)}…`}>Revoke…<//>`,
      ],
    }))} />`;
}

export function Keys() {
  const { data, error, refresh } = useWatch("keys", (signal) => get("keys", {}, signal), { every: SELDOM });
  return html`<${Heading}>Keys<//>
    <p class="lead">Who may call the API. What is stored cannot be turned back into a key.</p>
    ${data ? html`<${Card} flush><${List} keys=${data.keys} refresh=${refresh} /><//>
      <${Card} title="New key"><${Create} first=${!data.keys.length} refresh=${refresh} /><//>` : html`<${Card}><${Waiting} error=${error} /><//>`}`;
}
