// Views that are loaded when somebody goes there.

import { html, useEffect, useState } from "../vendor/vendor.js";
import { Heading, Waiting } from "./ui.js";

const AGAIN = 2000;
const loaded = new Map();

/** The view `view` that `load()` brings, with what it is given; until it is there its title. It is tried until it comes. */
export function Lazy({ title = null, view, load, ...given }) {
  const [, look] = useState(0);
  const [error, setError] = useState(null);
  const known = loaded.get(view);
  useEffect(() => {
    if (known) return undefined;
    let left = false;
    let timer = null;
    const get = () =>
      load().then(
        (module) => {
          loaded.set(view, module[view]);
          if (!left) look((count) => count + 1);
        },
        () => {
          if (left) return;
          setError({ message: "this part of the page cannot be loaded now; trying again every two seconds. If it does not come, load the page again." });
          timer = setTimeout(get, AGAIN);
        },
      );
    setError(null);
    get();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [view]);
  if (!known) return html`${title && html`<${Heading}>${title}<//>`}<${Waiting} error=${error} />`;
  return html`<${known} ...${given} />`;
}
