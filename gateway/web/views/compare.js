// Two models, or two versions of one, on the same picture.

import * as api from '../api.js';
import { agreement } from '../agree.js';
import { make, button, debounce, ms, sheet, unique } from '../dom.js';
import { Picker } from '../picker.js';
import { inWords } from '../problems.js';
import * as options from '../options.js';
import * as results from '../results.js';
import * as timing from '../timing.js';
import { Viewer } from '../viewer.js';

export const title = 'Compare';

const takesPictures = (m) => /^image-|^object-detection$/.test(m.task || '');
/** The versions that can be asked, the oldest first. A route chooses its own, and a graph has but one. */
const ready = (m) => (m?.kind === 'model' ? m.versions : []).filter((v) => v.state === 'READY').map((v) => v.version).sort((a, b) => a - b);
const sides = ['left', 'right'];

/** Opens the view; rest is left/right, each a model or model@version. */
export async function mount(place, app, rest) {
  await sheet('views/compare.css');
  const view = new Compare(place, app);
  await view.update(rest);
  return view;
}

class Compare {
  #picture = null; // {blob, name}

  constructor(place, app) {
    this.app = app;
    this.models = app.models.filter(takesPictures);
    this.pictures = make('div', { id: 'picture' });
    this.again = button('Compute both anew', () => this.run({ cache: 'no-cache' }), { id: 'again', title: 'Asks both without the cache, one after the other' });
    [this.said, this.scores, this.times] = [{ 'aria-live': 'polite' }, {}, {}].map((properties) => make('div', properties));
    this.verdict = make('section', { id: 'verdict', class: 'card', 'aria-label': 'Agreement', hidden: true }, this.said);
    this.figures = make('section', { id: 'figures', class: 'card', 'aria-label': 'Scores and times', hidden: true },
      this.scores, make('div', { class: 'between' }, make('h2', {}, 'Times'), this.again), this.times);
    this.left = new Side('left', 'Left', this, app);
    this.right = new Side('right', 'Right', this, app);
    place.replaceChildren(
      make('section', { class: 'card source', 'aria-label': 'Picture' }, this.pictures),
      this.verdict,
      make('div', { class: 'pair' }, this.left.root, this.right.root),
      this.figures);
    this.picker = new Picker(this.pictures, { take: (all) => this.take(all[0]), camera: () => {}, fail: app.fail });
    this.picker.camera.hidden = true;
    this.picker.all.classList.add('unwanted');
    for (const [a, b] of [[this.left, this.right], [this.right, this.left]]) a.follow = (view) => b.look(view);
  }

  /** Chooses what the hash names; what it leaves open is two versions of a model, or two models. */
  async update(rest) {
    if (this.models.length === 0) {
      this.pictures.replaceChildren(make('p', { class: 'empty' }, 'No model here takes pictures. Put one into the model repository: it appears here.'));
      this.left.root.hidden = this.right.root.hidden = true;
      return;
    }
    const asked = rest ? rest.split('/').map((text) => { const [name, version = ''] = text.split('@'); return { name, version }; }) : [];
    const known = (a) => this.models.some((m) => m.name === a.name);
    const unknown = asked.find((a) => !known(a));
    if (unknown) this.app.fail({ title: `${unknown.name} cannot be compared`, detail: 'There is no model of this name that takes pictures; the lists have those that do.' });
    const [a, b] = this.#pair(asked.filter(known));
    await Promise.all([this.left.choose(a), this.right.choose(b)]);
    this.#offer();
    await this.run();
  }

  /** All is well again: asks again. */
  recovered() { return this.run(); }

  /** Stops everything that runs. */
  leave() {
    for (const s of sides) this[s].leave();
    this.picker.destroy();
  }

