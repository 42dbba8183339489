// Graphs of nodes, drawn as SVG from left to right: each node stands behind all that it waits for.

import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { link } from "./route.js";
import { many, number, shown } from "./text.js";
import { Shape } from "./ui.js";

/** Above so many nodes, those of one type that stand equally far from the start are drawn as one. */
export const MOST = 300;
const BANDS = 60;
const MOST_OPEN = 60;
const BOX = { width: 176, height: 42, across: 56, down: 14 };
const BEND = 0.45; // of the height of a node
const MOST_BENDS = 1500;
const ATTENTION = ["failed", "running"];
const ORDER = ["running", "failed", "queued", "scheduled", "blocked", "cancelled", "skipped", "succeeded", null];

/** How far each node is from the start, by name: the longest way. Whom it waits for may be missing. */
export function depths(nodes) {
  const depth = new Map();
  const followers = new Map(nodes.map((node) => [node.name, []]));
  const waits = new Map();
  for (const node of nodes) {
    const parents = new Set(node.after.filter((name) => followers.has(name)));
    waits.set(node.name, parents.size);
    for (const name of parents) followers.get(name).push(node.name);
  }
  const ready = nodes.filter((node) => waits.get(node.name) === 0).map((node) => node.name);
  for (const name of ready) depth.set(name, 0);
  for (let at = 0; at < ready.length; at += 1) {
    for (const next of followers.get(ready[at])) {
      depth.set(next, Math.max(depth.get(next) ?? 0, depth.get(ready[at]) + 1));
      waits.set(next, waits.get(next) - 1);
      if (waits.get(next) === 0) ready.push(next);
    }
  }
  for (const node of nodes) if (!depth.has(node.name)) depth.set(node.name, 0);
  return depth;
}

/** Nodes of one type and depth as one, which counts their statuses; where these would be too many, all of some neighbouring depths.
 * Of groups that are `opened`, by name, the nodes are there besides, those first that have gone wrong or run. */
export function grouped(nodes, opened = new Set()) {
  const depth = depths(nodes);
  const kinds = new Set(nodes.map((node) => JSON.stringify([depth.get(node.name), node.type])));
  const stages = Math.max(0, ...depth.values()) + 1;
  const band = Math.ceil(stages / BANDS);
  const bands = kinds.size > 2 * MOST;
  const groups = new Map();
  const home = new Map();
  for (const node of nodes) {
    const stage = depth.get(node.name);
    const at = Math.floor(stage / band);
    const key = JSON.stringify(bands ? [at] : [stage, node.type]);
    const last = Math.min(stages, (at + 1) * band);
    const label = bands ? `stage ${at * band + 1}${last > at * band + 1 ? `–${last}` : ""}` : node.type;
    const group = groups.get(key) ?? { name: key, label, type: bands ? null : node.type, open: opened.has(key), nodes: [], after: new Set(), statuses: new Map() };
    group.nodes.push(node);
    group.statuses.set(node.status, (group.statuses.get(node.status) ?? 0) + 1);
    home.set(node.name, key);
    groups.set(key, group);
  }
  const rank = (node) => ORDER.indexOf(node.status ?? null);
  const single = [...groups.values()].flatMap((group) => (group.nodes.length === 1 ? group.nodes : group.open ? [...group.nodes].sort((a, b) => rank(a) - rank(b)).slice(0, MOST_OPEN) : []));
  const place = new Map([...home, ...single.map((node) => [node.name, node.name])]);
  const outside = (node) => node.after.filter((parent) => place.has(parent) && place.get(parent) !== home.get(node.name));
  for (const node of nodes) for (const parent of outside(node)) if (home.get(parent) !== home.get(node.name)) groups.get(home.get(node.name)).after.add(place.get(parent));
  return [
    ...[...groups.values()].filter((group) => group.nodes.length > 1).map(({ nodes: members, ...group }) => ({ ...group, members: members.length, after: [...group.after], status: ORDER.find((status) => group.statuses.has(status)) })),
    ...single.map((node) => ({ ...node, after: [...new Set(outside(node).map((parent) => place.get(parent)))] })),
  ];
}

