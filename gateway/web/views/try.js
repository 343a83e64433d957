// Try a model: give it something, see what it says.

import * as api from '../api.js';
import { make, button, debounce, kindBadge } from '../dom.js';
import { Answer } from '../answer.js';
import { Grid } from '../grid.js';
import { Picker } from '../picker.js';
import { Viewer } from '../viewer.js';
import * as options from '../options.js';
import * as row from '../row.js';

export const title = 'Try';

const welcome = 'Choose a sample or drop a picture: the answer appears here, with what each stage took and whether the cache knew it.';

/** Opens the view; rest is the name of the model, or ''. */
export async function mount(place, app, rest) {
  const view = new Try(place, app);
  await app.loaded;
  await view.update(rest);
  return view;
}

class Try {
  #model = null;

  #kind = 'image'; // image, row, tensors or text

  #picture = null; // {blob, name}, the one that is shown

  #viewer = null;

  #grid = null;

  #live = null; // the camera

  #running = null; // AbortController of the question under way

  #left = false;

  #tensors = null; // the module, once a model wants it

  #writer = null; // the form of a model that goes on with a text

  constructor(place, app) {
    this.app = app;
    this.soon = debounce(60, () => this.run());
    this.select = make('select', { id: 'model', onchange: () => app.go(`try/${encodeURIComponent(this.select.value)}`) });
    this.version = make('select', { id: 'version', onchange: () => this.run() });
    this.versionField = make('div', { class: 'field' }, make('label', { for: 'version' }, 'Version'), this.version);
    this.about = make('p', { id: 'about', class: 'hint' });
    this.kinds = make('div', { id: 'kinds', class: 'tabs', role: 'group', 'aria-label': 'Kind of input' },
      ...[['image', 'Picture'], ['row', 'Row']].map(([kind, label]) => button(label, () => { this.#choose(kind); this.run(); }, { 'data-kind': kind })));
    this.pictures = make('div', { id: 'picture' });
    this.row = make('form', { id: 'row', class: 'row', 'aria-label': 'Row' });
    this.tensors = make('div', { id: 'tensors' });
    this.text = make('div', { id: 'text' });
    this.options = make('div', { id: 'options', class: 'options', role: 'group', 'aria-label': 'Options' });
    const answer = make('section', { id: 'answer', class: 'card', 'aria-label': 'Answer' });
    place.replaceChildren(make('div', { class: 'columns' },
      make('section', { id: 'ask', class: 'card', 'aria-label': 'Input' },
        make('div', { class: 'fields' }, make('div', { class: 'field' }, make('label', { for: 'model' }, 'Model'), this.select), this.versionField),
        this.about, this.kinds, this.pictures, this.row, this.tensors, this.text, this.options),
      answer));
    this.picker = new Picker(this.pictures, { take: (all) => this.take(all), camera: () => this.camera(), fail: app.fail });
    this.answer = new Answer(answer, {
      onhover: (i) => this.#viewer?.highlight(i),
      again: () => this.run({ cache: 'no-cache' }),
      picture: () => this.#viewer?.toBlob(),
      say: app.say,
    });
    this.answer.empty(welcome);
  }

  /** Shows another model, rest: the picture stays, where it takes one. NAME/history/ID opens an answer of the history again. */
  async update(rest) {
    const [, name, id] = /^(.*)\/history\/(\d+)$/.exec(rest) || [null, rest, ''];
    await this.#open(name, id ? await this.#recall(id) : null);
    if (id) history.replaceState(null, '', `#try/${encodeURIComponent(this.select.value)}`);
  }

  /** An entry of the history; null, said in words, where it is gone. */
  async #recall(id) {
    const { get } = await import('../store.js');
    const entry = await get(id);
    if (!entry) this.app.fail({ title: 'This answer is no longer in the history', detail: 'Give the picture again.' });
    else if (!entry.blob && !entry.row && !entry.body) this.app.fail({ title: 'Only the thumbnail of this picture was kept', detail: 'Give the picture again.' });
    return entry;
  }

  async #open(wanted, entry) {
    this.wanted = wanted;
    const { models } = this.app;
    const shown = models.filter((m) => m.ready && m.samples.length);
    const first = models.find((m) => m.name === wanted) || shown.find((m) => m.task === 'object-detection') || shown[0] || models.find((m) => m.ready) || models[0];
    this.select.replaceChildren(...models.map((m) => make('option', { value: m.name }, m.ready ? m.name : `${m.name} (not ready)`)));
    if (wanted && first && wanted !== first.name) return this.#missing(wanted);
    if (!first) return this.app.models.length === 0 && this.answer.empty('There are no models yet. Put one into the model repository: it appears here.');
    this.select.value = first.name;
    if (this.missing) this.app.fail(null);
    this.missing = false;
    let m;
    try {
      m = await this.app.model(first.name);
    } catch (e) {
      return this.app.fail(e);
    }
    if (this.select.value !== m.name) return undefined; // another one has been chosen meanwhile
    return this.#show(m, entry);
  }

  /** There is no model of this name: none is shown in its place. */
  #missing(name) {
    this.missing = true;
    this.#running?.abort();
    this.#writer?.stop();
    this.#model = null;
    this.select.prepend(make('option', { value: '', disabled: true }, 'Choose a model'));
    this.select.value = '';
    this.about.replaceChildren();
    this.versionField.hidden = this.kinds.hidden = this.options.hidden = true;
    this.#choose('none');
    this.answer.empty(`There is no model “${name}” here. Choose one from the list.`);
    this.app.fail({ title: `There is no model ${name}`, detail: 'It may have another name, or has been taken away. The list has all that there are.' });
  }

  /** All is well again: asks what was asked last. */
  recovered() { return this.update(this.missing ? this.wanted : this.select.value || this.wanted); }

  /** Stops everything that runs. */
  leave() {
    this.#left = true;
    this.#running?.abort();
    this.#endLive();
    this.#writer?.stop();
    this.#grid?.destroy();
    this.#viewer?.destroy();
    this.picker.destroy();
  }

  async #show(m, entry) {
    this.#model = m.error ? null : m;
    if (m.error) this.app.fail({ title: `${m.name} cannot be served`, detail: m.error });
    const labels = m.labels || [];
    this.about.replaceChildren(...[kindBadge(m), m.kind !== 'model' && make('a', { href: `#models/${encodeURIComponent(m.name)}` }, m.kind === 'graph' ? 'its nodes' : 'where it leads'),
      [m.description || (m.task || '').replaceAll('-', ' '), labels.slice(0, 8).join(', ') + (labels.length > 8 ? ', …' : '')].filter(Boolean).join(': ')].filter(Boolean).flatMap((part, i) => (i ? [' · ', part] : [part])));
    const ready = (m.versions || []).filter((v) => v.state === 'READY');
    this.version.replaceChildren(make('option', { value: '' }, 'newest'), ...ready.map((v) => make('option', { value: v.version }, v.version)));
    this.versionField.hidden = ready.length < 2 || m.kind !== 'model'; // a route chooses the version itself, and a graph has but one
    const [takesImage, takesRow] = [Boolean(m.preprocess), Boolean(m.columns?.length)];
    this.kinds.hidden = !(takesImage && takesRow);
    const takesText = m.streams && m.inputs.some((t) => t.name === 'text_input' && t.datatype === 'BYTES') && m.outputs.some((t) => t.name === 'text_output');
    this.#writer?.stop();
    this.#choose(takesImage || m.error ? 'image' : takesRow ? 'row' : takesText ? 'text' : 'tensors');
    row.build(this.row, m.columns || [], m.example?.body?.row, this.soon);
    options.build(this.options, m, this.soon);
    this.picker.offer(m);
    this.picker.mark(this.#picture?.name);
    await this.#viewer?.overlay(null);
    if (m.error) return this.answer.empty('This model cannot be asked.');
    if (this.#kind === 'text') return this.#write(m);
    if (this.#kind === 'tensors') {
      this.#tensors = await import('../tensors.js');
      this.#tensors.build(this.tensors, m, this.soon);
    }
    if (entry) return this.#again(entry);
    if (this.#kind === 'image' && !this.#picture && !this.#grid) return this.answer.empty(welcome);
    return this.run();
  }

  /** The form of a model that goes on with a text. */
  async #write(m) {
    const { Writer } = await import('../text.js');
    if (this.#model !== m || this.#left) return;
    this.answer.empty('Write the beginning of a text and press Run: the rest appears here, token by token.');
    this.#writer = new Writer(this.text, m, {
      wishes: () => (this.version.value ? { version: this.version.value } : {}),
      room: () => { this.answer.empty(''); return this.answer.result; },
      say: this.app.say,
      fail: (problem) => this.app.fail(problem),
    });
  }

  /** Asks again what the history has. */
  #again(entry) {
    this.version.value = entry.version || '';
    options.set(this.options, entry.options);
    if (entry.blob) return this.take([{ blob: entry.blob, name: entry.fileName }]);
    if (entry.row && this.row.children.length) {
      this.#choose('row');
      row.set(this.row, entry.row);
    }
    if (entry.body) this.#tensors?.set?.(this.tensors, entry.body);
    return this.run();
  }

