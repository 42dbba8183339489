// The app's graphs: what they look like, and starting a run.

import { html, signal, useState } from "../vendor/vendor.js";
import { get, post } from "./api.js";
import { Field, read } from "./form.js";
import { Graph } from "./graph.js";
import { go, link } from "./route.js";
import { many, number, shown } from "./text.js";
import { Button, Card, Empty, Heading, Table, Text, TypeLink, Waiting } from "./ui.js";
import { useWatch } from "./watch.js";

const RARELY = 30_000;
const ROWS = 200;
const ANYTHING = { kind: "json", hint: "JSON; put text in quotes" };
// What was typed, by graph and parameter.
const typed = signal(new Map());

function Start({ dag }) {
  const [errors, setErrors] = useState(new Map());
  const [refused, setRefused] = useState(null);
  const values = typed.value.get(dag.name) ?? new Map();
  const keep = (name, value) => {
    const after = new Map(typed.value);
    typed.value = after.set(dag.name, new Map(after.get(dag.name)).set(name, value));
  };
  const send = async () => {
    setRefused(null);
    const wrong = new Map();
    const params = {};
    for (const name of dag.parameters) {
      try {
        params[name] = read(ANYTHING, values.get(name), true);
      } catch (error) {
        wrong.set(name, error.message);
      }
    }
    setErrors(wrong);
    if (wrong.size) return;
    try {
      go("runs", (await post(`dags/${encodeURIComponent(dag.name)}/runs`, { params })).id);
    } catch (error) {
      const about = dag.parameters.find((name) => name === error.parameter || `params.${name}` === error.parameter);
      if (about) setErrors(new Map([[about, error.message]]));
      else setRefused(error.message);
    }
  };
  return html`<form class="form" noValidate onSubmit=${(event) => { event.preventDefault(); send(); }}>
    ${dag.parameters.map((name, index) => html`<${Field} key=${name} id=${`param-${index}`} name=${name} field=${ANYTHING} required value=${values.get(name)} error=${errors.get(name)} onType=${(value) => keep(name, value)} />`)}
    ${!dag.parameters.length && html`<p class="faint">It takes no parameters.</p>`}
    <div class="row"><${Button} class="primary" onPress=${send}>Start a run<//></div>
    ${refused && html`<p class="notice bad" role="alert"><${Text}>${refused}<//></p>`}
  </form>`;
}

function Nodes({ nodes }) {
  const [rows, setRows] = useState(ROWS);
  const rest = nodes.length - rows;
  return html`<${Table} caption="Nodes" columns=${[{ name: "Node", grow: true }, { name: "Type" }, { name: "Waits for", grow: true }]}
      rows=${nodes.slice(0, rows).map((node) => ({ key: node.name, cells: [html`<${Text}>${node.name}<//>`, html`<${TypeLink} type=${node.type} />`, node.after.length ? html`<${Text}>${node.after.join(", ")}<//>` : html`<span class="faint">–</span>`] }))} />
    ${rest > 0 && html`<button class="link" onClick=${() => setRows(rows + ROWS)}>${`${number(Math.min(ROWS, rest))} more`}</button>`}`;
}

function One({ dag }) {
  return html`
    <p class="crumbs"><a href="#/dags">DAGs</a></p>
    <div class="row wrap title"><${Heading}><${Text}>${dag.name}<//><//><span class="push"></span><a class="button" href=${link("runs", null, { dag: dag.name })}>Its runs</a></div>
    <${Card} title="Graph" note=${many(dag.nodes.length, "node")}><${Graph} nodes=${dag.nodes} label=${`Graph of ${dag.name}`} /><//>
    <div class="columns">
      <${Card} title="Start a run"><${Start} key=${dag.name} dag=${dag} /><//>
      <${Card} title="Nodes" flush><${Nodes} key=${dag.name} nodes=${dag.nodes} /><//>
    </div>`;
}

export function Dags({ name }) {
  const { data, error } = useWatch("dags", (signal) => get("dags", {}, signal), { every: RARELY, topic: "dags" });
  if (!data) return html`<${Heading}>DAGs<//><${Waiting} error=${error} />`;
  if (name !== null) {
    const dag = data.dags.find((one) => one.name === name);
    if (dag) return html`<${One} dag=${dag} />`;
    return html`<${Heading}>DAGs<//><${Empty} title="There is no such graph."><bdi>${shown(name)}</bdi> is not one of this app's: see <a href="#/dags">all of them</a>.<//>`;
  }
  return html`<${Heading}>DAGs<//><p class="lead">Named graphs of tasks. Choose one to look at it or to start a run.</p>
    <${Card} flush>${data.dags.length
      ? html`<${Table} caption="Graphs" columns=${[{ name: "Graph", grow: true }, { name: "Parameters", wide: true, grow: true }, { name: "Nodes", end: true }, { name: "Runs", end: true }]}
          rows=${data.dags.map((dag) => ({
            key: dag.name,
            cells: [html`<a href=${link("dags", dag.name)}><${Text}>${dag.name}<//></a>`, html`<span class="mono"><${Text}>${dag.parameters.join(", ")}<//></span>`, dag.nodes.length, html`<a href=${link("runs", null, { dag: dag.name })} aria-label=${`Show the runs of ${shown(dag.name)}`}>show</a>`],
          }))} />`
      : html`<${Empty} title="This app has no graphs.">Make one with <code>app.dag("name")</code>; chains and groups that were submitted without a name are under <a href="#/runs">Runs</a>.<//>`}<//>`;
}
