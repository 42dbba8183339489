// Calls of the public API.

import { signal } from "../vendor/vendor.js";

export const base = new URL("../api/v1/", document.baseURI);
const PATIENCE = 15000;

/** Whether the last call reached the API: `null` before the first. */
export const connected = signal(null);
/** Whether the API wants a login first. */
export const locked = signal(false);
/** When the last call was answered. */
export const answeredAt = signal(null);

/** What the API, or the way to it, refused. `code` is stable; `parameter` says which field, or is null. */
export class ApiError extends Error {
  constructor(status, code, message, parameter) {
    super(message);
    this.status = status;
    this.code = code;
    this.parameter = parameter ?? null;
  }
}

/** JSON with whole numbers kept exact: what a double cannot hold becomes a BigInt, where the browser can tell. */
export function parse(text) {
  return JSON.parse(text, (key, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
      ? BigInt(context.source)
      : value,
  );
}

function exact(key, value) {
  if (typeof value !== "bigint") return value;
  return JSON.rawJSON ? JSON.rawJSON(String(value)) : Number(value);
}

/** A value as JSON, BigInts as numbers. */
export const toJson = (value, indent) => JSON.stringify(value, exact, indent);

async function call(method, path, body, signal) {
  const limit = AbortSignal.timeout(PATIENCE);
  const options = { method, signal: signal ? AbortSignal.any([signal, limit]) : limit, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = toJson(body);
  }
  let response;
  let text;
  try {
    response = await fetch(new URL(path, base), options);
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    connected.value = false;
    const lost = "the API did not answer, so whether this was done is not known: look when it is back, and do it again if need be";
    throw new ApiError(0, "unreachable", method === "GET" ? "the API cannot be reached; trying again" : lost, null);
  }
  connected.value = true;
  answeredAt.value = new Date();
  let answer = null;
  try {
    answer = parse(text);
  } catch {
    throw new ApiError(response.status, "not_json", `the answer (${response.status}) is not that of the API`, null);
  }
  if (response.ok) return { status: response.status, body: answer };
  const error = answer?.error ?? {};
  if (response.status === 401) locked.value = true;
  throw new ApiError(response.status, error.code ?? "error", error.message ?? response.statusText, error.parameter);
}

async function read(path, query, signal) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(given).toString();
  return (await call("GET", search ? `${path}?${search}` : path, undefined, signal)).body;
}

/** The body of a GET. `query` leaves out what is empty. A list is read to its end, page by page, unless it says a limit. */
export async function get(path, query = {}, signal = undefined) {
  const body = await read(path, query, signal);
  let cursor = query.limit === undefined ? body.cursor : null;
  while (cursor) {
    const page = await read(path, { ...query, cursor }, signal);
    for (const [name, entries] of Object.entries(page)) if (Array.isArray(entries)) body[name].push(...entries);
    cursor = page.cursor;
  }
  return body;
}

export const remove = async (path) => (await call("DELETE", path, undefined)).body;

export const put = async (path, body) => (await call("PUT", path, body)).body;

export const post = async (path, body = {}) => (await call("POST", path, body)).body;

/** Do something to each of many, a few at a time. Returns how many succeeded and the errors of the others. */
export async function each(items, action) {
  const waiting = [...items];
  const errors = [];
  let done = 0;
  const work = async () => {
    while (waiting.length) {
      const item = waiting.shift();
      try {
        if ((await action(item)) !== false) done += 1;
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: 6 }, work));
  return { done, errors };
}
