// What a view shows, kept fresh: told by the event stream, or asked for again while there is none.

import { useCallback, useEffect, useRef, useState } from "../vendor/vendor.js";
import { listen } from "./live.js";

const EVERY = 2000;
const CLOSED = 60_000; // what one may not see is not asked for all the time
const DOUBTED = 1000; // news that come this soon after a change may have been read before it

/** What `merge` returns when the news are not enough, and all is to be asked for again. */
export const ASK = Symbol("ask");

/** The topic of one task or run: none for what can be no id. */
export const topicOf = (kind, id) => (/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i.test(id) ? `${kind}:${id}` : null);

/** The topic of something that has a name: none for names that would have to be written otherwise there. */
export const topicNamed = (kind, name) => (/^[\w.:-]{1,200}$/.test(name) ? `${kind}:${name}` : null);

const replaced = (before, news) => news;

/**
 * What `fetcher(signal)` returns. With a `topic` the event stream tells when it has changed: `merge(data, news)` puts the
 * news in. Without one, and while the stream is down, it is asked for every two seconds as long as the tab is visible.
 * `key` says what is asked: another key forgets the old answer. `refresh()` is for after a change: what was read before it
 * is not believed.
 */
export function useWatch(key, fetcher, { every = EVERY, topic = null, merge = replaced } = {}) {
  const [state, setState] = useState({ key, data: null, error: null });
  const latest = useRef({});
  const kick = useRef(() => {});
  latest.current = { fetcher, merge };
  useEffect(() => {
    let timer = null;
    let stopped = false;
    let under_way = null;
    let live = false;
    let current = null;
    let heard = [];
    let doubted = 0;
    const show = (data) => {
      current = data;
      setState({ key, data, error: null });
    };
    const put = (data, news) => (data === null || data === ASK ? data : latest.current.merge(data, news));
    const once = async () => {
      clearTimeout(timer);
      under_way?.abort();
      let pause = every;
      const mine = (under_way = new AbortController());
      heard = [];
      try {
        const asked = await latest.current.fetcher(mine.signal);
        if (stopped || mine.signal.aborted) return;
        const data = heard.reduce(put, asked);
        show(data === ASK ? asked : data);
      } catch (error) {
        if (stopped || mine.signal.aborted) return;
        setState((before) => ({ key, data: before.key === key ? before.data : null, error }));
        live = false;
        if (error.status === 403) pause = Math.max(every, CLOSED);
      }
      under_way = null;
      if (!document.hidden && !live) timer = setTimeout(once, pause);
    };
    const news = (said) => {
      live = true;
      clearTimeout(timer);
      if (performance.now() < doubted) {
        timer = setTimeout(once, DOUBTED);
        return;
      }
      if (under_way) heard.push(said);
      const data = put(current, said);
      if (data === ASK) once();
      else if (data !== null) show(data);
      else if (!under_way) once();
    };
    const down = () => {
      if (!live) return;
      live = false;
      clearTimeout(timer);
      if (!document.hidden) timer = setTimeout(once, every * Math.random());
    };
    const seen = () => {
      live = false;
      if (document.hidden) clearTimeout(timer);
      else once();
    };
    kick.current = async () => {
      doubted = Infinity;
      await once();
      doubted = performance.now() + DOUBTED;
    };
    document.addEventListener("visibilitychange", seen);
    once();
    const ends = topic ? listen(topic, { news, down }) : () => {};
    return () => {
      stopped = true;
      clearTimeout(timer);
      under_way?.abort();
      ends();
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, every, topic]);
  const refresh = useCallback(() => kick.current(), []);
  const current = state.key === key ? state : { data: null, error: null };
  return { data: current.data, error: current.error, refresh };
}
