// Actions on all that match a filter: first how many they are, then, if that is wanted, the work in chunks.

import { post } from "./api.js";
import { many } from "./text.js";
import { ask, attempt } from "./ui.js";

const COUNTED = 10_000;
const CHUNK = 1000;

const WORDS = {
  cancel: { verb: "Cancel", done: "cancelled", text: "Those that run are told to stop; those that wait never start." },
  retry: { verb: "Run again", done: "queued again", text: "Each gets a new life with all its attempts. Runs are repeated from their own pages." },
  drop: { verb: "Delete", done: "deleted", text: "Their arguments and errors are lost." },
};

/** Count, ask, do. `filter`: {status, type, queue, group}; `which` says in words what is meant. */
export async function bulk(action, filter, which, refresh) {
  const words = WORDS[action];
  await attempt(async () => {
    const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
    const found = await post("tasks/bulk", { action, filter: given, dry_run: true, limit: COUNTED });
    if (!found.matched) return `Nothing to do: no task is left of ${which}`;
    const count = `${found.complete ? "" : "more than "}${many(found.matched, "task")}`;
    if (!(await ask(`${words.verb}: ${count}?`, `That is ${which}. ${words.text}`, `${words.verb}: ${count}`))) return null;
    let done = 0;
    for (;;) {
      const part = await post("tasks/bulk", { action, filter: given, limit: CHUNK });
      done += part.done;
      if (part.complete || !part.done) break;
    }
    return `${many(done, "task")} ${words.done}`;
  });
  await refresh();
}
