// Circuit breakers: how they stand; open and close them by hand.

import { html } from "../vendor/vendor.js";
import { get, post } from "./api.js";
import { duration, number, shown } from "./text.js";
import { Button, Card, Empty, Table, Text, Waiting, ask, attempt } from "./ui.js";
import { useWatch } from "./watch.js";

const MARKS = { closed: ["good", "●"], open: ["bad", "✕"], "half-open": ["warn", "◐"] };

const State = ({ one }) => {
  const [kind, mark] = MARKS[one.state] ?? ["", "–"];
  const until = one.state !== "open" ? "" : one.half_opens_in === null ? ", until it is closed" : `, for ${duration(one.half_opens_in)}`;
  return html`<span class=${`state ${kind}`}><span aria-hidden="true">${mark}</span> ${one.state}${until}</span>`;
};

const words = (one) => `${shown(one.name)}${one.key === null ? "" : ` for ${shown(one.key)}`}`;

function Actions({ one, refresh }) {
  const at = (action) => `breakers/${encodeURIComponent(one.name)}/${action}`;
  const trip = async () => {
    if (!(await ask(`Open ${words(one)}?`, "What runs goes on; what would start waits until it is closed.", "Open it"))) return;
    await attempt(() => post(at("trip"), { key: one.key, open_for: null }), `Breaker ${words(one)} is open`);
    await refresh();
  };
  const reset = async () => {
    await attempt(() => post(at("reset"), { key: one.key }), `Breaker ${words(one)} is closed: who waits goes on`);
    await refresh();
  };
  return one.state === "closed"
    ? html`<${Button} onPress=${trip} aria-label=${`Open breaker ${words(one)}…`}>Open…<//>`
    : html`<${Button} onPress=${reset} aria-label=${`Close breaker ${words(one)}`}>Close<//>`;
}

export function Breakers() {
  const { data, error, refresh } = useWatch("breakers", (signal) => get("breakers", {}, signal), { topic: "breakers" });
  const columns = [{ name: "Breaker", grow: true }, { name: "Key", grow: true, wide: true }, { name: "State" }, { name: "Failed", end: true }, { name: "Opens at", wide: true }, { name: "Waiting", end: true, wide: true }, { name: "Action", end: true, head: html`<span class="hidden">Action</span>` }];
  const rows = (data?.breakers ?? []).map((one) => ({
    key: JSON.stringify([one.name, one.key]),
    cells: [
      html`<${Text}>${one.name}<//>`,
      one.key === null ? html`<span class="faint">–</span>` : html`<${Text}>${one.key}<//>`,
      html`<${State} one=${one} />`,
      html`${number(one.failed)} <span class="faint">of ${number(one.ended)}</span>`,
      `${number(Math.round(one.failures * 100))} % of ${number(one.of)} in ${duration(one.window)}`,
      number(one.waiting),
      html`<${Actions} one=${one} refresh=${refresh} />`,
    ],
  }));
  return html`<${Card} title="Breakers" note="of those with keys the ones that are not closed" flush>${!data
    ? html`<${Waiting} error=${error} />`
    : rows.length
      ? html`<${Table} caption="Breakers" columns=${columns} rows=${rows} />`
      : html`<${Empty} title="There are no breakers.">Give a task type <code>breaker=Breaker()</code>: it stops starting tasks while most of them fail.<//>`}<//>`;
}
