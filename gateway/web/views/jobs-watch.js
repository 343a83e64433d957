// What becomes of a job, as it happens: its server-sent events, and its state in between.

import { ask } from '../api.js';

/** States that do not change any more. */
export const isFinal = (state) => !['queued', 'running'].includes(state);

/** The path of a job. */
export const jobPath = (id) => `/v1/jobs/${encodeURIComponent(id)}`;

const pollEvery = 1500; // milliseconds between two looks at a job's position, state and attempts, which are no events
const longestPause = 15_000; // milliseconds between two tries to reach the events

/**
 * Watches a job until it is final. on.job(document) is called with its document as it changes, on.item({index, name, result | error}) with each item, on.lost(bool)
 * when the connection is gone or back, on.problem(Problem) once it makes no sense to go on. A connection that breaks is made again by the browser and goes
 * on after the last item; items may still come twice. Gives {stop()}.
 */
export function watch(id, on) {
  let source = null;
  let poll = 0;
  let again = 0;
  let tries = 0;
  let over = false;
  const abort = new AbortController();

  const stop = () => {
    over = true;
    abort.abort();
    source?.close();
    clearTimeout(poll);
    clearTimeout(again);
  };

  const state = (job) => {
    if (over) return;
    on.job(job);
    if (isFinal(job.state)) stop();
  };

  /** The server answers, but with no stream: why? */
  const look = async () => {
    try {
      await ask(jobPath(id), { signal: abort.signal, cache: 'no-store' });
    } catch (e) {
      if (!over && e.status === 404) { stop(); on.problem(e); }
    }
    if (!over) again = setTimeout(open, Math.min(longestPause, 500 * 2 ** tries++));
  };

  const open = () => {
    source = new EventSource(`${jobPath(id)}/events`);
    let first = true; // the first state is where the stream begins: a final one comes again after the items
    source.addEventListener('open', () => { tries = 0; first = true; on.lost(false); });
    source.addEventListener('state', (e) => {
      const job = JSON.parse(e.data);
      if (first) { first = false; if (!over) on.job(job, true); } else state(job);
    });
    source.addEventListener('item', (e) => { if (!over) on.item(JSON.parse(e.data)); });
    source.addEventListener('error', (e) => {
      if (over) return;
      on.lost(true);
      if (e.data) source.close(); // the server says that it cannot go on; it is asked again
      if (source.readyState === EventSource.CLOSED) look();
    });
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
