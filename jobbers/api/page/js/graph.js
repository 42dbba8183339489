// Graphs of nodes, drawn as SVG from left to right: each node stands behind all that it waits for.

import { html } from "../vendor/vendor.js";
import { link } from "./route.js";
import { many, number, shown } from "./text.js";
import { Shape } from "./ui.js";

/** Above so many nodes, those of one type that stand equally far from the start are drawn as one. */
export const MOST = 300;
const BOX = { width: 176, height: 42, across: 56, down: 14 };
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

/** Nodes of one type and depth as one, which counts their statuses. */
export function grouped(nodes) {
  const depth = depths(nodes);
  const home = new Map(nodes.map((node) => [node.name, JSON.stringify([depth.get(node.name), node.type])]));
  const groups = new Map();
  for (const node of nodes) {
    const key = home.get(node.name);
    const group = groups.get(key) ?? { name: key, label: node.type, type: node.type, members: 0, after: new Set(), statuses: new Map() };
    group.members += 1;
    group.statuses.set(node.status, (group.statuses.get(node.status) ?? 0) + 1);
    for (const parent of node.after) if (home.has(parent) && home.get(parent) !== key) group.after.add(home.get(parent));
    groups.set(key, group);
  }
  return [...groups.values()].map((group) => ({
    ...group,
    after: [...group.after],
    status: ORDER.find((status) => group.statuses.has(status)),
  }));
}

/** Where each node lies: {places: Map(name → {x, y, node}), width, height}. Neighbours are moved near each other. */
export function layout(nodes) {
  const depth = depths(nodes);
  const layers = [];
  for (const node of nodes) (layers[depth.get(node.name)] ??= []).push(node);
  const rows = new Map();
  const place = (layer) => layer.forEach((node, index) => rows.set(node.name, index - (layer.length - 1) / 2));
  layers.forEach(place);
  const followers = new Map(nodes.map((node) => [node.name, []]));
  for (const node of nodes) for (const parent of node.after) followers.get(parent)?.push(node.name);
  const middle = (names, fallback) => {
    const known = names.filter((name) => rows.has(name));
    return known.length ? known.reduce((total, name) => total + rows.get(name), 0) / known.length : fallback;
  };
  for (let sweep = 0; sweep < 6; sweep += 1) {
    const forward = sweep % 2 === 0;
    for (const layer of forward ? layers : [...layers].reverse()) {
      const wanted = new Map(layer.map((node) => [node, middle(forward ? node.after : followers.get(node.name), rows.get(node.name))]));
      layer.sort((a, b) => wanted.get(a) - wanted.get(b));
      place(layer);
    }
  }
  const tallest = Math.max(1, ...layers.map((layer) => layer.length));
  const places = new Map();
  layers.forEach((layer, index) =>
    layer.forEach((node) =>
      places.set(node.name, {
        node,
        x: 8 + index * (BOX.width + BOX.across),
        y: 8 + (rows.get(node.name) + (tallest - 1) / 2) * (BOX.height + BOX.down),
      }),
    ),
  );
  return { places, width: 16 + layers.length * (BOX.width + BOX.across) - BOX.across, height: 16 + tallest * (BOX.height + BOX.down) - BOX.down };
}

const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function second(node) {
  if (node.members) return [...node.statuses].map(([status, count]) => `${number(count)} ${status ?? "expired"}`).join(", ");
  if (node.items) return node.items.total === null ? "map" : `${number(node.items.done)} of ${number(node.items.total)} items`;
  if (node.status !== undefined) return node.status ?? "expired";
  return node.type;
}

function Edge({ from, to }) {
  const start = { x: from.x + BOX.width, y: from.y + BOX.height / 2 };
  const end = { x: to.x - 5, y: to.y + BOX.height / 2 };
  const bend = Math.max(24, (end.x - start.x) / 2);
  return html`<path class=${`edge is-${from.node.status ?? "none"}`} d=${`M${start.x} ${start.y}C${start.x + bend} ${start.y} ${end.x - bend} ${end.y} ${end.x} ${end.y}`} marker-end="url(#arrow)" />`;
}

function Box({ place }) {
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
  return node.id ? html`<a href=${link("tasks", node.id)}>${body}</a>` : body;
}

/** A graph; nodes are {name, type, after} and, in a run, {id, status, items}. */
export function Graph({ nodes, label }) {
  const large = nodes.length > MOST;
  const drawn = large ? grouped(nodes) : nodes;
  const { places, width, height } = layout(drawn);
  return html`${large && html`<p class="faint">${`${many(nodes.length, "node")}: those of one type that are equally far from the start are drawn as one. All are in the table.`}</p>`}
    <div class="scroll graph" tabindex="0" role="region" aria-label=${`${shown(label)}; the table below says the same`}>
    <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`}>
      <defs><marker id="arrow" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0 6 3 0 6Z" /></marker></defs>
      ${drawn.flatMap((node) => node.after.filter((parent) => places.has(parent)).map((parent) => html`<${Edge} key=${`${parent} ${node.name}`} from=${places.get(parent)} to=${places.get(node.name)} />`))}
      ${[...places.values()].map((place) => html`<${Box} key=${place.node.name} place=${place} />`)}
    </svg></div>`;
}
