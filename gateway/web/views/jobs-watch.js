// What becomes of a job, as it happens: its server-sent events, and its state in between.

import { ask } from '../api.js';
import { events } from './events.js';

/** States that do not change any more. */
export const isFinal = (state) => !['queued', 'running'].includes(state);

/** The path of a job. */
export const jobPath = (id) => `/v1/jobs/${encodeURIComponent(id)}`;

const pollEvery = 1500; // milliseconds between two looks at a job's position, state and attempts, which are no events
const longestPause = 15_000; // milliseconds between two tries to reach the events

/**
 * Watches a job until it is final. on.job(document) is called with its document as it changes, on.item({index, name, result | error}) with each item, on.lost(bool)
 * when the connection is gone or back, on.problem(Problem) once it makes no sense to go on. A connection that breaks is made again and goes on after the
 * last item; items may still come twice. Gives {stop()}.
 */
export function watch(id, on) {
  let last = ''; // id of the last event
  let pause = 1000; // milliseconds before the connection is made again; the server says how many
  let poll = 0;
  let again = 0;
  let tries = 0;
  let over = false;
  const abort = new AbortController();

  const stop = () => {
    over = true;
    abort.abort();
    clearTimeout(poll);
    clearTimeout(again);
  };

  const state = (job) => {
    if (over) return;
    on.job(job);
    if (isFinal(job.state)) stop();
  };

  /** Reads one stream to its end. */
  const read = async () => {
    const response = await ask(`${jobPath(id)}/events`, { signal: abort.signal, cache: 'no-store', headers: { Accept: 'text/event-stream', ...(last && { 'Last-Event-ID': last }) } });
    if (over) return;
    tries = 0;
    on.lost(false);
    if (response.status === 204) { // all events have come
      state(await (await ask(jobPath(id), { signal: abort.signal, cache: 'no-store' })).json());
      return;
    }
    let first = true; // the first state is where the stream begins: a final one comes again after the items
    for await (const e of events(response.body)) {
      if (over) return;
      last = e.id ?? last;
      pause = e.retry ?? pause;
      if (e.event === 'item') on.item(JSON.parse(e.data));
      else if (e.event === 'error') return; // the server says that it cannot go on; it is asked again
      else if (e.event === 'state' && first) { first = false; on.job(JSON.parse(e.data), true); } else if (e.event === 'state') state(JSON.parse(e.data));
    }
  };

  const open = async () => {
    try {
      await read();
    } catch (e) {
      if (over || e.name === 'AbortError') return;
      if ([401, 403, 404].includes(e.status)) { stop(); on.problem(e); return; }
    }
    if (over) return;
    on.lost(true);
    again = setTimeout(open, Math.min(longestPause, pause * 2 ** tries++));
  };

  const glance = async () => {
    try {
      const job = await (await ask(jobPath(id), { signal: abort.signal, cache: 'no-store' })).json();
      if (!over && !isFinal(job.state)) on.job(job);
    } catch { /* the events say when the connection is lost */ }
    if (!over) poll = setTimeout(glance, pollEvery);
  };

  open();
  poll = setTimeout(glance, pollEvery);
  return { stop };
}
