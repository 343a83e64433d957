// The models: what is served, whether it is ready, and what it does with its input.

import * as api from '../api.js';
import { kindBadge, make, sheet } from '../dom.js';
import { build } from './models-one.js';

export const title = 'Models';

/** Opens the view; rest is the name of a model, or '' for the list. */
export async function mount(place, app, rest) {
  await sheet('views/models.css');
  const view = new Models(place, app);
  await view.update(rest);
  return view;
}

const at = (name, view = 'models') => `#${view}/${encodeURIComponent(name)}`;

/** A model and its version, where one is named. */
export const target = (t) => (t.version ? `${t.model} ${t.version}` : t.model);

/** Percent in words. */
export const share = (x) => `${Math.round(x * 100) / 100} %`;

/** Whether a model is ready, as a badge. */
export function readiness(m) {
  if (m.ready && m.kind !== 'model') return make('span', { class: 'badge good' }, 'ready');
  const up = m.versions.filter((v) => v.state === 'READY').length;
  if (m.ready) return make('span', { class: 'badge good' }, up === m.versions.length ? 'ready' : `ready, ${up} of ${m.versions.length} versions`);
  return make('span', { class: 'badge bad' }, m.versions.some((v) => v.state === 'LOADING') ? 'loading' : 'not ready');
}

/** Why a model is not ready, in words; '' for one that is. */
export const reason = (m) => (m.ready ? '' : m.error || m.versions.map((v) => v.reason).find(Boolean) || 'No version is ready.');

/** What was guessed or looks wrong, but for what the reason has said already. */
export const warnings = (m) => m.warnings.filter((w) => !reason(m).includes(w));

/** How many there are of each kind. */
function counted(models) {
  const count = (kind, one, more) => { const n = models.filter((m) => m.kind === kind).length; return n > 0 && `${n} ${n === 1 ? one : more}`; };
  return [count('model', 'model', 'models'), count('route', 'route', 'routes'), count('graph', 'graph', 'graphs')].filter(Boolean).join(', ');
}

class Models {
  #turn = 0;

  #one = null; // {leave}, of the model that is shown

  #rest = '';

  constructor(place, app) {
    Object.assign(this, { place, app });
  }

  /** Shows the list, or one model. */
  async update(rest) {
    const mine = ++this.#turn;
    this.#rest = rest;
    this.#one?.leave();
    this.#one = null;
    this.app.fail(null);
    if (!rest) return this.#list();
    let m;
    try {
      m = await api.model(rest); // anew: readiness changes
    } catch (e) {
      if (mine !== this.#turn) return undefined;
      this.app.fail(e);
      return this.#list();
    }
    if (mine !== this.#turn) return undefined;
    this.#one = build(this.place, this.app, m);
    return undefined;
  }

  /** All is well again: what was shown is shown as it is now. */
  recovered() { return this.update(this.#rest); }

  leave() {
    this.#turn++;
    this.#one?.leave();
  }

  #list() {
    const { models } = this.app;
    if (models.length === 0) {
      this.place.replaceChildren(make('p', { class: 'empty' }, 'There are no models yet. Put one into the model repository: it appears here.'));
      return;
    }
    const rows = models.map((m) => ({ m, row: this.#row(m) }));
    const none = make('p', { class: 'empty', hidden: true }, 'No model is called so.');
    const filter = () => {
      const word = search.value.trim().toLowerCase();
      for (const { m, row } of rows) row.hidden = !`${m.name} ${m.kind} ${m.task || ''} ${m.description || ''}`.toLowerCase().includes(word);
      none.hidden = rows.some(({ row }) => !row.hidden);
    };
    const search = make('input', { type: 'search', id: 'search', oninput: filter, placeholder: 'Name, task or description', 'aria-label': 'Search models' });
    this.place.replaceChildren(make('section', { class: 'card', 'aria-label': 'Models' },
      make('div', { class: 'head' }, make('strong', {}, counted(models)), models.length > 5 && make('div', { class: 'search' }, search)),
      make('ul', { class: 'models' }, ...rows.map(({ row }) => row)), none));
    if (models.some((m) => m.kind === 'route')) this.#leads();
  }

  /** Says of each route where it leads. A list without that is a list all the same. */
  async #leads() {
    const mine = this.#turn;
    let all;
    try {
      all = await api.routes();
    } catch {
      return;
    }
    if (mine !== this.#turn) return;
    for (const p of this.place.querySelectorAll('[data-route]')) {
      const r = all.get(p.dataset.route);
      if (!r) continue;
      p.textContent = [`Leads to ${r.candidates.map((c) => `${share(c.weight)} ${target(c)}`).join(', ')}`, r.spec.rules?.length && `${r.spec.rules.length} ${r.spec.rules.length === 1 ? 'rule' : 'rules'}`, r.canary && `canary ${r.canary.state} at ${share(r.canary.share)}`, r.spec.shadow && `shadow ${target(r.spec.shadow)}`].filter(Boolean).join(' · ');
      p.hidden = false;
    }
  }

  #row(m) {
    const why = reason(m);
    return make('li', {},
      make('div', { class: 'what' },
        make('a', { href: at(m.name), class: 'name' }, m.name),
        make('p', { class: 'hint' }, m.description || (m.task || '').replaceAll('-', ' ')),
        m.kind === 'route' && make('p', { class: 'hint leads', hidden: true, 'data-route': m.name }),
        why && make('p', { class: 'wrong' }, why),
        ...warnings(m).map((w) => make('p', { class: 'warning' }, w))),
      make('div', { class: 'badges' }, kindBadge(m), m.task && make('span', { class: 'badge' }, m.task), m.kind === 'model' && m.versions.length > 1 && make('span', { class: 'badge' }, `${m.versions.length} versions`), readiness(m)),
      make('a', { class: 'button', href: at(m.name, 'try'), hidden: !m.ready, 'aria-label': `Try ${m.name}` }, 'Try'));
  }
}
