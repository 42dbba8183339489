// Who did what.

import { html, useState } from "../vendor/vendor.js";
import { get } from "./api.js";
import { change, route } from "./route.js";
import { many } from "./text.js";
import { Card, Empty, Heading, Table, Text, Time, Waiting } from "./ui.js";
import { useWatch } from "./watch.js";

const PAGE = 200;
const SELDOM = 5000;

async function pages(count, signal) {
  const entries = [];
  let cursor = null;
  for (let page = 0; page < count; page += 1) {
    const found = await get("audit", { cursor, limit: PAGE }, signal);
    entries.push(...found.entries);
    cursor = found.cursor;
    if (cursor === null) break;
  }
  return { entries, more: cursor !== null };
}

const matches = (entry, words) => {
  const text = [entry.who, entry.action, entry.target, entry.via, entry.source, entry.status].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
};

function Entries({ entries, filtered }) {
  if (!entries.length) {
    return filtered
      ? html`<${Empty} title="Nothing matches the filter.">It looks in the entries that are loaded: load older ones, or clear it.<//>`
      : html`<${Empty} title="Nobody has done anything yet.">Changes by the API, this page and the command line are noted here. Submissions and reads are not.<//>`;
  }
  return html`<${Table} caption="Audit log"
    columns=${[{ name: "When" }, { name: "Who", grow: true }, { name: "Did" }, { name: "To", grow: true }, { name: "By", wide: true }, { name: "From", wide: true }, { name: "Answer", wide: true, end: true }]}
    rows=${entries.map((entry) => ({
      key: entry.id,
      cells: [
        html`<${Time} at=${entry.at} />`,
        html`<${Text}>${entry.who}<//>`,
        html`<span class="mono"><${Text}>${entry.action}<//></span>`,
        html`<${Text}>${entry.target}<//>`,
        html`<${Text}>${entry.via}<//>`,
        html`<${Text}>${entry.source}<//>`,
        html`<${Text}>${entry.status || "–"}<//>`,
      ],
    }))} />`;
}

export function Audit() {
  const [count, setCount] = useState(1);
  const { q = "" } = route.value.query;
  const { data, error } = useWatch(`audit ${count}`, (signal) => pages(count, signal), { every: SELDOM });
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const found = data?.entries.filter((entry) => matches(entry, words)) ?? [];
  return html`<${Heading}>Audit<//>
    <p class="lead">Who did what, by the API, this page or the command line; the newest first.</p>
    <div class="filters"><label class="filter">Filter <input value=${q} placeholder="words, such as pause" autocomplete="off" spellcheck="false" onInput=${(event) => change({ q: event.target.value })} /></label>
      ${data && html`<span class="faint" role="status">${words.length ? `${found.length} of ${many(data.entries.length, "entry", "entries")}` : many(data.entries.length, "entry", "entries")}</span>`}</div>
    <${Card} flush>${data ? html`<${Entries} entries=${found} filtered=${words.length > 0} />` : html`<${Waiting} error=${error} />`}
      ${data?.more && html`<div class="pager"><button onClick=${() => setCount(count + 1)}>Load older entries</button></div>`}
    <//>`;
}