/** Nodes with a bend in each layer that an edge passes, so that it goes around the nodes there: {name, after, bend}. */
function withBends(nodes, depth) {
  const known = new Set(nodes.map((node) => node.name));
  const passed = nodes.reduce((sum, node) => sum + node.after.reduce((total, parent) => total + (known.has(parent) ? Math.max(0, depth.get(node.name) - depth.get(parent) - 1) : 0), 0), 0);
  const few = passed <= MOST_BENDS;
  const bends = [];
  const routed = nodes.map((node) => ({
    node,
    name: node.name,
    after: node.after.filter((parent) => known.has(parent)).map((parent) => {
      let last = parent;
      for (let layer = depth.get(parent) + 1; few && layer < depth.get(node.name); layer += 1) {
        const name = JSON.stringify([parent, node.name, layer]);
        depth.set(name, layer);
        bends.push({ name, after: [last], bend: true });
        last = name;
      }
      return last;
    }),
  }));
  return [...routed, ...bends];
}

/** Put neighbours near each other: a row for each name, in `layers`, which it sorts. */
function arrange(layers, all) {
  const rows = new Map();
  const tall = (one) => (one.bend ? BEND : 1);
  const place = (layer) => {
    let at = -layer.reduce((sum, one) => sum + tall(one), 0) / 2;
    for (const one of layer) {
      rows.set(one.name, at + tall(one) / 2);
      at += tall(one);
    }
  };
  layers.forEach(place);
  const followers = new Map(all.map((one) => [one.name, []]));
  for (const one of all) for (const parent of one.after) followers.get(parent).push(one.name);
  const middle = (names, fallback) => (names.length ? names.reduce((total, name) => total + rows.get(name), 0) / names.length : fallback);
  for (let sweep = 0; sweep < 6; sweep += 1) {
    const forward = sweep % 2 === 0;
    for (const layer of forward ? layers : [...layers].reverse()) {
      const wanted = new Map(layer.map((one) => [one, middle(forward ? one.after : followers.get(one.name), rows.get(one.name))]));
      layer.sort((a, b) => wanted.get(a) - wanted.get(b));
      place(layer);
    }
  }
  return rows;
}

/** Where each node and bend lies: {places: Map(name → {x, y, node, after}), width, height}; a bend has no node. */
export function layout(nodes) {
  const depth = depths(nodes);
  const all = withBends(nodes, depth);
  const layers = [];
  for (const one of all) (layers[depth.get(one.name)] ??= []).push(one);
  const rows = arrange(layers, all);
  const half = Math.max(0.5, ...layers.map((layer) => layer.reduce((sum, one) => sum + (one.bend ? BEND : 1), 0) / 2));
  const step = BOX.height + BOX.down;
  const places = new Map();
  layers.forEach((layer, index) =>
    layer.forEach(({ name, node = null, after }) =>
      places.set(name, { name, node, after, x: 8 + index * (BOX.width + BOX.across), y: 8 + (rows.get(name) + half) * step - step / 2 }),
    ),
  );
  return { places, width: 16 + layers.length * (BOX.width + BOX.across) - BOX.across, height: 16 + 2 * half * step - BOX.down };
}

const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function second(node) {
  if (node.members && node.status === undefined) return many(node.members, "node");
  if (node.members) return [...node.statuses].map(([status, count]) => `${number(count)} ${status ?? "expired"}`).join(", ");
  if (node.items) return node.items.total === null ? "map" : `${number(node.items.done)} of ${number(node.items.total)} items`;
  if (node.status !== undefined) return node.status ?? "expired";
  return node.type;
}

/** An edge from a node to a node: `way` lists both, and the bends between them. */
function Edge({ way }) {
  const middle = (place) => place.y + BOX.height / 2;
  const parts = way.slice(1).map((to, index) => {
    const from = way[index];
    const last = index === way.length - 2;
    const x = from.x + BOX.width;
    const end = to.x - (last ? 5 : 0);
    const bend = Math.max(24, (end - x) / 2);
    return `C${x + bend} ${middle(from)} ${end - bend} ${middle(to)} ${end} ${middle(to)}${last ? "" : `H${to.x + BOX.width}`}`;
  });
  const [from] = way;
  return html`<path class=${`edge is-${from.node.status ?? "none"}`} d=${`M${from.x + BOX.width} ${middle(from)}${parts.join("")}`} marker-end="url(#arrow)" />`;
}

