// Limits and rates: what they allow, who holds permits, who waits; change them.

import { html, useState } from "../vendor/vendor.js";
import { get, put, remove } from "./api.js";
import { Field, read } from "./form.js";
import { Breakers } from "./breakers.js";
import { link } from "./route.js";
import { Strikes } from "./strikes.js";
import { duration, many, number, shown } from "./text.js";
import { Button, Card, Empty, Facts, Heading, Table, TaskLink, Text, Waiting, attempt } from "./ui.js";
import { topicNamed, useWatch } from "./watch.js";

const at = (name) => `limits/${encodeURIComponent(name)}`;

const allows = (limit, amount = limit.amount) =>
  limit.per === null ? `${number(amount)} at a time` : `${number(amount)} in ${duration(limit.per)}${limit.burst ? `, ${number(limit.burst)} at once` : ""}`;

function Reset({ limit, refresh }) {
  if (limit.amount === limit.amount_in_code) return null;
  const press = async () => {
    await attempt(() => remove(at(limit.name)), `${limit.name} allows what the code says: ${allows(limit, limit.amount_in_code)}`);
    await refresh();
  };
  return html`<${Button} onPress=${press} aria-label=${`Reset ${shown(limit.name)}`}>Reset<//>`;
}

function Change({ limit, refresh }) {
  const [typed, setTyped] = useState(String(limit.amount));
  const [error, setError] = useState(null);
  const send = async () => {
    setError(null);
    try {
      const amount = read({ kind: "number", whole: true }, typed, true);
      const now = await put(at(limit.name), { amount });
      await attempt(() => `${limit.name} allows ${allows(now)} from now on`);
      await refresh();
    } catch (failure) {
      setError(failure.message);
    }
  };
  return html`<form class="form" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
    <${Field} id="limit-amount" name="amount" field=${{ kind: "number", hint: limit.per === null ? "how many at a time" : `how many starts in ${duration(limit.per)}` }} required value=${typed} error=${error} onType=${setTyped} />
    <div class="row"><button class="primary">Change it</button><${Reset} limit=${limit} refresh=${refresh} /></div>
    <p class="faint">Lowering ends nothing; raising lets those who wait go on within a second.</p>
  </form>`;
}

const Tasks = ({ ids, total, label }) => {
  if (!ids.length) return html`<span class="faint">–</span>`;
  return html`<ul class="chips" aria-label=${label}>${ids.map((id) => html`<li key=${id}><${TaskLink} id=${id} /></li>`)}${total > ids.length && html`<li class="faint">and ${number(total - ids.length)} more</li>`}</ul>`;
};

function Uses({ limit, uses }) {
  const seen = uses.filter((use) => use.key !== null || use.used || use.waiting);
  if (!seen.length) return html`<${Empty} title="Nobody waits for it.">With a key, its values are listed here for which somebody waits.<//>`;
  return html`<${Table} caption="Who holds it and who waits"
    columns=${[{ name: "Key", grow: true }, { name: "Taken", end: true }, { name: "Waiting", end: true }, { name: "Held by" }, { name: "First in line" }, ...(limit.per === null ? [] : [{ name: "Next back in", end: true }])]}
    rows=${seen.map((use) => ({
      key: use.name + use.key,
      cells: [
        use.key === null ? html`<span class="faint">–</span>` : html`<${Text}>${use.key}<//>`,
        number(use.used),
        number(use.waiting),
        html`<${Tasks} ids=${use.held_by} total=${0} label="Held by" />`,
        html`<${Tasks} ids=${use.first} total=${use.waiting} label="First in line" />`,
        ...(limit.per === null ? [] : [use.next_in === null ? html`<span class="faint">–</span>` : duration(use.next_in)]),
      ],
    }))} />`;
}

function One({ name }) {
  const { data, error, refresh } = useWatch(`limit ${name}`, (signal) => get(at(name), {}, signal), { topic: topicNamed("limit", name) });
  const crumbs = html`<p class="crumbs"><a href="#/limits">Limits</a></p>`;
  if (!data) {
    return html`${crumbs}<${Heading}>Limit<//>${[404, 422].includes(error?.status)
      ? html`<${Empty} title="There is no such limit."><${Text}>${error.message}<//><//>`
      : html`<${Waiting} error=${error} />`}`;
  }
  const { limit, uses } = data;
  return html`${crumbs}<${Heading}><${Text}>${limit.name}<//><//>
    <div class="columns">
      <${Card} title=${limit.per === null ? "Limit" : "Rate"}><${Facts} facts=${[
        ["Allows", allows(limit)],
        ["In code", allows(limit, limit.amount_in_code)],
        ["Waiting", many(limit.waiting, "task")],
      ]} /><//>
      <${Card} title="Change it"><${Change} key=${limit.name} limit=${limit} refresh=${refresh} /><//>
    </div>
    <${Card} title="Who holds it and who waits" flush><${Uses} limit=${limit} uses=${uses} /><//>`;
}

function List({ limits, refresh }) {
  if (!limits.length) return html`<${Empty} title="There are no limits and no rates.">Give a task type <code>limits=[Limit(20)]</code> or <code>rates=[Rate(100)]</code>; workers write them when they start.<//>`;
  return html`<${Table} caption="Limits and rates"
    columns=${[{ name: "Limit", grow: true }, { name: "Allows" }, { name: "In code", wide: true }, { name: "Waiting", end: true }, { name: "Action", end: true, head: html`<span class="hidden">Action</span>` }]}
    rows=${limits.map((limit) => ({
      key: limit.name,
      cells: [
        html`<a href=${link("limits", limit.name)}><${Text}>${limit.name}<//></a>`,
        allows(limit),
        limit.amount === limit.amount_in_code ? html`<span class="faint">the same</span>` : allows(limit, limit.amount_in_code),
        number(limit.waiting),
        html`<${Reset} limit=${limit} refresh=${refresh} />`,
      ],
    }))} />`;
}

function All() {
  const { data, error, refresh } = useWatch("limits", (signal) => get("limits", {}, signal), { topic: "limits" });
  return html`<${Heading}>Limits<//>
    <p class="lead">How many may run at a time, and how many may start in a time. Choose one to see who holds it and who waits, and to change it.</p>
    <${Card} flush>${data ? html`<${List} limits=${data.limits} refresh=${refresh} />` : html`<${Waiting} error=${error} />`}<//>
    <${Breakers} />
    <${Strikes} />`;
}

export const Limits = ({ name }) => (name === null ? html`<${All} />` : html`<${One} key=${name} name=${name} />`);
