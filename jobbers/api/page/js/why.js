// Why a task waits.

import { html } from "../vendor/vendor.js";
import { get } from "./api.js";
import { Card, TaskLink, Text, Waiting } from "./ui.js";
import { useWatch } from "./watch.js";

const WAITS = ["blocked", "scheduled", "queued"];

/** The tasks that a reason names: holders of permits, nodes, a run. */
function named({ facts }) {
  const nodes = Array.isArray(facts.nodes) ? facts.nodes.map((node) => [node.id, node.name]) : [];
  const holders = Array.isArray(facts.held_by) ? facts.held_by.map((id) => [id, null]) : [];
  return [...holders, ...nodes].slice(0, 10);
}

function Reason({ reason }) {
  const links = named(reason);
  return html`<span>${reason.task && html`<${TaskLink} id=${reason.task} />: `}<${Text}>${reason.text}<//></span>
    ${links.length > 0 && html`<ul class="chips" aria-label="Tasks that it is about">${links.map(
      ([id, name]) => html`<li key=${id}>${name && html`<${Text}>${name}<//> `}<${TaskLink} id=${id} /></li>`,
    )}</ul>`}`;
}

/** For a task that waits: what holds it up, and what would next. Asked again every two seconds. */
export function Why({ task }) {
  return WAITS.includes(task.status) ? html`<${Answer} id=${task.id} />` : null;
}

function Answer({ id }) {
  const { data, error } = useWatch(`why ${id}`, (signal) => get(`tasks/${encodeURIComponent(id)}/why`, {}, signal));
  if (!data) return html`<${Card} title="Why is it waiting?"><${Waiting} error=${error} /><//>`;
  return html`<${Card} title="Why is it waiting?">
    <div class="why-first"><${Reason} reason=${data.primary} /></div>
    ${data.others.length > 0 && html`<div><p class="faint">After that it would wait for:</p>
      <ol class="why-next">${data.others.map((reason, index) => html`<li key=${index}><${Reason} reason=${reason} /></li>`)}</ol></div>`}
  <//>`;
}