  /** Two choices out of none, one or two. */
  #pair([a, b]) {
    const usable = this.models.filter((m) => m.ready);
    const first = a || { name: (usable.find((m) => ready(m).length > 1) || usable[0] || this.models[0]).name, version: '' };
    const own = this.models.find((m) => m.name === first.name);
    const versions = ready(own);
    if (b) return [first, b];
    if (versions.length > 1) {
      const other = first.version || versions[0];
      return [{ ...first, version: other }, { name: first.name, version: versions.findLast((v) => v !== other) }];
    }
    const alike = usable.find((m) => m.name !== first.name && m.task === own.task) || usable.find((m) => m.name !== first.name);
    return [first, { name: (alike || own).name, version: '' }];
  }

  /** Another model or version has been chosen on a side. */
  async changed() {
    history.replaceState(null, '', `#compare/${sides.map((s) => encodeURIComponent(this[s].name)).join('/')}`);
    this.#offer();
    await this.run();
  }

  /** Shows the samples of the left model; the right one's where it has none. */
  #offer() {
    const of = this.left.model?.samples?.length ? this.left.model : this.right.model;
    if (of && this.picker.samples.dataset.of !== of.name) {
      this.picker.samples.dataset.of = of.name;
      this.picker.offer(of);
    }
    this.picker.mark(this.#picture?.name);
  }

  async take(picture) {
    this.#picture = picture;
    this.picker.mark(picture.name);
    this.picker.full(true);
    await Promise.all(sides.map((s) => this[s].show(picture.blob)));
    await this.run();
  }

  /** Asks both. Without the cache they are asked one after the other, so that neither slows the other down. */
  async run(more = {}) {
    if (!this.#picture) return;
    this.again.setAttribute('aria-disabled', 'true');
    const input = { image: this.#picture.blob };
    let answers;
    if (more.cache) {
      answers = [];
      for (const s of sides) answers.push(await this[s].ask(input, more));
    } else {
      answers = await Promise.all(sides.map((s) => this[s].ask(input, more)));
    }
    this.again.setAttribute('aria-disabled', 'false');
    if (answers.some((a) => a === undefined)) return; // a later question has taken over
    this.app.fail(sides.map((s) => this[s].problem).find((p) => p?.away) || null);
    this.#judge();
  }

  /** Says how far the answers agree, and what each took. */
  #judge() {
    const [a, b] = sides.map((s) => this[s].answer);
    this.verdict.hidden = this.figures.hidden = !a || !b;
    if (this.verdict.hidden) return;
    const v = agreement(a.document, b.document);
    const words = { same: 'they agree', part: 'in part', different: 'they differ', none: 'not comparable' };
    const kinds = { same: 'good', part: 'info', different: 'bad', none: '' };
    this.said.replaceChildren(
      make('div', { class: 'head' }, make('strong', {}, v.text), make('span', { class: `badge ${kinds[v.level]}`, 'data-level': v.level }, words[v.level])),
      v.note ? make('p', { class: 'hint' }, v.note) : '');
    this.scores.replaceChildren(v.rows.length > 0 ? this.#scores(v.rows) : '');
    this.times.replaceChildren(...this.#times(a, b));
  }

  #scores(rows) {
    const cell = (share) => make('td', { class: 'number' }, share === null ? '–' : `${(share * 100).toFixed(1)} %`);
    return make('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Scores side by side' }, make('table', { id: 'scores' },
      make('thead', {}, make('tr', {}, make('th', { scope: 'col' }, 'Label'), ...sides.map((s) => make('th', { scope: 'col', class: 'number' }, this[s].said)), make('th', { scope: 'col', class: 'number' }, 'Change'))),
      make('tbody', {}, ...rows.slice(0, 50).map((r) => make('tr', { class: r.left === null || r.right === null ? 'one' : '' }, make('th', { scope: 'row' }, r.name), cell(r.left), cell(r.right), make('td', { class: 'number soft' }, r.note))))));
  }

  /** A row for each stage, with a bar for each side on one scale. */
  #times(a, b) {
    const words = { queue: 'Queue', decode: 'Decode', preprocess: 'Preprocess', infer: 'Model', postprocess: 'Postprocess', total: 'In the gateway' };
    const both = [a, b].map((x) => new Map(timing.parse(x.serverTiming).map((t) => [t.stage, t.ms])));
    const stages = [...Object.keys(words).filter((s) => both.some((t) => t.has(s))).map((s) => [words[s], s, both.map((t) => t.get(s))]), ['Round trip', 'round', [a.took, b.took]]];
    const most = Math.max(...stages.flatMap(([, , values]) => values.map((v) => v ?? 0)), 0.001);
    const cell = (value, side, stage) => {
      const fill = make('span', { class: `fill ${side} stage-${stage}` });
      fill.style.width = `${((value ?? 0) / most) * 100}%`;
      return make('td', {}, make('span', { class: 'track', 'aria-hidden': 'true' }, fill), make('span', { class: 'value' }, value === undefined ? 'not run' : ms(value)));
    };
    return [
      make('table', { id: 'times' },
        make('thead', {}, make('tr', {}, make('th', { scope: 'col' }, 'Stage'), ...sides.map((s) => make('th', { scope: 'col' }, this[s].said)))),
        make('tbody', {}, ...stages.map(([name, stage, values]) => make('tr', {}, make('th', { scope: 'row' }, name), ...values.map((v, i) => cell(v, sides[i], stage)))))),
      both.some((t) => !t.has('infer')) ? make('p', { class: 'hint' }, 'What came from the cache took no model. “Compute both anew” measures both.') : '',
    ];
  }
}

