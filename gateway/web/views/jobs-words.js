// Jobs in words.

import { make } from '../dom.js';

const states = {
  queued: ['waits', ''], running: ['runs', 'info'], succeeded: ['done', 'good'], failed: ['failed', 'bad'], cancelled: ['cancelled', ''], expired: ['expired', 'bad'],
};

/** A state's word. */
export const word = (state) => states[state]?.[0] ?? state;

/** A job's state as a badge. */
export function badge(job) {
  const partly = job.state === 'succeeded' && job.progress.failed > 0;
  const text = job.cancelling ? 'is being cancelled' : partly ? `done, ${job.progress.failed} failed` : word(job.state);
  return make('span', { class: `badge ${partly ? 'warn' : states[job.state]?.[1] ?? ''}`, 'data-state': job.state }, text);
}

/** Seconds as people say them. */
export function span(seconds) {
  if (seconds < 1) return 'less than a second';
  for (const [size, name] of [[86400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']]) {
    const n = Math.round(seconds / size);
    if (seconds >= 0.99 * size) return n === 1 ? `1 ${name}` : `${n} ${name}s`;
  }
  return '';
}

/** n things. */
export const plural = (n, one, many = `${one}s`) => `${n.toLocaleString()} ${n === 1 ? one : many}`;

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** A moment as a <time>. */
export const moment = (iso) => make('time', { dateTime: iso }, clock.format(new Date(iso)));

/** How long ago, roughly. */
export function ago(iso) {
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  return seconds < 5 ? 'just now' : `${span(seconds)} ago`;
}

const advice = {
  worker_crashed: 'This input ended the worker each time. Leave it out; the others have their answers.',
  input_lost: 'Its bytes are not in the store any more. Hand it in again.',
  job_unreadable: 'What the store has of it is damaged. Hand it in again.',
  backend_unavailable: 'The backend was away for long. Retry when it is back.',
  timeout: 'The model took too long. Retry, or hand in fewer at a time.',
};

/** What can be done about a problem; '' where its own words say it. */
export const whatToDo = (problem) => advice[problem.code] || (problem.retryable ? 'Retry: it may work another time.' : '');
