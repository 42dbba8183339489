// Fields made from a JSON schema. What is typed is kept as text until it is sent.

import { html } from "../vendor/vendor.js";
import { shown } from "./text.js";

const DEEPEST = 20;

/** What a schema asks for: {kind, choices, nullable, hint}. Kinds: text, number, choice, truth, time, json. */
export function describe(schema, definitions = {}, depth = 0) {
  if (schema === null || typeof schema !== "object" || depth > DEEPEST) return { kind: "json", hint: "JSON" };
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.split("/").at(-1);
    const found = Object.hasOwn(definitions, name) ? definitions[name] : {};
    return describe(found, definitions, depth + 1);
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) {
    const others = choices.filter((one) => one?.type !== "null");
    const nullable = others.length < choices.length;
    if (others.length === 1) return { ...describe(others[0], definitions, depth + 1), nullable };
    return { kind: "json", nullable, hint: "JSON" };
  }
  if ("const" in schema) return { kind: "choice", choices: [schema.const] };
  if (Array.isArray(schema.enum)) return { kind: "choice", choices: schema.enum };
  switch (schema.type) {
    case "string": return schema.format === "date-time" ? { kind: "time", hint: "in your zone" } : { kind: "text", hint: schema.format ? `text: ${schema.format}` : "text" };
    case "integer": return { kind: "number", whole: true, hint: "whole number" };
    case "number": return { kind: "number", hint: "number" };
    case "boolean": return { kind: "truth", choices: [true, false] };
    case "array": return { kind: "json", hint: "JSON list, such as [1, 2]" };
    case "object": return { kind: "json", hint: 'JSON object, such as {"key": 1}' };
    default: return { kind: "json", hint: "JSON; put text in quotes" };
  }
}

/** The value that was typed. Throws an Error whose message says what is wrong; `undefined`: leave it out. */
export function read(field, typed, required) {
  const text = typed ?? "";
  if (text === "" && !(required && field.kind === "text")) {
    if (required) throw new Error("is needed");
    return undefined;
  }
  switch (field.kind) {
    case "text": return text;
    case "number": return readNumber(text.trim(), field.whole);
    case "choice":
    case "truth": return field.choices[Number(text)];
    case "time": {
      const date = new Date(text);
      if (Number.isNaN(date.getTime())) throw new Error("is not a time");
      return date.toISOString();
    }
    default: return readJson(text, field);
  }
}

function readNumber(text, whole) {
  if (whole && !/^[+-]?\d+$/.test(text)) throw new Error("is not a whole number");
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error("is not a number");
  return whole && !Number.isSafeInteger(value) ? BigInt(text) : value;
}

function readJson(text, field) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/^[\s"[{\d-]/.test(text)) throw new Error("is not JSON: put text in quotes");
    throw new Error(`is not JSON (${field.hint ?? "JSON"}): ${error.message}`);
  }
}

/** The field that an error of the API is about: it says so, or begins with its name. None if it is about something else. */
export const aboutOf = (error, names) =>
  names.find((name) => error.parameter === name || error.parameter?.startsWith(`${name}.`)) ?? names.find((name) => error.message.startsWith(`${name} `));

const word = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** One field with its label, its hint and its error. */
export function Field({ id, name, field, required, schema = {}, value, error, onType }) {
  const described = [error ? `${id}-error` : null, `${id}-hint`].filter(Boolean).join(" ");
  const shared = {
    id,
    name,
    "aria-invalid": error ? "true" : null,
    "aria-required": required ? "true" : null,
    "aria-describedby": described,
    onInput: (event) => onType(event.target.value),
  };
  const fallback = "default" in schema ? `default: ${word(schema.default)}` : field.nullable ? "empty: null or the default" : "";
  const hint = [field.hint, schema.description, fallback].filter(Boolean).map(shown).join(" · ");
  return html`<div class=${error ? "field wrong" : "field"}>
    <label for=${id}><bdi>${shown(name)}</bdi>${required ? html`<span class="needed"> needed</span>` : null}</label>
    ${control(field, shared, value ?? "", required)}
    <span class="hint" id=${`${id}-hint`}>${hint}</span>
    ${error && html`<span class="error-text" id=${`${id}-error`}><span aria-hidden="true">✕ </span><bdi>${shown(error)}</bdi></span>`}
  </div>`;
}

function control(field, shared, value, required) {
  switch (field.kind) {
    case "choice":
    case "truth":
      return html`<select ...${shared} value=${value} onChange=${shared.onInput}>
        <option value="">${required ? "choose" : (field.none ?? "leave out")}</option>
        ${field.choices.map((choice, index) => html`<option key=${index} value=${String(index)}>${shown(word(choice))}</option>`)}
      </select>`;
    case "json":
      return html`<textarea ...${shared} rows=${Math.min(8, Math.max(2, value.split("\n").length))} spellcheck="false" value=${value}></textarea>`;
    case "time":
      return html`<input type="datetime-local" step="1" ...${shared} value=${value} />`;
    case "number":
      return html`<input type="text" inputmode="decimal" autocomplete="off" ...${shared} value=${value} />`;
    default:
      return html`<input type="text" autocomplete="off" ...${shared} value=${value} />`;
  }
}
