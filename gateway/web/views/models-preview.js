// What a model sees of a picture: its input tensor, drawn.

import { ask, sample } from '../api.js';
import { make, unique } from '../dom.js';
import { Picker } from '../picker.js';
import { Viewer } from '../viewer.js';

export class Preview {
  #picture = null; // {blob, name}

  #viewers = null; // [of the picture, of what the model sees]

  #running = null;

  constructor(app, model) {
    Object.assign(this, { app, model });
    const ready = model.versions.filter((v) => v.state === 'READY');
    const id = unique('seen-version');
    this.version = make('select', { id, onchange: () => this.run() }, make('option', { value: '' }, 'newest'), ...ready.map((v) => make('option', { value: v.version }, v.version)));
    this.picker = new Picker(make('div', { id: 'picture' }), { take: ([first]) => this.take(first), camera: () => {}, fail: app.fail });
    this.picker.camera.hidden = true;
    this.picker.all.classList.add('unwanted');
    this.source = this.picker.stage.parentElement;
    [this.before, this.after] = ['before', 'after'].map((name) => make('div', { class: name }));
    this.note = make('p', { class: 'hint', id: 'tensor', 'aria-live': 'polite' });
    this.both = make('div', { class: 'seen', hidden: true },
      make('figure', {}, this.before, make('figcaption', {}, 'The picture')),
      make('figure', {}, this.after, make('figcaption', {}, 'What the model sees')));
    this.root = make('section', { class: 'card', 'aria-label': 'What the model sees' }, make('h2', {}, 'What the model sees'),
      make('p', { class: 'hint' }, `Its input tensor as a picture: resized, cut and padded${model.kind === 'route' ? '' : ' as below'}, with the normalisation undone. No model runs for it.`),
      this.both, this.note, this.source,
      make('div', { class: 'field narrow', hidden: ready.length < 2 || model.kind !== 'model' }, make('label', { for: id }, 'Version'), this.version));
    this.picker.offer(model);
    const [first] = model.samples;
    if (first) this.#start(first);
  }

  async #start(file) {
    try {
      const blob = await sample(this.model.name, file);
      if (!this.#picture && !this.gone) await this.take({ blob, name: file });
    } catch (e) {
      this.app.fail(e);
    }
  }

  /** Shows another picture. */
  async take(picture) {
    this.#picture = picture;
    this.picker.mark(picture.name);
    this.picker.full(true);
    this.both.hidden = false;
    this.#viewers ??= [this.before, this.after].map((place) => new Viewer(place));
    try {
      await this.#viewers[0].show(picture.blob);
    } catch { // the server says what is wrong with it
      this.both.hidden = true;
    }
    await this.run();
  }

  async run() {
    if (!this.#picture || this.gone) return;
    this.#running?.abort();
    const mine = this.#running = new AbortController();
    const query = this.version.value && `?version=${encodeURIComponent(this.version.value)}`;
    try {
      const response = await ask(`/v1/models/${encodeURIComponent(this.model.name)}/preview${query}`, {
        method: 'POST', body: this.#picture.blob, headers: { 'Content-Type': this.#picture.blob.type || 'application/octet-stream' }, signal: mine.signal,
      });
      const seen = await response.blob();
      if (mine.signal.aborted || this.gone) return;
      this.app.fail(null);
      this.both.hidden = false;
      await this.#viewers[1].show(seen);
      const [dtype, ...more] = (response.headers.get('X-Tensor') || '').split(';').map((s) => s.trim());
      const of = Object.fromEntries(more.map((s) => s.split('=')));
      this.note.textContent = `${dtype} ${of.layout} tensor, ${(of.shape || '').replaceAll('x', ' × ')}, colours ${of.color}.`;
      this.#viewers[1].canvas.setAttribute('aria-label', `What the model sees: ${this.#viewers[1].width} by ${this.#viewers[1].height} pixels`);
    } catch (e) {
      if (e.name === 'AbortError' || this.gone) return;
      this.note.textContent = '';
      this.app.fail(e);
    }
  }

  leave() {
    this.gone = true;
    this.#running?.abort();
    this.picker.destroy();
    for (const v of this.#viewers || []) v.destroy();
  }
}
