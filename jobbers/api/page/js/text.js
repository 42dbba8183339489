// How values become words. Everything that others wrote passes through `shown` and ends as a text node.

const TREACHEROUS =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Text with what would be invisible, or turn the direction of what follows, spelt out. */
export function shown(value) {
  return String(value).replace(TREACHEROUS, (sign) => `⟨U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

export const number = (value) => new Intl.NumberFormat().format(value);

/** A number of things: "1 task", "3 tasks". */
export const many = (count, one, more = `${one}s`) => `${number(count)} ${count === 1 ? one : more}`;

/** Seconds as people say them: 340 ms, 12.4 s, 3 m 05 s, 2 h 10 m, 4 d 3 h. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  if (seconds < 0.9995) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 60) return `${seconds < 10 && seconds % 1 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const pair = (large, size, rest) => (rest === null ? `${large} ${size}` : `${large} ${size} ${rest}`);
  const part = (value, unit) => (Math.floor(value) ? `${two(value)} ${unit}` : null);
  if (seconds < 3600) return pair(Math.floor(seconds / 60), "m", part(seconds % 60, "s"));
  if (seconds < 86400) return pair(Math.floor(seconds / 3600), "h", part((seconds % 3600) / 60, "m"));
  return pair(Math.floor(seconds / 86400), "d", part((seconds % 86400) / 3600, "h"));
}

const COUNTS = new Set(["priority", "attempts"]);
const optionWord = (name, value) => (typeof value === "number" && !COUNTS.has(name) ? duration(value) : String(value ?? "none"));

/** Options of a task type in words: `timeout 5 s, attempts 1`. */
export const policyWords = ({ retry = {}, ...rest }) => Object.entries({ ...rest, ...retry }).map(([name, value]) => `${name} ${optionWord(name, value)}`).join(", ");

/** Seconds between two ISO times, or null. */
export const between = (from, to) => (from && to ? (new Date(to) - new Date(from)) / 1000 : null);

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export const clock = (date) => MINUTE.format(date);

/** A time in the viewer's zone: today's without the day. */
export function moment(date) {
  const today = date.toDateString() === new Date().toDateString();
  return today ? TIME.format(date) : `${DAY.format(date)}, ${MINUTE.format(date)}`;
}

const DATED = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
export const dated = (date) => DATED.format(date);

export const exactly = (date) => `${EXACT.format(date)} · ${date.toISOString()}`;

/** Names of types of runs and maps begin with a mark of the engine's. */
export const RUN = "run.";
export const isRun = (type) => type.startsWith(RUN);

/** Whether a type stands in for others: it neither waits nor runs itself, and nobody has written it. */
export const isOurs = (type) => /^(run|map)\./.test(type);
