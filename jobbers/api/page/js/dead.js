// Dead letters: one by one, or by what went wrong.

import { html } from "../vendor/vendor.js";
import { get } from "./api.js";
import { bulk } from "./bulk.js";
import { link, route } from "./route.js";
import { many, number, shown } from "./text.js";
import { Filters, List, usePages } from "./tasks.js";
import { Button, Card, Empty, Heading, Table, Text, Time, Waiting } from "./ui.js";
import { useWatch } from "./watch.js";

const GROUPS = 100;
const WAYS = [["", "One by one"], ["error", "By error"]];

function Error({ group }) {
  return html`<div class="stack"><span><b class="is-failed"><${Text}>${group.error || "no error"}<//></b> <${Text}>${group.message}<//></span>
    <span class="faint"><${Text}>${group.where || "place unknown"}<//> · <a href=${link("tasks", group.newest)}>the newest one</a></span></div>`;
}

/** The topic of the groups, as long as the filter is not too long for one. */
function groupsTopic(type, queue) {
  const given = Object.entries({ type, queue }).filter(([, value]) => value);
  const topic = `groups?${new URLSearchParams([...given, ["limit", GROUPS]])}`;
  return topic.length < 300 ? topic : null;
}

function Groups({ type, queue }) {
  const { data, error, refresh } = useWatch(`groups ${type} ${queue}`, (signal) => get("dead-letters/groups", { type, queue, limit: GROUPS }, signal), { topic: groupsTopic(type, queue) });
  if (!data) return html`<${Waiting} error=${error} />`;
  if (!data.groups.length) {
    return type || queue
      ? html`<${Empty} title="Nothing matches the filter.">Clear it to see all groups.<//>`
      : html`<${Empty} title="No task has failed for good.">When tasks do, those of the same error appear here as one.<//>`;
  }
  const columns = [{ name: "Error", grow: true }, { name: "Tasks", end: true }, { name: "Types", wide: true, grow: true }, { name: "First", wide: true }, { name: "Last", wide: true }, { name: "Action", end: true, head: html`<span class="hidden">Action</span>` }];
  const rows = data.groups.map((group) => {
    const filter = { status: "failed", type, queue, group: group.group };
    const which = `all of the error ${shown(group.error)} ${shown(group.message)}`;
    return {
      key: group.group,
      cells: [
        html`<${Error} group=${group} />`,
        html`<a href=${link("tasks", null, { status: "failed", type, queue, group: group.group })} aria-label=${`${number(group.count)}: tasks of this error`}>${number(group.count)}</a>`,
        html`<${Text}>${Object.entries(group.types).map(([name, count]) => `${name} (${number(count)})`).join(", ")}<//>`,
        html`<${Time} at=${group.first} />`,
        html`<${Time} at=${group.last} />`,
        html`<div class="row wrap end"><${Button} onPress=${() => bulk("retry", filter, which, refresh)} aria-label=${`Run again… ${which}`}>Run again…<//><${Button} onPress=${() => bulk("drop", filter, which, refresh)} aria-label=${`Delete… ${which}`}>Delete…<//></div>`,
      ],
    };
  });
  return html`${!data.complete && html`<p class="bar-above faint">${`Only the newest ${many(data.looked_at, "dead letter")} were looked at.`}</p>`}<${Table} caption="Dead letters by error" columns=${columns} rows=${rows} />`;
}

function Each({ type, queue }) {
  const pages = usePages("dead-letters", { type, queue });
  const filtered = Boolean(type || queue);
  const filter = { status: "failed", type, queue };
  const which = filtered ? "all that match the filter" : "all dead letters";
  const any = pages.data?.tasks.length > 0;
  return html`${any && html`<div class="row wrap"><span class="push"></span>
      <${Button} onPress=${() => bulk("retry", filter, which, pages.refresh)}>${filtered ? "Run all that match again…" : "Run all again…"}<//>
      <${Button} onPress=${() => bulk("drop", filter, which, pages.refresh)}>${filtered ? "Delete all that match…" : "Delete all…"}<//></div>`}
    <${Card} flush><${List} pages=${pages} status="failed" filtered=${filtered} /><//>`;
}

export function DeadLetters() {
  const { type = "", queue = "", by = "" } = route.value.query;
  return html`<${Heading}>Dead letters<//>
    <p class="lead">Tasks that failed for good. Find out why, then run them again or delete them.</p>
    <nav class="tabs" aria-label="Grouping"><ul>${WAYS.map(
      ([way, title]) => html`<li key=${way}><a href=${link("dead", null, { by: way, type, queue })} aria-current=${by === way ? "page" : null}>${title}</a></li>`,
    )}</ul></nav>
    <${Filters} type=${type} queue=${queue} />
    ${by === "error" ? html`<${Card} flush><${Groups} type=${type} queue=${queue} /><//>` : html`<${Each} type=${type} queue=${queue} />`}`;
}
