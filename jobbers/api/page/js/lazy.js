// Views that are loaded when somebody goes there.

import { html, useEffect, useState } from "../vendor/vendor.js";
import { Heading, Waiting } from "./ui.js";

const loaded = new Map();

/** The view `view` that `load()` brings, with what it is given; until it is there its title. */
export function Lazy({ title = null, view, load, ...given }) {
  const [, look] = useState(0);
  const [error, setError] = useState(null);
  const known = loaded.get(view);
  useEffect(() => {
    if (known) return;
    let left = false;
    load().then(
      (module) => {
        loaded.set(view, module[view]);
        if (!left) look((count) => count + 1);
      },
      () => !left && setError({ message: "This part of the page cannot be loaded: load the page again." }),
    );
    return () => (left = true);
  }, [view]);
  if (!known) return html`${title && html`<${Heading}>${title}<//>`}<${Waiting} error=${error} />`;
  return html`<${known} ...${given} />`;
}
