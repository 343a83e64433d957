// All jobs, the newest first, page by page.

import { ask } from '../api.js';
import { make, button, unique } from '../dom.js';
import { isFinal } from './jobs-watch.js';
import { ago, badge, moment, plural, word } from './jobs-words.js';

const page = 25; // jobs
const refresh = 3000; // milliseconds between two looks, while a job is not final

const field = (label, control) => {
  control.id = unique('filter');
  return make('div', { class: 'field' }, make('label', { for: control.id }, label), control);
};

const choice = (options, changed) => make('select', { onchange: changed }, ...options.map(([value, text]) => make('option', { value }, text)));

export class List {
  #timer = 0;

  #asking = null;

  #cursors = []; // of the pages that were left behind; the last one is the shown page's

  #left = false;

  constructor(place, app) {
    this.app = app;
    const anew = () => { this.#cursors = []; this.load(); };
    this.state = choice([['', 'any state'], ['queued,running', 'not done yet'], ['queued', word('queued')], ['running', word('running')], ['succeeded', word('succeeded')],
      ['failed', word('failed')], ['cancelled', word('cancelled')], ['expired', word('expired')]], anew);
    this.model = choice([['', 'any model'], ...app.models.map((m) => [m.name, m.name])], anew);
    this.priority = choice([['', 'any priority'], ...['realtime', 'interactive', 'batch'].map((p) => [p, p])], anew);
    this.body = make('tbody');
    this.none = make('p', { class: 'empty', hidden: true });
    this.table = make('table', { class: 'jobs-table' }, make('caption', { class: 'unseen' }, 'Jobs, the newest first'),
      make('thead', {}, make('tr', {}, ...['Job', 'State', 'Done', 'Priority', 'Handed in'].map((t) => make('th', { scope: 'col' }, t)))), this.body);
    this.newer = button('Newer', () => { this.#cursors.pop(); this.load(); });
    this.older = button('Older', () => { this.#cursors.push(this.next); this.load(); });
    place.replaceChildren(make('div', { class: 'list-head' }, make('h2', {}, 'All jobs'),
      make('div', { class: 'filters', role: 'group', 'aria-label': 'Filters' }, field('State', this.state), field('Model', this.model), field('Priority', this.priority))),
    this.none, this.table, make('div', { class: 'buttons pages' }, this.newer, this.older));
    this.load();
  }

  /** Asks for the page that is shown. */
  async load() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const mine = this.#asking = new AbortController();
    const query = new URLSearchParams({ limit: page });
    const cursor = this.#cursors.at(-1);
    for (const [name, value] of Object.entries({ state: this.state.value, model: this.model.value, priority: this.priority.value, cursor })) if (value) query.set(name, value);
    let jobs = null;
    try {
      const answer = await (await ask(`/v1/jobs?${query}`, { signal: mine.signal, cache: 'no-store' })).json();
      jobs = answer.jobs;
      this.next = answer.next;
      this.#show(jobs);
    } catch (e) {
      if (mine.signal.aborted) return;
      this.app.fail(e);
      this.#empty(e.code === 'not_found' ? 'This gateway takes no jobs.' : 'The list could not be read.');
    }
    if (!this.#left && jobs?.some((j) => !isFinal(j.state))) this.#timer = setTimeout(() => this.load(), refresh);
  }

  #empty(text) {
    this.none.textContent = text;
    this.none.hidden = !text;
    this.table.hidden = Boolean(text);
  }

  #show(jobs) {
    const filtered = this.state.value || this.model.value || this.priority.value;
    this.#empty(jobs.length ? '' : filtered ? 'No job is like that.' : 'No jobs yet. Hand one in above, or from a shell: triton-gateway jobs submit FOLDER -m MODEL');
    const focused = document.activeElement?.closest?.('tr')?.dataset.id;
    this.body.replaceChildren(...jobs.map((j) => make('tr', { 'data-id': j.id },
      make('th', { scope: 'row' }, make('a', { href: `#jobs/${j.id}` }, j.model, j.version ? ` ${j.version}` : ''), make('span', { class: 'id', title: j.id }, `…${j.id.slice(-8)}`)),
      make('td', {}, badge(j)),
      make('td', {}, make('progress', { max: Math.max(1, j.progress.total), value: j.progress.done, 'aria-label': `${j.progress.done} of ${plural(j.progress.total, 'item')}` }),
        make('span', { class: 'count' }, `${j.progress.done}/${j.progress.total}`)),
      make('td', {}, j.priority),
      make('td', {}, make('span', { title: moment(j.created_at).textContent }, ago(j.created_at))))));
    if (focused) this.body.querySelector(`tr[data-id="${focused}"] a`)?.focus();
    this.newer.hidden = this.#cursors.length === 0;
    this.older.hidden = !this.next;
  }

  leave() {
    this.#left = true;
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }
}
