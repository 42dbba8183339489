// What the service is set to.

import { html } from "../vendor/vendor.js";
import { get } from "./api.js";
import { Card, Heading, Table, Text, Waiting } from "./ui.js";
import { useWatch } from "./watch.js";

const RARELY = 60_000; // they change when the service starts

export function Settings() {
  const { data, error } = useWatch("settings", (signal) => get("settings", {}, signal), { every: RARELY });
  return html`<${Heading}>Settings<//>
    <p class="lead">What this service is set to, without secrets; durations in seconds, sizes in bytes. Workers may be set otherwise: each goes by its own environment.</p>
    <${Card} title=${data && html`Jobbers <${Text}>${data.version}<//>`} flush>${!data ? html`<${Waiting} error=${error} />` : html`<${Table} caption="Settings"
      columns=${[{ name: "Setting" }, { name: "Value", grow: true }, { name: "Variable", wide: true }]}
      rows=${Object.entries(data.settings).map(([name, value]) => ({
        key: name,
        cells: [html`<span class="mono">${name}</span>`, value === "" ? html`<span class="faint">empty</span>` : html`<${Text}>${value}<//>`, html`<span class="mono faint">${`JOBBERS_${name.toUpperCase()}`}</span>`],
      }))} />`}<//>`;
}
