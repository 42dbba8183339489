// Who is here: the login, which lies over whatever was being done, and the way out.

import { html, signal, useEffect, useRef, useState } from "../vendor/vendor.js";
import { get, locked, post } from "./api.js";
import { Button, Text, attempt } from "./ui.js";

/** Who the API takes us for: `null` until it has said so. */
export const me = signal(null);

async function learn() {
  try {
    me.value = await get("me");
  } catch {
    me.value = null; // the login comes up by itself, if that is the reason
  }
}

/** Asks for a key when the API wants one. The page below keeps all that was typed, and goes on when it has one. */
export function Login() {
  const dialog = useRef(null);
  const [key, setKey] = useState("");
  const [error, setError] = useState(null);
  const asked = locked.value;
  const show = () => asked && !dialog.current.open && dialog.current.showModal();
  useEffect(() => {
    if (asked) show();
    else learn();
  }, [asked]);
  if (!asked) return null;
  const enter = async () => {
    setError(null);
    try {
      me.value = await post("login", { key: key.trim() });
      setKey("");
      locked.value = false;
    } catch (failure) {
      setError(failure.message);
    }
  };
  const keep = (event) => event.preventDefault();
  return html`<dialog ref=${dialog} aria-labelledby="login" onCancel=${keep} onClose=${show}>
    <h2 id="login">Log in</h2>
    <p>The API asks for a key. Make one with <code>jobbers keys create NAME --scope operate</code>.</p>
    <form onSubmit=${(event) => { event.preventDefault(); enter(); }}>
      <div class=${error ? "field wrong" : "field"}>
        <label for="key">Key</label>
        <input id="key" type="password" autocomplete="current-password" spellcheck="false" value=${key} aria-invalid=${error ? "true" : null}
          aria-describedby=${error ? "key-error" : null} onInput=${(event) => setKey(event.target.value)} />
        ${error && html`<span class="error-text" id="key-error" role="alert"><span aria-hidden="true">✕ </span><${Text}>${error}<//></span>`}
      </div>
      <div class="row end"><button class="primary" type="submit" disabled=${!key.trim()}>Log in</button></div>
    </form>
  </dialog>`;
}

/** Of somebody who is restricted to queues: says so, for lists without the rest would look as if there were none. */
export function Restriction() {
  const queues = me.value?.queues;
  if (!queues) return null;
  return html`<p class="lead" id="restriction">Your key is restricted to ${queues.length === 1 ? "the queue" : "the queues"} <b><${Text}>${queues.join(", ")}<//></b>: what is elsewhere is not shown.</p>`;
}

/** Ends the session; shown to those who have one. */
export function Logout() {
  if (me.value?.kind !== "key") return null;
  const leave = () =>
    attempt(async () => {
      await post("logout");
      me.value = null;
      locked.value = true;
    });
  return html`<${Button} onPress=${leave} title=${`${me.value.name}: ${me.value.scope}`}>Log out<//>`;
}
