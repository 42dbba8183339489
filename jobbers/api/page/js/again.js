// Another task with the arguments of one that exists, or others.

import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { post, toJson } from "./api.js";
import { Field, read } from "./form.js";
import { go } from "./route.js";
import { Button, Card, Text, tell } from "./ui.js";

const LIST = { kind: "json", hint: "JSON list of the positional arguments" };
const OBJECT = { kind: "json", hint: "JSON object of the arguments by name" };

/** A form with the arguments of a task. `close` takes it away. */
export function Again({ task, close }) {
  const [typed, setTyped] = useState({ args: toJson(task.args), kwargs: toJson(task.kwargs, 2) });
  const [errors, setErrors] = useState({});
  const [refused, setRefused] = useState(null);
  const form = useRef(null);
  useEffect(() => form.current.querySelector("textarea").focus(), []);
  const send = async () => {
    setRefused(null);
    const body = { type: task.type, queue: task.queue, priority: task.priority };
    const wrong = {};
    for (const [name, field] of [["args", LIST], ["kwargs", OBJECT]]) {
      try {
        body[name] = read(field, typed[name], false) ?? (name === "args" ? [] : {});
        if (Array.isArray(body[name]) !== (name === "args") || typeof body[name] !== "object") throw new Error(`is no ${field.hint}`);
      } catch (error) {
        wrong[name] = error.message;
      }
    }
    setErrors(wrong);
    if (wrong.args || wrong.kwargs) return;
    try {
      const made = await post("tasks", body);
      tell("Submitted as another task");
      close();
      go("tasks", made.id);
    } catch (error) {
      setRefused(error.message);
    }
  };
  const field = (name, kind) => html`<${Field} id=${`again-${name}`} name=${name} field=${kind} required=${false} value=${typed[name]} error=${errors[name]} onType=${(value) => setTyped({ ...typed, [name]: value })} />`;
  return html`<${Card} title="Run again with other arguments" note="as another task; this one stays as it is">
    <form ref=${form} class="form" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
      ${field("args", LIST)}${field("kwargs", OBJECT)}
      <div class="row"><${Button} class="primary" onPress=${send}>Submit<//><button type="button" onClick=${close}>Leave</button></div>
      ${refused && html`<p class="notice bad" role="alert"><${Text}>${refused}<//></p>`}
    </form><//>`;
}