  #choose(kind) {
    this.#kind = kind;
    this.pictures.hidden = kind !== 'image';
    this.row.hidden = kind !== 'row';
    this.tensors.hidden = kind !== 'tensors';
    this.text.hidden = kind !== 'text';
    for (const b of this.kinds.children) b.setAttribute('aria-pressed', String(b.dataset.kind === kind));
    if (kind !== 'image') this.#endLive();
  }

  /** The options in force. */
  #wishes() {
    return { ...(this.version.value && { version: this.version.value }), ...options.values(this.options) };
  }

  /** Asks the model, if there is something to ask; an older question is dropped. */
  async run(more = {}) {
    if (!this.#model || this.#live || this.#kind === 'text') return;
    if (this.#kind === 'image' && this.#grid && !this.#picture) return void await this.#all();
    const input = this.#input();
    if (!input) return;
    this.#running?.abort();
    const mine = this.#running = new AbortController();
    const question = { model: this.#model, input, options: this.#wishes(), fileName: this.#picture?.name || 'picture.jpg' };
    this.answer.busy(true);
    try {
      const answer = await api.infer(question.model.name, input, { ...question.options, ...more }, mine.signal);
      if (mine.signal.aborted) return;
      this.#failed(null);
      this.answer.show(answer, question);
      if (input.image) await this.#viewer?.overlay(answer.document);
    } catch (e) {
      if (e.name !== 'AbortError') this.#failed(e);
    } finally {
      if (this.#running === mine) this.answer.busy(false);
    }
  }

  /** What the model is asked about; null where there is nothing yet. */
  #input() {
    if (this.#kind === 'row') return { row: row.values(this.row) };
    if (this.#kind === 'tensors') {
      const body = this.#tensors?.values(this.tensors);
      return body ? { body } : null;
    }
    return this.#picture && { image: this.#picture.blob };
  }

  #failed(problem) {
    this.app.fail(problem);
    row.mark(this.row, problem?.places);
    if (this.#kind === 'tensors') this.#tensors.mark(this.tensors, problem);
    if (!problem) return;
    if (problem.code === 'invalid_image' && !this.#viewer) this.#picture = null;
    this.answer.empty('The answer appears here.');
  }

  /** Takes pictures from wherever they came. */
  async take(all) {
    if (this.missing) return undefined;
    if (this.#model && !this.#model.preprocess) {
      return this.app.fail({ title: `${this.#model.name} takes no pictures`, detail: 'Choose a model that does.' });
    }
    this.#endLive();
    this.#running?.abort();
    this.#choose('image');
    this.#grid?.destroy();
    this.#grid = null;
    this.picker.extra.replaceChildren();
    if (all.length > 1) {
      this.#picture = null;
      this.#viewer?.destroy();
      this.#viewer = null;
      this.picker.mark('');
      this.picker.full(true);
      this.answer.empty('The answers are on their way.');
      this.#grid = new Grid(this.picker.stage, {
        ask: (blob, signal) => api.infer(this.#model.name, { image: blob }, this.#wishes(), signal),
        open: (item) => this.#enlarge(item),
      });
      this.pending = all;
      return this.#all();
    }
    return this.#one(all[0]);
  }

  /** Asks about all pictures of the grid. */
  async #all() {
    if (!this.#model) return;
    const { pending } = this;
    this.pending = null;
    const finished = await (pending ? this.#grid.take(pending) : this.#grid.run());
    if (!finished) return;
    if (!this.#picture) this.answer.several(this.#grid.items);
    const failed = this.#grid.items.map((i) => i.problem).filter(Boolean);
    this.app.fail(failed.find((p) => p.away) || null);
    this.app.say(`${this.#grid.items.length - failed.length} of ${this.#grid.items.length} pictures answered.`);
  }

  /** Shows one picture of the grid in full; the grid is kept for the way back. */
  async #enlarge(item) {
    const kept = [...this.picker.stage.childNodes];
    this.picker.extra.replaceChildren(button(`Back to all ${this.#grid.items.length}`, () => {
      this.#viewer?.destroy();
      this.#viewer = this.#picture = null;
      this.picker.stage.replaceChildren(...kept);
      this.picker.extra.replaceChildren();
      this.run();
      item.tile.focus();
    }, { id: 'back' }));
    await this.#one(item);
    this.picker.extra.firstChild?.focus();
  }

  async #one({ blob, name }) {
    this.#picture = { blob, name };
    this.picker.mark(name);
    this.picker.full(true);
    this.#viewer ??= this.#look();
    try {
      await this.#viewer.show(blob);
    } catch { // not a picture that the browser can show: the server says what is wrong with it
      this.#viewer.destroy();
      this.#viewer = null;
      if (!this.#grid) this.picker.full(false);
    }
    return this.run();
  }

  #look() {
    const viewer = new Viewer(this.picker.stage);
    viewer.canvas.id = 'canvas';
    viewer.onhover = (i) => this.answer.highlight(i);
    return viewer;
  }

  /** Turns the camera on, or off where it is on. */
  async camera() {
    if (this.#live) return void await this.#freeze();
    const { start } = await import('../camera.js');
    this.#running?.abort();
    try {
      const live = await start({
        answer: (blob, signal) => this.#frame(blob, signal),
        drawn: () => this.#viewer?.redraw(),
        tell: ({ fps, ms }) => { this.picker.extra.textContent = `${fps.toFixed(1)} frames/s, ${ms.toFixed(0)} ms each`; },
        fail: (e) => { this.#endLive(); this.#failed(e); },
      });
      if (this.#left) return void live.stop();
      this.#grid?.destroy();
      this.#grid = this.#picture = null;
      this.picker.mark('');
      this.picker.full(true);
      this.#viewer?.destroy();
      this.#viewer = this.#look();
      this.#live = live;
      this.picker.camera.textContent = 'Freeze';
      this.picker.camera.classList.add('live');
      await this.#viewer.show(live.video);
    } catch (e) {
      this.app.fail(e);
    }
    return undefined;
  }

  /** Asks about one frame. Frames are not kept in the cache: no two are alike. */
  async #frame(blob, signal) {
    if (!this.#model) return;
    const question = { model: this.#model, input: { image: blob }, options: this.#wishes(), fileName: 'camera.jpg', live: true };
    const answer = await api.infer(question.model.name, question.input, { ...question.options, cache: 'no-store' }, signal, { digestFirst: false });
    if (signal.aborted) return;
    this.answer.show(answer, question);
    await this.#viewer?.overlay(answer.document);
  }

  /** Stops the camera and keeps its last frame as a picture. */
  async #freeze() {
    const live = this.#live;
    const blob = await live.freeze();
    this.#endLive();
    await this.#one({ blob, name: 'camera.jpg' });
  }

  #endLive() {
    if (!this.#live) return;
    this.#live.stop();
    this.#live = null;
    this.picker.camera.textContent = 'Camera';
    this.picker.camera.classList.remove('live');
    this.picker.extra.replaceChildren();
  }
}
