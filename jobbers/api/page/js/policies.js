// What operators set live about a task type, beside what its code says.

import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { put, remove } from "./api.js";
import { Field, read } from "./form.js";
import { duration, policyWords, shown } from "./text.js";
import { Button, Text, attempt } from "./ui.js";

const TIME = { kind: "number" };
const WHOLE = { kind: "number", whole: true };
const UNSET = "as the code says";
const OPTIONS = [
  ["priority", WHOLE, "0 is last, 9 first"],
  ["timeout", TIME, "seconds of one execution, or none"],
  ["heartbeat", TIME, "longest silence in seconds, or none"],
  ["deadline", TIME, "longest wait for the start in seconds, or none"],
  ["slow_after", TIME, "seconds, or none"],
  ["retention", TIME, "seconds for which records stay"],
  ["failed_retention", TIME, "seconds for which dead letters stay"],
  ["attempts", WHOLE, "executions in all"],
  ["backoff", { kind: "choice", choices: ["fixed", "linear", "exponential"], none: UNSET }, ""],
  ["delay", TIME, "seconds of the first wait"],
  ["cap", TIME, "seconds of the longest wait"],
  ["jitter", { kind: "truth", choices: [true, false], none: UNSET }, "whether waits are spread by chance"],
];
const NONE = new Set(["timeout", "heartbeat", "deadline", "slow_after"]);
const RETRY = new Set(["attempts", "backoff", "delay", "cap", "jitter"]);

/** The options of a policy as the API has it, by their names. */
const flat = ({ retry = {}, ...rest }) => ({ ...rest, ...retry });

function said(name, value) {
  if (value === null) return "none";
  const [, field] = OPTIONS.find(([one]) => one === name);
  return field === TIME ? duration(value) : String(value);
}

function typedOf(live) {
  const typed = {};
  for (const [name, field] of OPTIONS) {
    if (!(name in live)) continue;
    const value = live[name];
    typed[name] = value === null ? "none" : field.choices ? String(field.choices.indexOf(value)) : String(value);
  }
  return typed;
}

/** What to send, and which fields are wrong. */
function collect(typed) {
  const body = {};
  const errors = {};
  for (const [name, field] of OPTIONS) {
    const text = (typed[name] ?? "").trim();
    try {
      const value = text === "none" && NONE.has(name) ? null : read(field, text, false);
      if (value === undefined) continue;
      if (RETRY.has(name)) body.retry = { ...body.retry, [name]: value };
      else body[name] = value;
    } catch (error) {
      errors[name] = error.message;
    }
  }
  return { body, errors };
}

/** The form. What is left empty is as the code says. `type` is that of `GET /task-types/{name}`. */
export function LivePolicy({ type, refresh }) {
  const code = flat(type.policy);
  const [typed, setTyped] = useState(() => typedOf(flat(type.live)));
  const [errors, setErrors] = useState({});
  const [refused, setRefused] = useState(null);
  const form = useRef(null);
  const path = `task-types/${encodeURIComponent(type.name)}/live`;
  useEffect(() => form.current?.querySelector("[aria-invalid=true]")?.focus(), [errors]);
  const reset = async () => {
    await attempt(() => remove(path), `${shown(type.name)} is run as its code says`);
    await refresh();
  };
  const send = async () => {
    setRefused(null);
    const { body, errors: wrong } = collect(typed);
    setErrors(wrong);
    if (Object.keys(wrong).length) return;
    try {
      const now = await put(path, body);
      await attempt(() => `From now on: ${policyWords(now.live)}`);
      await refresh();
    } catch (error) {
      const name = error.parameter?.split(".").at(-1);
      if (OPTIONS.some(([one]) => one === name)) setErrors({ [name]: error.message });
      else setRefused(error.message);
    }
  };
  return html`<form ref=${form} class="form pairs" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
    ${OPTIONS.map(([name, field, hint]) => html`<${Field} key=${name} id=${`live-${name}`} name=${name} field=${{ ...field, hint: [`in code: ${said(name, code[name])}`, hint].filter(Boolean).join(" · ") }}
      required=${false} value=${typed[name]} error=${errors[name]} onType=${(value) => setTyped({ ...typed, [name]: value })} />`)}
    <div class="row"><button class="primary">Change it</button>${Object.keys(type.live).length > 0 && html`<${Button} onPress=${reset}>Reset<//>`}</div>
    ${refused && html`<p class="notice bad" role="alert"><${Text}>${refused}<//></p>`}
    <p class="faint">What is left empty is as the code says. Workers follow within seconds; the timeout is for executions that begin, priority and deadline for what is submitted.</p>
  </form>`;
}
