// The form that hands in files: which, to which model, how urgent; and their way to the gateway.

import { ask } from '../api.js';
import { make, button, bytes, unique } from '../dom.js';
import * as options from '../options.js';
import { body, fromDrop, fromInput, parts, sift, taken } from './jobs-files.js';
import { keep } from './jobs-kept.js';
import { plural } from './jobs-words.js';

const atOnce = 2; // jobs that are handed in at a time
const mostTries = 6; // of one job while the gateway is away or full
const preview = 12; // thumbnails

const field = (label, control, hint) => {
  control.id = unique('job');
  return make('div', { class: 'field' }, make('label', { for: control.id }, label), control, hint && make('p', { class: 'hint' }, hint));
};

const choice = (list, usual) => make('select', {}, ...list.map(([value, text]) => make('option', { value, selected: value === usual }, text)));

/** A name for a submission that nobody else has; crypto.randomUUID is there on https and locally only. */
const key = () => `page-${Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('')}`;

const pause = (ms, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
});

export class Submit {
  #chosen = []; // [{name, file}], all that was given

  #urls = [];

  #work = null; // {parts: [{kind, files, key, job}], query, abort}, what is being handed in

  constructor(place, app) {
    this.app = app;
    this.model = make('select', { onchange: () => this.#choose() }, ...app.models.map((m) => make('option', { value: m.name, disabled: !m.ready }, m.ready ? m.name : `${m.name} (not ready)`)));
    this.model.value = (app.models.find((m) => m.ready && m.samples.length) || app.models.find((m) => m.ready) || {}).name;
    this.about = make('p', { class: 'hint' });
    this.options = make('div', { class: 'options', role: 'group', 'aria-label': 'Options of the model' });
    this.priority = choice([['realtime', 'realtime: before all others'], ['interactive', 'interactive: as usual'], ['batch', 'batch: when nothing else waits']], 'batch');
    this.delay = choice([['', 'at once'], ['10m', 'in 10 minutes'], ['1h', 'in an hour'], ['12h', 'in 12 hours']], '');
    this.ttl = choice([['1h', 'an hour'], ['24h', 'a day'], ['168h', 'a week'], ['720h', '30 days']], '24h');
    const input = (label, properties) => {
      const file = make('input', { type: 'file', multiple: true, class: 'unseen', tabIndex: -1, 'aria-hidden': 'true', onchange: () => { this.add(fromInput(file.files)); file.value = ''; }, ...properties });
      return [button(label, () => file.click()), file];
    };
    this.files = input('Pick files');
    this.folder = input('Pick a folder', { webkitdirectory: true });
    this.drop = make('div', { class: 'jobs-drop' }, make('p', {}, make('b', {}, 'Drop a folder or files here')), make('div', { class: 'buttons' }, ...this.files, ...this.folder), this.takes = make('p', { class: 'hint' }));
    this.chosen = make('div', { class: 'chosen', 'aria-live': 'polite' });
    this.send = button('Hand in', () => this.submit(), { class: 'primary', disabled: true });
    this.stop = button('Stop', () => this.#work?.abort.abort(), { hidden: true });
    this.bar = make('progress', { max: 1, value: 0, hidden: true, 'aria-label': 'Handed in' });
    this.told = make('p', { class: 'hint told', role: 'status' });
    place.replaceChildren(make('h2', {}, 'Hand in'), make('div', { class: 'submit' },
      make('div', {}, this.drop, this.chosen),
      make('div', { class: 'settings' }, field('Model', this.model), this.about, this.options, field('Priority', this.priority),
        make('div', { class: 'pair' }, field('Start', this.delay), field('Keep answers for', this.ttl)),
        make('div', { class: 'buttons' }, this.send, this.stop), this.bar, this.told)));
    this.#listen();
    this.#choose();
  }

  #listen() {
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    const over = (yes) => this.drop.classList.toggle('over', yes);
    addEventListener('dragover', (e) => { e.preventDefault(); over(true); }, { signal });
    addEventListener('dragleave', (e) => { if (!e.relatedTarget) over(false); }, { signal });
    addEventListener('drop', async (e) => {
      e.preventDefault();
      over(false);
      try { this.add(await fromDrop(e.dataTransfer)); } catch (problem) { this.app.fail({ title: 'The drop could not be read', detail: problem.message }); }
    }, { signal });
    addEventListener('paste', (e) => { if (e.clipboardData.files.length) this.add(fromInput(e.clipboardData.files)); }, { signal });
  }

  /** Shows what a model takes. */
  async #choose() {
    const name = this.model.value;
    this.known = null; // until the model that is chosen is known, nothing goes to the one before
    this.send.disabled = true;
    this.about.textContent = name ? '' : 'There is no model that can be asked.';
    if (!name) return;
    try {
      const m = await this.app.model(name);
      if (this.model.value !== name || this.listeners.signal.aborted) return;
      this.known = m;
      const takes = taken(m);
      this.about.textContent = m.description || '';
      this.takes.textContent = [takes.picture && 'pictures (JPEG, PNG, WebP) and zip archives of them', takes.table && 'CSV tables', 'JSON files as infer takes them'].filter(Boolean).join('; ');
      options.build(this.options, m, () => {});
      this.#show();
    } catch (e) {
      if (this.model.value !== name) return;
      this.about.textContent = `${name} cannot be described now: ${e.message} Choose it again when the gateway answers.`;
      this.app.fail(e);
    }
  }

  /** Takes files on top of those that are there. A file of the same path replaces the one before. */
  add(files) {
    if (this.#work?.busy || files.length === 0) return;
    this.#work = null;
    const all = new Map(this.#chosen.map((f) => [f.name, f]));
    for (const f of files) all.set(f.name, f);
    this.#chosen = [...all.values()];
    this.#show();
  }

  #show() {
    if (!this.known) return;
    this.#free();
    const { good, bad } = sift(this.#chosen, this.known);
    this.good = good;
    this.send.disabled = good.length === 0;
    this.send.textContent = good.length ? `Hand in ${plural(good.length, 'file')}` : 'Hand in';
    if (this.#chosen.length === 0) { this.chosen.replaceChildren(); return; }
    const size = good.reduce((sum, f) => sum + f.file.size, 0);
    const pictures = good.filter((f) => f.file.type.startsWith('image/')).slice(0, preview);
    this.chosen.replaceChildren(
      make('p', { class: 'sum' }, make('span', {}, make('b', {}, plural(good.length, 'file')), `, ${bytes(size)}`), button('Clear', () => { this.#chosen = []; this.#work = null; this.told.textContent = ''; this.#show(); }, { 'aria-label': 'Clear the files' })),
      ...(bad.length > 0 ? [make('details', {}, make('summary', {}, `${plural(bad.length, 'file')} left out: ${this.known.name} does not take ${bad.length === 1 ? 'it' : 'them'}`), make('ul', {}, ...bad.slice(0, 50).map((f) => make('li', {}, f.name))))] : []),
      make('div', { class: 'thumbs', 'aria-hidden': 'true' }, ...pictures.map((f) => {
        this.#urls.push(URL.createObjectURL(f.file));
        return make('img', { src: this.#urls.at(-1), alt: '', onerror: (e) => e.target.remove() });
      }), good.length > pictures.length && make('span', { class: 'more' }, `+${good.length - pictures.length}`)));
  }

  /** Hands in all that is not handed in yet, and opens the page of the jobs. */
  async submit() {
    if (this.#work?.busy || !this.known || !this.good?.length) return;
    const query = new URLSearchParams({ model: this.known.name, priority: this.priority.value, result_ttl: this.ttl.value, ...(this.delay.value && { delay: this.delay.value }), ...options.values(this.options) });
    if (!this.#work || this.#work.query !== String(query)) this.#work = { parts: parts(this.good).map((p) => ({ ...p, key: key() })), query: String(query) };
    const work = this.#work;
    Object.assign(work, { busy: true, abort: new AbortController() });
    this.app.fail(null);
    this.#busy(true);
    const waiting = work.parts.filter((p) => !p.job);
    let problem = null;
    const worker = async () => {
      for (let p = waiting.shift(); p && !problem; p = waiting.shift()) {
        try {
          await this.#one(p, work);
          this.#told();
        } catch (e) {
          problem ??= e;
          work.abort.abort();
        }
      }
    };
    this.#told();
    await Promise.all(Array.from({ length: atOnce }, worker));
    work.busy = false;
    this.#busy(false);
    if (this.listeners.signal.aborted) return;
    if (problem) this.#failed(problem, work);
    else this.app.go(`jobs/${work.parts.map((p) => p.job).join(',')}`);
  }

  /** Hands in one job, again while the gateway is away or full. The same key makes no second job of it. */
  async #one(part, work) {
    const { signal } = work.abort;
    const { body: content, headers } = await body(part);
    for (let tries = 1; ; tries++) {
      try {
        const answer = await ask(`/v1/jobs?${work.query}`, { method: 'POST', body: content, headers: { ...headers, 'Idempotency-Key': part.key }, signal });
        part.job = (await answer.json()).id;
        keep(part.job, part.kind === 'picture' ? part.files : []);
        return;
      } catch (e) {
        if (!e.retryable || tries === mostTries || signal.aborted) throw e;
        this.told.textContent = `${e.message} It is tried again.`;
        await pause(500 * 2 ** tries, signal);
      }
    }
  }

  #told() {
    const { parts: all } = this.#work;
    const done = all.filter((p) => p.job).length;
    this.bar.max = all.length;
    this.bar.value = done;
    this.told.textContent = all.length === 1 ? 'The files are on their way.' : `${done} of ${plural(all.length, 'job')} handed in.`;
  }

  #busy(yes) {
    this.send.disabled = yes;
    this.stop.hidden = this.bar.hidden = !yes;
  }

  #failed(problem, work) {
    const done = work.parts.filter((p) => p.job);
    const stopped = problem.name === 'AbortError';
    if (!stopped) this.app.fail(problem.title ? problem : { title: 'A file cannot be handed in', detail: problem.message });
    this.told.replaceChildren(stopped ? 'Stopped. ' : '', done.length ? `${done.length} of ${plural(work.parts.length, 'job')} handed in: ` : 'Nothing was handed in.',
      ...(done.length ? [make('a', { href: `#jobs/${done.map((p) => p.job).join(',')}` }, 'see them'), '. The button hands in the rest.'] : []));
  }

  #free() {
    this.#urls.forEach((url) => URL.revokeObjectURL(url));
    this.#urls = [];
  }

  leave() {
    this.listeners.abort();
    this.#work?.abort?.abort();
    this.#free();
  }
}
