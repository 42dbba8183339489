// Why a task waits.

import { html } from "../vendor/vendor.js";
import { get } from "./api.js";
import { link } from "./route.js";
import { Card, TaskLink, Text, Waiting } from "./ui.js";
import { topicOf, useWatch } from "./watch.js";

const SHOWN = 10;
const WAITS = ["blocked", "scheduled", "queued"];

const ID = /\b([0-7][0-9A-HJKMNP-TV-Z]{25})\b/;

/** A sentence in which ids of tasks lead to them. */
const Sentence = ({ text }) =>
  text.split(ID).map((part, index) => (index % 2 ? html`<${TaskLink} key=${index} id=${part} />` : html`<${Text} key=${index}>${part}<//>`));

function Reason({ reason }) {
  const nodes = Array.isArray(reason.facts.nodes) ? reason.facts.nodes.slice(0, SHOWN) : [];
  return html`<span>${reason.task && html`<${TaskLink} id=${reason.task} />: `}<${Sentence} text=${reason.text} /></span>
    ${nodes.length > 0 && html`<ul class="chips" aria-label="Nodes">${nodes.map(
      ({ id, name }) => html`<li key=${id}><a href=${link("tasks", id)}><${Text}>${name}<//></a></li>`,
    )}</ul>`}`;
}

/** For a task that waits: what holds it up, and what would next. Kept fresh. */
export function Why({ task }) {
  return WAITS.includes(task.status) ? html`<${Answer} id=${task.id} />` : null;
}

function Answer({ id }) {
  const { data, error } = useWatch(`why ${id}`, (signal) => get(`tasks/${encodeURIComponent(id)}/why`, {}, signal), { topic: topicOf("why", id) });
  if (!data) return html`<${Card} title="Why is it waiting?"><${Waiting} error=${error} /><//>`;
  return html`<${Card} title="Why is it waiting?">
    <div class="why-first"><${Reason} reason=${data.primary} /></div>
    ${data.others.length > 0 && html`<div><p class="faint">And then:</p>
      <ol class="why-next">${data.others.map((reason, index) => html`<li key=${index}><${Reason} reason=${reason} /></li>`)}</ol></div>`}
  <//>`;
}