/** The ways of all edges. */
function ways(places) {
  const back = (place) => (place.node ? [place] : [...back(places.get(place.after[0])), place]);
  return [...places.values()].filter((place) => place.node).flatMap((place) => place.after.map((name) => [...back(places.get(name)), place]));
}

function Box({ place, press }) {
  const { node, x, y } = place;
  const name = node.members ? `${node.label} × ${number(node.members)}` : node.name;
  const words = second(node);
  const body = html`<g class=${`node is-${node.status ?? "none"}`} transform=${`translate(${x} ${y})`}>
    <title>${`${shown(name)}: ${shown(words)}${node.type && !node.members ? ` (${shown(node.type)})` : ""}`}</title>
    <rect width=${BOX.width} height=${BOX.height} rx="6" />
    ${node.status ? html`<svg x="10" y="14" width="14" height="14" overflow="visible"><${Shape} status=${node.status} /></svg>` : null}
    <text class="node-name" x=${node.status ? 32 : 12} y="18">${clip(shown(name), node.status ? 20 : 24)}</text>
    <text class="node-note" x=${node.status ? 32 : 12} y="33">${clip(shown(words), node.status ? 22 : 27)}</text>
  </g>`;
  if (!node.members) return node.id ? html`<a href=${link("tasks", node.id)}>${body}</a>` : body;
  const keyed = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    press(node.name);
  };
  return html`<g class="group" role="button" tabindex="0" aria-expanded=${node.open} aria-label=${`${shown(name)}: ${shown(words)}`} onClick=${() => press(node.name)} onKeyDown=${keyed}>${body}</g>`;
}

/** A graph; nodes are {name, type, after} and, in a run, {id, status, items}. */
export function Graph({ nodes, label }) {
  const [opened, setOpened] = useState(new Set());
  const press = (name) => setOpened((names) => (names.has(name) ? new Set([...names].filter((one) => one !== name)) : new Set([...names, name])));
  const large = nodes.length > MOST;
  const drawn = large ? grouped(nodes, opened) : nodes;
  const { places, width, height } = layout(drawn);
  const frame = useRef(null);
  const scrolled = useRef(false);
  const looked = [...places.values()].filter((place) => ATTENTION.includes(place.node?.status)).sort((a, b) => ATTENTION.indexOf(a.node.status) - ATTENTION.indexOf(b.node.status) || a.x - b.x)[0];
  useEffect(() => {
    // what failed, or runs, may lie far to the right: it is shown once, and then the reader scrolls
    if (scrolled.current || !looked) return;
    scrolled.current = true;
    frame.current.scrollTo(Math.max(0, looked.x - BOX.width), Math.max(0, looked.y - 3 * BOX.height));
  });
  return html`${large && html`<p class="faint">${`${many(nodes.length, "node")}: those of one type that are equally far from the start are drawn as one${drawn.some((one) => one.members && one.type === null) ? ", or all of some stages" : ""}. Press one to see up to ${MOST_OPEN} of its nodes. All are in the table.`} ${opened.size > 0 && html`<button class="link" onClick=${() => setOpened(new Set())}>Close all</button>`}</p>`}
    <div class="scroll graph" ref=${frame} tabindex="0" role="region" aria-label=${`${shown(label)}; the table below says the same`}>
    <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`}>
      <defs><marker id="arrow" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0 6 3 0 6Z" /></marker></defs>
      ${ways(places).map((way) => html`<${Edge} key=${JSON.stringify([way[0].name, way.at(-1).name])} way=${way} />`)}
      ${[...places.values()].filter((place) => place.node).map((place) => html`<${Box} key=${place.name} place=${place} press=${press} />`)}
    </svg></div>`;
}
