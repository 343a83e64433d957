// The answer's side of the page: what the model said, what it took, how to ask the same elsewhere.

import { make, button, copy, save } from './dom.js';
import { curl } from './api.js';
import * as results from './results.js';
import * as timing from './timing.js';

const steady = 900; // milliseconds that an answer must stand before it goes into the history

export class Answer {
  #rows = null;

  #keep = 0;

  #shown = null;

  /** Fills an element. onhover(i | null) is told of rows; again() asks without the cache; picture() gives the annotated picture as a Blob, or null. */
  constructor(place, { onhover, again, picture }) {
    Object.assign(this, { onhover, picture });
    this.result = make('div', { id: 'result', 'aria-live': 'polite' });
    this.timing = make('div', { id: 'timing', hidden: true });
    this.curl = make('pre', { id: 'curl', tabIndex: 0, 'aria-label': 'The same request with curl' });
    this.copy = button('Copy', async () => {
      this.copy.textContent = await copy(this.curl.textContent, this.curl);
      setTimeout(() => { this.copy.textContent = 'Copy'; }, 1500);
    }, { id: 'copy' });
    this.raw = make('pre', { id: 'raw', tabIndex: 0, 'aria-label': 'Raw answer' });
    this.download = button('Save picture', () => this.#save(), { id: 'save' });
    this.snippets = make('div', { id: 'snippets' }, make('h2', {}, 'The same with curl'), make('div', { class: 'code' }, this.curl, this.copy));
    this.extras = make('div', { id: 'extras', hidden: true },
      make('div', { class: 'buttons' }, this.download,
        button('Save JSON', () => save(new Blob([this.#shown.answer.text], { type: 'application/json' }), `${this.#stem()}.json`), { id: 'save-json' }),
        button('Compute anew', again, { id: 'again', title: 'Asks again without the cache' })),
      this.snippets,
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

  /** Takes the last answer away. */
  clear() {
    this.#shown = this.#rows = null;
    clearTimeout(this.#keep);
    this.result.replaceChildren();
    this.timing.hidden = this.extras.hidden = true;
  }

  /** Shows an answer of api.infer to a question {model (as of api.model), input, options, fileName, live}. */
  show(answer, question) {
    this.#shown = { answer, question };
    const keep = document.activeElement?.closest?.('#result') ? [...this.result.querySelectorAll('[tabindex]')].indexOf(document.activeElement) : -1;
    this.result.setAttribute('aria-live', question.live ? 'off' : 'polite');
    this.#rows = results.show(this.result, answer, { onhover: this.onhover });
    if (keep >= 0) this.result.querySelectorAll('[tabindex]')[keep]?.focus();
    timing.show(this.timing, answer.serverTiming, answer.took);
    this.curl.textContent = curl(question.model.name, question.input, question.options, question.fileName);
    this.download.hidden = !question.input.image;
    this.extras.hidden = false;
    this.#fillRaw();
  }

  /** Makes the row of a box stand out. */
  highlight(i) { this.#rows?.highlight(i); }

  /** Shows that an answer is on its way. */
  busy(yes) { this.result.classList.toggle('busy', yes); }

  #fillRaw() {
    if (this.#shown && this.raw.parentElement.open) this.raw.textContent = JSON.stringify(this.#shown.answer.document, null, 2);
  }

  #stem() { return (this.#shown.question.fileName || this.#shown.question.model.name).replace(/\.\w+$/, ''); }

  async #save() {
    const blob = await this.picture();
    if (blob) save(blob, `${this.#stem()}-${this.#shown.question.model.name}.png`);
  }
}
