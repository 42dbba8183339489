// Where one is: the part of the address behind `#`. Relative to nothing, so the page works under any prefix.

import { signal } from "../vendor/vendor.js";

function read() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { page: parts[0] ?? "", name: parts[1] ?? null, query: Object.fromEntries(new URLSearchParams(search)) };
}

export const route = signal(read());
addEventListener("hashchange", () => (route.value = read()));

/** An address within the page. */
export function link(page, name = null, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(given).toString();
  return `#/${page}${name === null ? "" : `/${encodeURIComponent(name)}`}${search ? `?${search}` : ""}`;
}

export const go = (...where) => (location.hash = link(...where));

/** Change the query of where one is, without another entry in the history. */
export function change(query) {
  history.replaceState(null, "", link(route.value.page, route.value.name, { ...route.value.query, ...query }));
  route.value = read();
}
