// The pieces that all views are made of.

import { Fragment, html, signal, useEffect, useRef, useState } from "../vendor/vendor.js";
import { toJson } from "./api.js";
import { link } from "./route.js";
import { dated, exactly, isOurs, moment, shown } from "./text.js";

// A shape of its own for each status, so that colour is never all there is.
const SHAPES = new Map([
  ["blocked", html`<path d="M7 1.500 12.500 7 7 12.500 1.500 7Z" />`],
  ["scheduled", html`<circle cx="7" cy="7" r="5.250" /><path d="M7 3.800V7l2.200 1.600" />`],
  ["queued", html`<circle cx="7" cy="7" r="5.250" stroke-dasharray="2.300 1.800" />`],
  ["running", html`<circle cx="7" cy="7" r="5.250" /><path class="solid" d="M5.500 4.300 9.600 7 5.500 9.700Z" />`],
  ["succeeded", html`<circle class="solid" cx="7" cy="7" r="5.250" /><path class="on" d="m4.600 7.200 1.700 1.700 3.200-3.600" />`],
  ["failed", html`<path class="solid" d="M4.500 1.500h5l3 3v5l-3 3h-5l-3-3v-5Z" /><path class="on" d="m5.100 5.100 3.800 3.800m0-3.800-3.800 3.800" />`],
  ["cancelled", html`<circle cx="7" cy="7" r="5.250" /><path d="m3.400 3.400 7.200 7.200" />`],
  ["skipped", html`<path d="m2 3 4 4-4 4m5-8 4 4-4 4" />`],
]);

export const Shape = ({ status }) =>
  html`<svg class="shape" viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">${SHAPES.get(status) ?? null}</svg>`;

/** A status: its shape, its word and its colour; and how well it goes, of a running task. */
export function Status({ status, liveness = null }) {
  const word = status ?? "expired";
  const odd = liveness === "slow" || liveness === "stalled";
  return html`<span class=${`status is-${SHAPES.has(word) ? word : "other"}`}><${Shape} status=${word} />${word}${odd &&
  html`<span class="tag warn">${liveness}</span>`}</span>`;
}

/** A time in the viewer's zone, the exact one on hover; with `day` always with its day. */
export function Time({ at, day = false }) {
  if (!at) return html`<span class="faint">–</span>`;
  const date = new Date(at);
  return html`<time datetime=${at} title=${exactly(date)}>${day ? dated(date) : moment(date)}</time>`;
}

/** Text that others wrote. */
export const Text = ({ children }) => html`<bdi>${shown(children ?? "")}</bdi>`;

let arrived = false;

/** Somebody went to another page: its heading takes the focus, so that a screen reader says where one is. */
export function arrive(main) {
  arrived = true;
  main.querySelector("h1")?.focus({ preventScroll: true });
}

