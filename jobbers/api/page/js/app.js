// The frame: navigation, the theme, finding a task, and which view is shown.

import { html, render, signal, useEffect, useRef, useState } from "../vendor/vendor.js";
import { answeredAt, connected } from "./api.js";
import { go, link, route } from "./route.js";
import { Empty, Heading, Question, Toasts, arrive } from "./ui.js";
import { Lazy } from "./lazy.js";
import { Login, Logout, Restriction, me } from "./login.js";
import { Overview } from "./overview.js";
import { Queues } from "./queues.js";
import { Shortcuts } from "./shortcuts.js";
import { moment } from "./text.js";

// Where to go, by path and title; some only for those who have a scope. A group of pages on one subject shares an entry.
const PAGES = [
  ["", "Overview"],
  ["queues", "Queues"],
  ["tasks", "Tasks"],
  ["dead", "Dead letters"],
  ["runs", "Runs"],
  ["dags", "DAGs"],
  ["schedules", "Schedules"],
  ["types", "Task types"],
  ["workers", "Workers"],
  ["roles", "Roles"],
  ["limits", "Limits"],
  ["audit", "Audit", "admin"],
  ["keys", "Keys", "admin"],
  ["settings", "Settings", "admin"],
];

const loadRuns = () => import("./runs.js");

function view({ page, name }) {
  switch (page) {
    case "": return html`<${Overview} />`;
    case "queues": return html`<${Queues} name=${name} />`;
    case "tasks": return name === null ? html`<${Lazy} title="Tasks" view="Tasks" load=${() => import("./tasks.js")} />` : html`<${Lazy} key=${name} title="Task" view="Task" load=${() => import("./task.js")} id=${name} />`;
    case "dead": return html`<${Lazy} title="Dead letters" view="DeadLetters" load=${() => import("./dead.js")} />`;
    case "runs": return name === null ? html`<${Lazy} title="Runs" view="Runs" load=${loadRuns} />` : html`<${Lazy} key=${name} title="Run" view="Run" load=${loadRuns} id=${name} />`;
    case "dags": return html`<${Lazy} title="DAGs" view="Dags" load=${() => import("./dags.js")} name=${name} />`;
    case "schedules": return html`<${Lazy} title="Schedules" view="Schedules" load=${() => import("./schedules.js")} name=${name} />`;
    case "types": return html`<${Lazy} title="Task types" view="TaskTypes" load=${() => import("./types.js")} name=${name} />`;
    case "workers": return html`<${Lazy} title=${name === null ? "Workers" : "Worker"} view="Workers" load=${() => import("./worker_pages.js")} name=${name} />`;
    case "roles": return html`<${Lazy} title="Roles" view="Roles" load=${() => import("./roles.js")} />`;
    case "limits": return html`<${Lazy} title=${name === null ? "Limits" : "Limit"} view="Limits" load=${() => import("./limits.js")} name=${name} />`;
    case "audit": return html`<${Lazy} title="Audit" view="Audit" load=${() => import("./audit.js")} />`;
    case "keys": return html`<${Lazy} title="Keys" view="Keys" load=${() => import("./keys.js")} />`;
    case "settings": return html`<${Lazy} title="Settings" view="Settings" load=${() => import("./settings.js")} />`;
    default: return html`<${Heading}>Nothing here<//><${Empty} title="There is no such page.">Choose one of those in the navigation.<//>`;
  }
}

const theme = signal(document.documentElement.dataset.theme ?? "auto");

function choose(wanted) {
  theme.value = wanted;
  if (wanted === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
  try {
    localStorage.setItem("jobbers.theme", wanted);
  } catch {
    // it holds until the page is loaded again
  }
}

const Theme = () => html`<label class="theme"><span class="theme-name">Theme</span>
  <select value=${theme.value} onChange=${(event) => choose(event.target.value)}>
    <option value="auto">Auto</option><option value="light">Light</option><option value="dark">Dark</option>
  </select></label>`;

function Find() {
  const [text, setText] = useState("");
  const field = useRef(null);
  useEffect(() => {
    const pressed = (event) => {
      const typing = event.target.closest?.("input, textarea, select, dialog");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      field.current.focus();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  const find = (event) => {
    event.preventDefault();
    if (text.trim()) go("tasks", text.trim());
    setText("");
  };
  return html`<form class="find" role="search" onSubmit=${find}>
    <label class="hidden" for="find">Find a task by its id</label>
    <input id="find" ref=${field} value=${text} placeholder="Task id  /" autocomplete="off" spellcheck="false" onInput=${(event) => setText(event.target.value)} />
  </form>`;
}

function Connection() {
  const state = connected.value;
  if (state === false) {
    const since = answeredAt.value ? ` What you see is from ${moment(answeredAt.value)}.` : "";
    return html`<p class="banner" role="alert">The API does not answer; trying again every two seconds.${since}</p>`;
  }
  return null;
}

function App() {
  const { page, name } = route.value;
  const pages = PAGES.filter(([, , scope]) => !scope || me.value?.scope === scope);
  const main = useRef(null);
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) {
      arrive(main.current);
      scrollTo(0, 0);
    }
    first.current = false;
  }, [page, name]);
  useEffect(() => {
    document.querySelector("header nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [page]);
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); main.current.focus(); }}>Skip to the content</a>
    <div class="frame">
      <header class="side">
        <a class="brand" href="#/"><img src="icon.svg" width="20" height="20" alt="" />Jobbers</a>
        <nav aria-label="Pages"><ul>${pages.map(
          ([path, title]) => html`<li key=${path}><a href=${link(path)} aria-current=${page === path ? "page" : null}>${title}</a></li>`,
        )}</ul></nav>
        <div class="side-end"><${Find} /><${Shortcuts} pages=${pages} /><${Theme} /><${Logout} /></div>
      </header>
      <main id="main" ref=${main} tabindex="-1"><${Connection} /><${Restriction} />${view(route.value)}</main>
    </div>
    <${Toasts} /><${Question} /><${Login} />
  `;
}

const place = document.getElementById("app");
place.replaceChildren(); // it says that it loads
render(html`<${App} />`, place);