/** One of the two: a model, its version and options, and what it says. */
class Side {
  model = null;

  answer = null;

  problem = null;

  follow = null; // called with what the viewer shows

  #viewer = null;

  #running = null;

  #turn = 0;

  constructor(key, label, owner, app) {
    Object.assign(this, { key, owner, app });
    const [model, version] = [unique(`model-${key}`), unique(`version-${key}`)];
    this.select = make('select', { id: model, onchange: () => this.#choose('') }, ...owner.models.map((m) => make('option', { value: m.name }, m.ready ? m.name : `${m.name} (not ready)`)));
    this.version = make('select', { id: version, onchange: () => owner.changed() });
    this.options = make('div', { class: 'options', role: 'group', 'aria-label': `Options, ${label.toLowerCase()}` });
    this.stage = make('div', { class: 'stage', hidden: true });
    this.result = make('div', { class: 'result', 'aria-live': 'polite' }, make('p', { class: 'empty' }, 'Choose a sample or drop a picture.'));
    this.soon = debounce(60, () => owner.run());
    this.root = make('section', { class: `card side ${key}`, 'aria-label': label },
      make('div', { class: 'fields' },
        make('div', { class: 'field' }, make('label', { for: model }, `${label} model`), this.select),
        this.versionField = make('div', { class: 'field' }, make('label', { for: version }, 'Version'), this.version)),
      this.stage, this.result, this.options);
  }

  /** What is asked: a model, or model@version. */
  get name() { return this.select.value + (this.version.value && `@${this.version.value}`); }

  /** The same for people. */
  get said() { return this.select.value + (this.version.value ? ` v${this.version.value}` : ''); }

  async choose({ name, version }) {
    this.select.value = name;
    await this.#load(version);
  }

  async #choose(version) {
    await this.#load(version);
    await this.owner.changed();
  }

  async #load(version) {
    const mine = ++this.#turn;
    try {
      const m = await this.app.model(this.select.value);
      if (mine !== this.#turn) return;
      this.model = m;
      const versions = ready(m);
      this.version.replaceChildren(make('option', { value: '' }, 'newest'), ...versions.map((v) => make('option', { value: v }, v)));
      this.version.value = versions.includes(version) ? version : '';
      this.versionField.hidden = m.kind !== 'model';
      options.build(this.options, m, this.soon);
    } catch (e) {
      this.app.fail(e);
    }
  }

  /** Shows a picture without an answer. */
  async show(blob) {
    this.stage.hidden = false;
    if (!this.#viewer) {
      this.#viewer = new Viewer(this.stage);
      this.#viewer.onhover = (i) => this.rows?.highlight(i);
      this.#viewer.onview = (view) => this.follow?.(view);
    }
    try {
      await this.#viewer.show(blob);
    } catch { // the browser cannot show it: the server says what is wrong with it
      this.#viewer?.destroy();
      this.#viewer = null;
      this.stage.hidden = true;
    }
  }

  /** Shows the part of the picture that the other side shows. */
  look(view) { if (this.#viewer) this.#viewer.view = view; }

  /** Asks the model; true where it answered, false where it failed, undefined where a later question has taken over. */
  async ask(input, more) {
    if (!this.model) return false;
    this.#running?.abort();
    const mine = this.#running = new AbortController();
    this.result.classList.add('busy');
    try {
      const wishes = { ...(this.version.value && { version: this.version.value }), ...options.values(this.options), ...more };
      const answer = await api.infer(this.model.name, input, wishes, mine.signal);
      if (mine.signal.aborted) return undefined;
      this.answer = answer;
      this.problem = null;
      this.rows = results.show(this.result, answer, { onhover: (i) => this.#viewer?.highlight(i) });
      await this.#viewer?.overlay(answer.document);
      return true;
    } catch (e) {
      if (e.name === 'AbortError') return undefined;
      this.answer = null;
      this.problem = e;
      const { title: what, said, hint } = inWords(e);
      this.result.replaceChildren(make('p', { class: 'failed', role: 'alert' }, make('b', {}, `${what}. `), said, ' ', hint));
      await this.#viewer?.overlay(null);
      return false;
    } finally {
      if (this.#running === mine) this.result.classList.remove('busy');
    }
  }

  leave() {
    this.#running?.abort();
    this.#viewer?.destroy();
    this.#viewer = null;
  }
}
