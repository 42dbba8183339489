// Ways by keyboard: `g` and a letter goes to a page, `?` tells all of them.

import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { go } from "./route.js";

const SOON = 1500; // how long a `g` waits for its letter, in ms

// The letter of each page, by path.
const LETTERS = new Map([["", "o"], ["queues", "q"], ["tasks", "t"], ["dead", "d"], ["runs", "r"], ["dags", "g"], ["schedules", "s"], ["types", "y"], ["workers", "w"], ["roles", "e"], ["limits", "l"], ["audit", "a"], ["keys", "k"], ["settings", "c"]]);
const OTHERS = [["/", "Find a task by its id"], ["j", "Down in a list of tasks"], ["k", "Up in a list of tasks"], ["x", "Choose the task, or leave it"], ["o", "Open it; so does Enter"], ["?", "These shortcuts"], ["Esc", "Close what has opened"]];

/** Listens, and shows what there is. `pages`: [path, title] of those that one may see. */
export function Shortcuts({ pages }) {
  const [shown, setShown] = useState(false);
  const dialog = useRef(null);
  const latest = useRef([]);
  latest.current = pages;
  useEffect(() => {
    let since = -Infinity;
    const pressed = (event) => {
      const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select");
      if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      const waited = event.timeStamp - since < SOON;
      since = -Infinity;
      const to = waited && latest.current.find(([path]) => LETTERS.get(path) === event.key);
      if (to) go(to[0]);
      else if (event.key === "?") setShown(true);
      else {
        if (event.key === "g") since = event.timeStamp;
        return;
      }
      event.preventDefault();
      event.stopImmediatePropagation(); // a list has keys of its own
    };
    addEventListener("keydown", pressed, true);
    return () => removeEventListener("keydown", pressed, true);
  }, []);
  useEffect(() => {
    if (shown) dialog.current.showModal();
  }, [shown]);
  const row = ([key, what]) => html`<div key=${key}><dt>${key.split(" ").map((one) => html`<kbd>${one}</kbd> `)}</dt><dd>${what}</dd></div>`;
  return html`<button type="button" class="link shortcuts-open" onClick=${() => setShown(true)}>Shortcuts <kbd>?</kbd></button>
    ${shown && html`<dialog ref=${dialog} class="shortcuts" aria-labelledby="shortcuts" onClose=${() => setShown(false)}>
      <h2 id="shortcuts">Shortcuts</h2>
      <dl>${OTHERS.map(row)}${pages.map(([path, title]) => row([`g ${LETTERS.get(path)}`, title]))}</dl>
      <form method="dialog" class="row end"><button>Close</button></form>
    </dialog>`}`;
}