/** The heading of a page, which names the tab. When it takes the place of one that had the focus, it takes that, too. */
export function Heading({ children }) {
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${heading.current.textContent} · Jobbers`;
  });
  useEffect(() => {
    if (arrived && document.activeElement === document.body) heading.current.focus({ preventScroll: true });
  }, []);
  return html`<h1 ref=${heading} tabindex="-1">${children}</h1>`;
}

export const TaskLink = ({ id }) => html`<a class="id" href=${link("tasks", id)} title=${shown(id)}>${shown(id)}</a>`;

/** A task type, which leads to its page. */
export const TypeLink = ({ type }) => (isOurs(type) ? html`<${Text}>${type}<//>` : html`<a href=${link("types", type)}><${Text}>${type}<//></a>`);

export const Empty = ({ title, children }) => html`<div class="empty"><p class="empty-title">${title}</p><p>${children}</p></div>`;

// What a key may not see is no failure: it is said in words, by the code of the refusal.
const CLOSED = new Map([
  ["queue_forbidden", "Your key sees only its own queues."],
  ["forbidden", "Your key may not see this."],
]);

const sentence = (text) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

export const Loading = () => html`<p class="loading" role="status">Loading…</p>`;

/** What stands in the place of what is not there yet: why, or that it comes. */
export function Waiting({ error }) {
  if (!error) return html`<${Loading} />`;
  if (CLOSED.has(error.code)) return html`<${Empty} title=${CLOSED.get(error.code)}><${Text}>${sentence(error.message)}<//><//>`;
  return html`<div class="notice bad" role="alert"><strong>${error.status === 404 ? "Not found." : "That did not work."}</strong> <${Text}>${error.message}<//></div>`;
}

export const Card = ({ title, note = null, actions = null, flush = false, children }) => html`
  <section class="card">
    ${title && html`<header><h2>${title}</h2>${note && html`<span class="note">${note}</span>`}<span class="push"></span>${actions}</header>`}
    <div class=${flush ? "card-body flush" : "card-body"}>${children}</div>
  </section>
`;

/** A table with a caption for screen readers. `columns`: [{name, end, wide, label}], `wide` is left out on phones and in brief, `phone: false` on phones. */
export function Table({ caption, columns, rows }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}><table>
    <caption class="hidden">${caption}</caption>
    <thead><tr>${columns.map(
      (column) => html`<th scope="col" class=${kind(column)}>${column.head ?? column.name}</th>`,
    )}</tr></thead>
    <tbody>${rows.map(
      (row) => html`<tr key=${row.key} class=${[row.selected && "selected", row.at && "at"].filter(Boolean).join(" ")} aria-current=${row.at ? "true" : null}>${row.cells.map(
        (cell, index) => html`<td class=${kind(columns[index])}>${cell}</td>`,
      )}</tr>`,
    )}</tbody>
  </table></div>`;
}

const kind = (column) => [column.end && "end", (column.wide || column.phone === false) && "wide", column.grow && "grow", column.slim && "slim"].filter(Boolean).join(" ");

export const Facts = ({ facts }) => html`<dl class="facts">${facts
  .filter(([, value]) => value !== null && value !== undefined && value !== "")
  .map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

// Messages that come and go

const toasts = signal([]);
let last = 0;

/** Tell what became of something. `bad` stays longer. */
export function tell(text, bad = false) {
  const id = ++last;
  toasts.value = [...toasts.value.slice(-3), { id, text, bad }];
  setTimeout(() => (toasts.value = toasts.value.filter((one) => one.id !== id)), bad ? 10000 : 5000);
}

/** Run an action and tell of its end. Returns whether it went well. */
export async function attempt(action, done = null) {
  try {
    const said = await action();
    const words = done ?? said;
    if (words) tell(words);
    return true;
  } catch (error) {
    tell(error.message, true);
    return false;
  }
}

export const Toasts = () => html`<div class="toasts" role="status" aria-live="polite">${toasts.value.map(
  (one) => html`<div key=${one.id} class=${one.bad ? "toast bad" : "toast"}><span aria-hidden="true">${one.bad ? "✕" : "✓"}</span> <${Text}>${one.text}<//></div>`,
)}</div>`;

// Questions

const question = signal(null);

/** Ask before something that cannot be taken back. Resolves to whether to go on. */
export const ask = (title, text, yes) =>
  new Promise((resolve) => (question.value = { title, text, yes, resolve }));

export function Question() {
  const dialog = useRef(null);
  const asked = question.value;
  useEffect(() => {
    if (asked && !dialog.current.open) dialog.current.showModal();
  }, [asked]);
  if (!asked) return null;
  const answer = (value) => {
    question.value = null;
    asked.resolve(value);
  };
  return html`<dialog ref=${dialog} aria-labelledby="question" onCancel=${() => answer(false)}>
    <h2 id="question">${asked.title}</h2>
    <p>${asked.text}</p>
    <div class="row end">
      <button onClick=${() => answer(false)}>Keep as it is</button>
      <button class="danger" onClick=${() => answer(true)}>${asked.yes}</button>
    </div>
  </dialog>`;
}

/** A button that cannot be pressed twice while its work is under way. */
export function Button({ onPress, children, ...rest }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    setBusy(true);
    try {
      await onPress();
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" ...${rest} disabled=${busy || rest.disabled} aria-busy=${busy} onClick=${press}>${children}</button>`;
}

// Values as trees

const FIRST = 100;
const LONG = 400;

/** A JSON value as a tree that opens and closes. */
export function Tree({ value, label }) {
  const [raw, setRaw] = useState(false);
  const nested = value !== null && typeof value === "object";
  return html`<div class="tree" role="group" aria-label=${label}>
    ${nested && html`<button class="link tree-raw" aria-pressed=${raw} onClick=${() => setRaw(!raw)}>${raw ? "Tree" : "JSON"}</button>`}
    ${raw ? html`<pre tabindex="0"><bdi>${shown(toJson(value, 2))}</bdi></pre>` : html`<${Branch} value=${value} depth=${0} />`}
  </div>`;
}

function Branch({ name = null, value, depth }) {
  const [all, setAll] = useState(false);
  const key = name !== null && html`<span class="key"><bdi>${shown(name)}</bdi></span>`;
  if (value === null || typeof value !== "object") return html`<div class="leaf">${key}<${Leaf} value=${value} /></div>`;
  const list = Array.isArray(value);
  const keys = Object.keys(value);
  if (!list && keys.length === 1 && keys[0] === "$result" && typeof value.$result === "string") {
    return html`<div class="leaf">${key}<span class="kind">result of</span> <${TaskLink} id=${value.$result} /></div>`;
  }
  const size = list ? `[${keys.length}]` : `{${keys.length}}`;
  if (!keys.length) return html`<div class="leaf">${key}<span class="kind">${list ? "[]" : "{}"}</span></div>`;
  const visible = all ? keys : keys.slice(0, FIRST);
  return html`<details open=${depth < 2 && keys.length <= 20}>
    <summary>${key}<span class="kind">${size}</span></summary>
    <div class="branch">
      ${visible.map((one) => html`<${Branch} key=${one} name=${one} value=${value[one]} depth=${depth + 1} />`)}
      ${visible.length < keys.length && html`<button class="link" onClick=${() => setAll(true)}>${`${keys.length - visible.length} more`}</button>`}
    </div>
  </details>`;
}

function Leaf({ value }) {
  const [all, setAll] = useState(false);
  if (typeof value !== "string") return html`<span class=${value === null ? "v-null" : `v-${typeof value}`}>${String(value)}</span>`;
  const cut = !all && value.length > LONG;
  return html`<${Fragment}><bdi class="v-string">${`"${shown(cut ? value.slice(0, LONG) : value)}${cut ? "…" : ""}"`}</bdi>${cut &&
  html` <button class="link" onClick=${() => setAll(true)}>${`all ${value.length} characters`}</button>`}<//>`;
}
