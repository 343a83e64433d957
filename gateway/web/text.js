// A prompt, and the text that a model goes on with, token by token.

import { stream } from './api.js';
import { make, button, ms, unique } from './dom.js';

// What stands in a field is sent; one that is emptied is left to the model.
const fields = [
  ['max_tokens', 'Tokens, at most', { type: 'number', min: 1, max: 100000, step: 1, value: '64' }, (v) => Math.trunc(v)],
  ['temperature', 'Temperature', { type: 'number', min: 0, max: 10, step: 0.1, value: '0' }, Number],
  ['seed', 'Seed', { type: 'number', step: 1, value: '0' }, (v) => Math.trunc(v)],
];

/** The form for a model that streams text_output for a text_input. */
export class Writer {
  #running = null;

  #inputs = {};

  /** Fills place. wishes() are the options of the query, room() gives the cleared element of the answer, say(text) has it read out, fail(problem) shows it. */
  constructor(place, model, { wishes, room, say, fail }) {
    Object.assign(this, { model, wishes, room, say, fail });
    const id = unique('prompt');
    this.prompt = make('textarea', { id, rows: 4, value: 'the red star', autocomplete: 'off' });
    this.run = button('Run', () => this.go(), { class: 'primary' });
    this.halt = button('Stop', () => this.stop(), { disabled: true });
    const extra = fields.filter(([name]) => model.inputs.some((t) => t.name === name)).map(([name, label, settings]) => {
      const field = unique(name);
      this.#inputs[name] = make('input', { id: field, placeholder: 'left to the model', ...settings });
      return make('div', { class: 'field' }, make('label', { for: field }, label), this.#inputs[name]);
    });
    this.prompt.addEventListener('keydown', (e) => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) this.go(); });
    place.replaceChildren(make('label', { for: id }, 'Beginning of the text'), this.prompt, make('div', { class: 'fields' }, ...extra),
      make('div', { class: 'buttons' }, this.run, this.halt));
  }

  /** The tensors to send. */
  body() {
    const one = (name, value) => ({ name, datatype: this.model.inputs.find((t) => t.name === name).datatype, shape: [1], data: [value] });
    const extra = fields.filter(([name]) => this.#inputs[name]?.value).map(([name, , , read]) => one(name, read(this.#inputs[name].value)));
    return { inputs: [one('text_input', this.prompt.value), ...extra] };
  }

  /** Ends what runs. */
  stop() { this.#running?.abort(); }

  /** Asks, and shows each token as it comes. */
  async go() {
    this.stop();
    const mine = this.#running = new AbortController();
    this.fail(null);
    const story = make('p', { class: 'story' }, make('i', {}, this.prompt.value));
    const note = make('p', { id: 'story-note', class: 'hint' }, 'The first token is on its way.');
    const programs = make('div');
    this.room().replaceChildren(story, note, programs);
    this.halt.disabled = false;
    const body = this.body();
    const began = performance.now();
    let [count, first] = [0, 0];
    const words = () => `${count} ${count === 1 ? 'token' : 'tokens'} in ${ms(performance.now() - began)}, the first after ${ms(first)}`;
    try {
      for await (const event of stream(this.model.name, body, this.wishes(), mine.signal)) {
        if (event.name !== 'response') continue;
        first ||= performance.now() - began;
        count += 1;
        for (const o of event.data.outputs) if (o.name === 'text_output') story.append(...o.data.map((text) => make('span', {}, text)));
        note.textContent = `${count} tokens so far`;
      }
      note.textContent = count ? `${words()}.` : 'The model had nothing to add.';
      this.say(`${story.textContent} ${note.textContent}`);
    } catch (e) {
      note.textContent = e.name === 'AbortError' ? `Stopped. ${count ? `${words()}.` : ''}` : `Failed after ${count} tokens.`;
      if (e.name !== 'AbortError') this.fail(e);
    } finally {
      if (this.#running === mine) this.halt.disabled = true;
    }
    const { panel } = await import('./snippets.js');
    panel(programs, this.model, { body }, this.wishes());
    programs.prepend(make('h2', {}, 'The same from a program'));
  }
}
