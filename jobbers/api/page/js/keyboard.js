// Lists by keyboard: j and k go down and up, x chooses, o or Enter opens.

import { useEffect, useRef, useState } from "../vendor/vendor.js";

/** Which of `ids` the keys stand at, or null. They do nothing while somebody types or something has been asked. */
export function useKeys(ids, { open, choose }) {
  const [at, setAt] = useState(null);
  const latest = useRef({});
  latest.current = { ids, open, choose, at: ids.includes(at) ? at : null };
  useEffect(() => {
    const pressed = (event) => {
      const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog");
      const pressing = event.key === "Enter" && event.target.closest?.("a, button, input");
      if (event.ctrlKey || event.metaKey || event.altKey || typing || pressing || document.querySelector("dialog[open]")) return;
      const now = latest.current;
      const index = now.ids.indexOf(now.at);
      const step = { j: 1, k: -1 }[event.key];
      if (step) move(now.ids[index < 0 ? 0 : Math.min(now.ids.length - 1, Math.max(0, index + step))]);
      else if (now.at !== null && event.key === "x" && now.choose) now.choose(now.at);
      else if (now.at !== null && (event.key === "o" || event.key === "Enter")) now.open(now.at);
      else return;
      event.preventDefault();
    };
    const move = (id) => {
      setAt(id);
      requestAnimationFrame(() => document.querySelector("tr.at")?.scrollIntoView({ block: "nearest" }));
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  return latest.current.at;
}
