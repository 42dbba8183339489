// What must not run: tasks of a type, or those of them with certain arguments.

import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { get, post, remove, toJson } from "./api.js";
import { Field, aboutOf, read } from "./form.js";
import { shown } from "./text.js";
import { Button, Card, Empty, Table, Text, Time, Waiting, ask, attempt } from "./ui.js";
import { useWatch } from "./watch.js";

const ACTIONS = ["cancel", "hold"];
const FIELDS = [
  ["type", { kind: "text", hint: "tasks of this type" }, true],
  ["where", { kind: "json", hint: 'only with these arguments, such as {"customer_id": 42}; empty: all of the type' }, false],
  ["action", { kind: "choice", choices: ACTIONS, hint: "cancel: they are cancelled and refused; hold: they wait until the strike is lifted" }, true],
  ["reason", { kind: "text", hint: "told to everybody it concerns" }, false],
];

function New({ refresh }) {
  const [typed, setTyped] = useState({ action: "1" });
  const [errors, setErrors] = useState(new Map());
  const form = useRef(null);
  useEffect(() => form.current?.querySelector("[aria-invalid=true]")?.focus(), [errors]);
  const send = async () => {
    const wrong = new Map();
    const body = {};
    for (const [name, field, required] of FIELDS) {
      try {
        const value = read(field, typed[name], required);
        if (required && value === "") throw new Error("is needed");
        if (value !== undefined) body[name] = value;
      } catch (error) {
        wrong.set(name, error.message);
      }
    }
    setErrors(wrong);
    if (wrong.size) return;
    try {
      await post("strikes", body);
      await attempt(() => `Tasks of type ${body.type} are struck: workers go by it within a second`);
      setTyped({ action: "1" });
      await refresh();
    } catch (error) {
      const about = aboutOf(error, FIELDS.map(([name]) => name));
      setErrors(new Map([[about ?? "type", error.message]]));
    }
  };
  return html`<details class="options"><summary>New strike</summary><form ref=${form} class="form" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
    ${FIELDS.map(([name, field, required]) => html`<${Field} key=${name} id=${`strike-${name}`} name=${name} field=${field} required=${required} value=${typed[name]} error=${errors.get(name)} onType=${(value) => setTyped({ ...typed, [name]: value })} />`)}
    <div class="row"><button class="primary">Strike them</button></div></form></details>`;
}

export function Strikes() {
  const { data, error, refresh } = useWatch("strikes", (signal) => get("strikes", {}, signal), { topic: "strikes" });
  const lift = async (one) => {
    if (!(await ask(`Lift the strike on ${shown(one.type)}?`, "What it has cancelled stays cancelled; what it holds goes on within a minute.", "Lift it"))) return;
    await attempt(() => remove(`strikes/${encodeURIComponent(one.id)}`), `Tasks of type ${one.type} may run again`);
    await refresh();
  };
  const rows = (data?.strikes ?? []).map((one) => ({
    key: one.id,
    cells: [
      html`<${Text}>${one.type}<//>`,
      Object.keys(one.where).length ? html`<span class="mono clip"><${Text}>${toJson(one.where)}<//></span>` : html`<span class="faint">any</span>`,
      { cancel: "cancelled", hold: "held" }[one.action] ?? html`<${Text}>${one.action}<//>`,
      html`<${Text}>${one.reason || "–"}<//>`,
      html`<${Text}>${one.by}<//>`,
      html`<${Time} at=${one.at} />`,
      html`<${Button} onPress=${() => lift(one)} aria-label=${`Lift… the strike on ${shown(one.type)}`}>Lift…<//>`,
    ],
  }));
  const columns = [{ name: "Type", grow: true }, { name: "With", grow: true, wide: true }, { name: "Are" }, { name: "Reason", grow: true, wide: true }, { name: "By", wide: true }, { name: "Since", wide: true }, { name: "Action", end: true, head: html`<span class="hidden">Action</span>` }];
  return html`<${Card} title="Strikes" note="what must not run" flush>${!data
      ? html`<${Waiting} error=${error} />`
      : rows.length
        ? html`<${Table} caption="Strikes" columns=${columns} rows=${rows} />`
        : html`<${Empty} title="Nothing is struck.">Strike a type, or some of its arguments, when its tasks must not run.<//>`}
    ${data && html`<div class="bar-below"><${New} refresh=${refresh} /></div>`}<//>`;
}
