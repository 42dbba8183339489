// The one event stream of this page: it names what is shown, pauses in hidden tabs, and comes back when the API does.

import { effect } from "../vendor/vendor.js";
import { answeredAt, base, connected, parse } from "./api.js";
import { me } from "./login.js";

const SILENCE = 40_000; // the API says something every 15 seconds
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 10_000;
const SETTLE = 60; // a new view names its topics within this

const handlers = new Map(); // topic → Set of {news, down}
let under_way = null; // {topics, abort}
let timer = null;
let pause = FIRST_PAUSE;

/** Hear of a topic: `news(data)`, and `down()` when nothing will be heard for a while. Returns what ends it. */
export function listen(topic, handler) {
  if (!handlers.has(topic)) handlers.set(topic, new Set());
  handlers.get(topic).add(handler);
  settle(SETTLE);
  return () => {
    handlers.get(topic)?.delete(handler);
    if (!handlers.get(topic)?.size) handlers.delete(topic);
    settle(SETTLE);
  };
}

function settle(after) {
  clearTimeout(timer);
  timer = setTimeout(check, after);
}

// Those who are restricted to queues may follow only these. One that they may not would close the stream for the others,
// so such topics are left out, and what they tell of is asked for again and again.
const OF_A_QUEUE = /^(tasks:|ended|groups)(.*[?&]queue=.)|^(task|logs|run):/;

const named = () => [...handlers.keys()].filter((topic) => !me.value?.queues || OF_A_QUEUE.test(topic)).sort().join("\n");

function check() {
  const wanted = document.hidden ? "" : named();
  if (under_way?.topics === wanted) return;
  under_way?.abort.abort();
  under_way = null;
  if (wanted) run(wanted);
}

async function run(topics) {
  const mine = (under_way = { topics, abort: new AbortController() });
  try {
    await read(topics.split("\n"), mine.abort);
  } catch {
    // whatever it was: what is shown is asked for again until the stream is back
  }
  if (under_way !== mine) return;
  under_way = null;
  for (const handler of [...handlers.values()].flatMap((some) => [...some])) handler.down();
  if (!document.hidden) settle(pause * (1 + Math.random()));
  pause = Math.min(LONGEST_PAUSE, pause * 2);
}

async function read(topics, abort) {
  const query = new URLSearchParams(topics.map((topic) => ["topic", topic]));
  const response = await fetch(new URL(`events?${query}`, base), { signal: abort.signal, cache: "no-store" });
  if (!response.ok || !response.body) throw new Error(String(response.status));
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let watchdog = null;
  try {
    for (;;) {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE);
      const { done, value } = await reader.read();
      if (done) return;
      pause = FIRST_PAUSE;
      connected.value = true;
      answeredAt.value = new Date();
      const events = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = events.pop();
      events.forEach(tell);
    }
  } finally {
    clearTimeout(watchdog);
  }
}

function tell(event) {
  let kind = "";
  let body = null;
  for (const line of event.split("\n")) {
    if (line.startsWith("event: ")) kind = line.slice(7);
    else if (line.startsWith("data: ")) body = parse(line.slice(6));
  }
  if (body === null) return;
  for (const handler of [...(handlers.get(body.topic) ?? [])]) kind === "trouble" ? handler.down() : handler.news(body.data);
}

document.addEventListener("visibilitychange", () => settle(0));
effect(() => me.value && settle(SETTLE)); // who has logged in may follow other topics
