// The answer's side of the page: what the model said, what it took, how to ask the same elsewhere.

import { make, button, bars, bytes, save } from './dom.js';
import { colorOf, things } from './draw.js';
import * as results from './results.js';
import * as timing from './timing.js';

const steady = 900; // milliseconds that an answer must stand before it goes into the history

export class Answer {
  #rows = null;

  #keep = 0;

  #shown = null;

  /** Fills an element. onhover(i | null) is told of rows; again() asks without the cache; picture() gives the annotated picture as a Blob, or null; say(text) has it read out. */
  constructor(place, { onhover, again, picture, say }) {
    Object.assign(this, { onhover, picture, say });
    this.result = make('div', { id: 'result' });
    this.timing = make('div', { id: 'timing', hidden: true });
    this.raw = make('pre', { id: 'raw', tabIndex: 0, 'aria-label': 'Raw answer' });
    this.download = button('Save picture', () => this.#save(), { id: 'save' });
    this.snippets = make('div', { id: 'snippets' });
    this.programs = make('div', {}, make('h2', {}, 'The same from a program'), this.snippets);
    this.again = button('Compute anew', again, { id: 'again', title: 'Asks again without the cache' });
    this.extras = make('div', { id: 'extras', hidden: true },
      make('div', { class: 'buttons' }, this.download,
        button('Save JSON', () => save(new Blob([this.#shown.answer.text], { type: 'application/json' }), `${this.#stem()}.json`), { id: 'save-json' }),
        this.again),
      this.programs,
      make('details', { ontoggle: () => this.#fillRaw() }, make('summary', {}, 'Raw answer'), this.raw));
    place.replaceChildren(this.result, this.timing, this.extras);
  }

  /** Shows what has to be done before there is an answer. */
  empty(text) {
    this.#shown = this.#rows = null;
    clearTimeout(this.#keep);
    this.result.replaceChildren(make('p', { class: 'empty' }, text));
    this.timing.hidden = this.extras.hidden = true;
  }

  /** Shows what the answers to several pictures, [{answer?, problem?}], have in common: how often each label was given. */
  several(items) {
    this.empty('');
    const answered = items.filter((i) => i.answer);
    const failed = items.length - answered.length;
    const counts = new Map();
    for (const { answer: { document: d } } of answered) {
      for (const { label, index } of (d.predictions?.slice(0, 1) || things(d))) counts.set(label, { index, n: (counts.get(label)?.n || 0) + 1 });
    }
    const all = [...counts].sort((a, b) => b[1].n - a[1].n).slice(0, 50);
    const uploaded = answered.reduce((n, i) => n + i.answer.sent, 0);
    this.result.replaceChildren(
      make('div', { class: 'head' }, make('strong', {}, `${items.length} pictures`), make('span', { class: 'badges' },
        make('span', { class: 'badge good' }, `${answered.filter((i) => i.answer.document.from_cache).length} from the cache`),
        failed > 0 && make('span', { class: 'badge bad' }, `${failed} failed`),
        make('span', { class: 'badge' }, uploaded ? `${bytes(uploaded)} uploaded` : 'nothing uploaded'))),
      make('p', { class: 'hint' }, 'Open a picture to see its own answer.'),
      all.length ? make('h2', {}, answered[0].answer.document.predictions ? 'Pictures by label' : 'Found in all pictures') : '',
      bars(all.map(([name, { index, n }]) => ({ name, share: n / all[0][1].n, value: String(n), color: colorOf(index) }))));
  }

  /** Shows an answer of api.infer to a question {model (as of api.model), input, options, fileName, live}. */
  show(answer, question) {
    this.#shown = { answer, question };
    const keep = document.activeElement?.closest?.('#result') ? [...this.result.querySelectorAll('[tabindex]')].indexOf(document.activeElement) : -1;
    this.#rows = results.show(this.result, answer, { onhover: this.onhover });
    if (keep >= 0) this.result.querySelectorAll('[tabindex]')[keep]?.focus();
    timing.show(this.timing, answer.serverTiming, answer.took);
    this.download.hidden = !question.input.image;
    this.extras.hidden = false;
    this.#fillRaw();
    clearTimeout(this.#keep);
    this.programs.hidden = this.again.hidden = Boolean(question.live);
    if (question.live) return; // also: nobody wants ten answers a second read out
    this.say(`${results.summary(answer.document)}. ${answer.document.from_cache ? 'From the cache.' : ''}`);
    this.#program();
    this.#keep = setTimeout(() => this.#remember(), steady);
  }

  /** Makes the row of a box stand out. */
  highlight(i) { this.#rows?.highlight(i); }

  /** Shows that an answer is on its way. */
  busy(yes) { this.result.classList.toggle('busy', yes); }

  #fillRaw() {
    if (this.#shown && this.raw.parentElement.open) this.raw.textContent = JSON.stringify(this.#shown.answer.document, null, 2);
  }

  /** The same request for programs. The module is not needed to see the page, so it comes late. */
  async #program() {
    const { panel } = await import('./snippets.js');
    const { model, input, options, fileName } = this.#shown?.question || {};
    if (model) panel(this.snippets, model, input, options, fileName);
  }

  /** Puts the answer into the history of this browser. */
  async #remember() {
    const { remember } = await import('./store.js');
    if (!this.#shown) return;
    const { answer: { document, route }, question: { model, input, options, fileName } } = this.#shown;
    const { version = '', ...rest } = options;
    await remember({ model: model.name, version, options: rest, fileName: input.image ? fileName : '', blob: input.image || null, row: input.row, body: input.body, document, route, when: Date.now() });
  }

  #stem() { return (this.#shown.question.fileName || this.#shown.question.model.name).replace(/\.\w+$/, ''); }

  async #save() {
    const blob = await this.picture();
    if (blob) save(blob, `${this.#stem()}-${this.#shown.question.model.name}.png`);
  }
}
