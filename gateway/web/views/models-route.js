// Where a route leads: who answers by which share, by which rules, and how its canary and its shadow do.

import * as api from '../api.js';
import { bars, button, make, ms } from '../dom.js';
import { keyed } from '../key.js';
import { summary } from '../results.js';
import { card, row, table } from './models-one.js';
import { share, target } from './models.js';

const most = 5; // disagreements that are shown
const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const link = (t) => make('a', { href: `#models/${encodeURIComponent(t.model)}` }, target(t));
const scroll = (label, ...content) => make('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': label }, ...content);
const rounded = (x) => String(Math.round(x * 1000) / 1000);
const actions = { put: 'put', rollback: 'rolled back', delete: 'deleted', canary: 'moved by its canary', promote: 'promoted', pause: 'paused', resume: 'resumed' };
const states = { running: 'info', paused: '', back: 'bad', done: 'good', unknown: '' };
const rules = { errors: 'errors', slower: 'time', disagreement: 'disagreement' };

/** When a rule fits, in words. */
function when(w) {
  const of = { tier: 'tier', pixels_over: 'pixels over', pixels_to: 'pixels up to', bytes_over: 'bytes over', bytes_to: 'bytes up to', rows_over: 'rows over', rows_to: 'rows up to' };
  const parts = Object.entries(of).filter(([key]) => w[key] !== undefined).map(([key, words]) => `${words} ${w[key].toLocaleString()}`);
  for (const [name, value] of Object.entries(w.header || {})) parts.push(`header ${name}: ${value}`);
  if (w.time) parts.push(`${w.time.from || '00:00'} to ${w.time.to || '24:00'}${w.time.days?.length ? ` on ${w.time.days.join(', ')}` : ''} ${w.time.zone || 'UTC'}`);
  return parts.join(' and ') || 'always';
}

export class Route {
  #urls = [];

  #gone = false;

  /** Looks up the route of a model (as of GET /v1/models/{model}) and shows it in root. */
  constructor(m) {
    Object.assign(this, { m, name: m.name });
    this.root = make('div', { class: 'stack route' }, card('Where it leads', make('p', { class: 'hint' }, 'It is looked up.')));
    this.show();
  }

  leave() {
    this.#gone = true;
    this.#free();
  }

  /** Shows the route as it is now. */
  async show() {
    let r;
    try {
      r = await api.route(this.name);
    } catch (e) {
      if (!this.#gone) this.root.replaceChildren(card('Where it leads', make('p', { class: 'hint' }, `This cannot be shown: ${e.detail || e.message}`)));
      return;
    }
    const [canary, shadow, worst] = await Promise.all([r.canary && this.#part('canary'), r.spec.shadow && this.#part('shadow'), r.spec.shadow && this.#part('disagreements')]);
    if (this.#gone) return;
    this.#free();
    this.root.replaceChildren(...[this.#leads(r), r.canary && this.#canary(r, canary), r.spec.shadow && this.#shadow(r, shadow, worst)].filter(Boolean));
  }

  #free() {
    this.#urls.forEach((url) => URL.revokeObjectURL(url));
    this.#urls = [];
  }

  /** What operators may see; {why} for others. Without a key the public listener refuses it, so that it is not asked. */
  async #part(part) {
    const path = `/v1/routes/${this.name}/${part}`;
    if (!keyed()) return { why: `For operators: give a key of scope admin, or ask the admin listener for ${path}.` };
    try {
      return await api.routePart(this.name, part);
    } catch (e) {
      return { why: e.status === 403 ? `For operators: this key has no scope admin. The admin listener has it at ${path}.` : e.detail || e.message };
    }
  }

  #leads(r) {
    const { spec } = r;
    const up = (c) => make('span', { class: `badge ${c.version ? 'good' : 'bad'}` }, c.version ? 'ready' : 'not ready');
    const list = (title, items) => (items?.length ? [make('h3', {}, title), make('ol', { class: 'steps' }, ...items.map((i) => make('li', {}, i)))] : []);
    const by = r.version ? `Version ${r.version}, changed${r.by ? ` by ${r.by}` : ''}${r.at ? ` on ${date.format(new Date(r.at))}` : ''}${r.kept ? `, kept in ${r.kept}` : ''}.` : 'As it is written in gateway.yaml; nobody has changed it since.';
    const sticky = spec.sticky && spec.sticky !== 'none' ? `Sticky by ${spec.sticky.replace(':', ' ')}: requests that have the same stay on one side.` : 'Not sticky: each request is decided by itself.';
    const told = this.m.error ? /^[\w.[\]]+: / : /: there is no model "/; // above, as the reason or as a warning of the model
    const said = (r.warnings || []).filter((w) => !told.test(w));
    return card('Where it leads',
      scroll('Candidates', make('table', { id: 'candidates' },
        make('thead', {}, make('tr', {}, ...['Share', 'Model', 'Version', 'State'].map((h) => make('th', { scope: 'col' }, h)))),
        make('tbody', {}, ...r.candidates.map((c, i) => make('tr', {}, make('td', { class: 'number' }, share(c.weight)), make('th', { scope: 'row' }, link({ model: c.model })),
          make('td', {}, c.version || '–', spec.candidates?.[i]?.version ? '' : ' (by the model’s policy)'), make('td', {}, up(c))))))),
      ...said.map((w) => make('p', { class: 'wrong' }, w)),
      ...list('Rules, the first that fits', spec.rules?.map((u) => [`${when(u.when)}: `, link(u.use)])),
      ...list('Where the one that was chosen is not ready', spec.fallback?.map((t) => [link(t)])),
      make('p', { class: 'hint' }, sticky),
      make('p', { class: 'hint', id: 'changed' }, by),
      make('div', { class: 'buttons' }, button('Look again', () => this.show()), make('a', { class: 'button', href: `/v1/routes/${encodeURIComponent(this.name)}` }, 'Route as JSON')));
  }

  #canary({ canary: c }, full) {
    const rows = [
      ['New', link(c)], full?.control && ['Compared with', full.control], ['Step', `${c.step} of ${c.steps}`], ['Share', share(c.share)], c.rule && ['Sent back by', rules[c.rule] || c.rule], c.reason && ['Why', c.reason],
      full?.since && ['Watched since', date.format(new Date(full.since))],
      full?.answers && ['Its answers', `${full.answers.canary.answers}, ${full.answers.canary.failures} failed`],
      full?.answers && ['The control’s', `${full.answers.control.answers}, ${full.answers.control.failures} failed`],
      full?.answers && ['Compared inputs', `${full.answers.compared.inputs}, ${full.answers.compared.otherwise} answered otherwise`],
    ].filter(Boolean);
    const evidence = Object.entries(full?.evidence || {});
    return card('Canary', make('p', { class: 'badges' }, make('span', { class: `badge ${states[c.state] || ''}`, id: 'canary-state' }, c.state)),
      make('table', {}, make('tbody', {}, ...rows.map(([k, v]) => row(k, v)))),
      ...(evidence.length ? [make('h3', {}, 'Evidence against it'), bars(evidence.map(([rule, x]) => ({ name: rules[rule] || rule, share: x, value: rounded(x) }))),
        make('p', { class: 'hint' }, 'Above 1 it goes back; below 0 it looks good. Of this gateway alone.')] : []),
      full?.why ? make('p', { class: 'hint why' }, full.why) : '',
      ...(full?.history?.length ? [make('details', {}, make('summary', {}, `Its moves (${full.history.length})`), scroll('Moves of the canary', table(['When', 'What', 'Share', 'By'], full.history.map((h) => row(
        date.format(new Date(h.at)), [`${actions[h.action] || h.action}: ${h.state}, step ${h.step}`, h.reason && make('p', { class: 'hint' }, h.reason)].filter(Boolean), share(h.share), h.by || '')))))] : []));
  }

  #shadow({ spec: { shadow } }, figures, worst) {
    const pair = (p) => {
      const lost = Object.entries(p.outcomes).filter(([what, n]) => what !== 'compared' && n > 0).map(([what, n]) => `${what.replaceAll('_', ' ')} ${n}`).join(', ');
      return row(`${p.primary} and ${p.shadow}`, String(p.outcomes.compared || 0), p.agreement === undefined ? '–' : share(p.agreement * 100), p.mean_distance === undefined ? '–' : rounded(p.mean_distance),
        p.mean_seconds === undefined ? '–' : ms(p.mean_seconds * 1000), [lost || '–', p.failure && make('p', { class: 'hint' }, p.failure)].filter(Boolean));
    };
    return card('Shadow',
      make('p', {}, link(shadow), ` is asked too for ${share(shadow.percent)} of the requests; nobody gets its answers.`),
      figures?.pairs?.length ? scroll('Figures of the shadow', make('table', { id: 'shadow-figures' },
        make('thead', {}, make('tr', {}, ...['Pair', 'Compared', 'Alike', 'Distance', 'Takes', 'Not compared'].map((h) => make('th', { scope: 'col' }, h)))), make('tbody', {}, ...figures.pairs.map(pair)))) : '',
      figures?.pairs && !figures.pairs.length ? make('p', { class: 'hint' }, 'Nothing was compared yet: only what a model has computed is, and no answer of the cache.') : '',
      figures?.why ? make('p', { class: 'hint why' }, figures.why) : '',
      ...(worst?.disagreements?.length ? [make('h3', {}, 'Furthest apart'), make('ul', { class: 'worst' }, ...worst.disagreements.slice(0, most).map((d) => this.#worst(d))),
        make('a', { href: `/v1/routes/${encodeURIComponent(this.name)}/disagreements` }, 'All as JSON')] : []));
  }

  /** One input on which the two were far apart. */
  #worst(d) {
    const said = (answer) => (answer ? summary({ task: d.task, ...answer }) : 'an answer that was not kept');
    const side = (name) => name.replace(/\/([^/]*)$/, '@$1');
    let picture = '';
    if (d.input?.preview) {
      const url = URL.createObjectURL(new Blob([Uint8Array.from(atob(d.input.preview), (c) => c.charCodeAt(0))], { type: 'image/png' }));
      this.#urls.push(url);
      picture = make('img', { src: url, alt: '', width: 56, height: 56 });
    }
    const both = [side(d.primary), side(d.shadow)].map(encodeURIComponent).join('/');
    return make('li', {}, picture, make('div', {}, make('b', {}, `${d.primary}: ${said(d.answers?.primary)}. ${d.shadow}: ${said(d.answers?.shadow)}.`),
      make('p', { class: 'hint' }, [`distance ${rounded(d.distance)}`, date.format(new Date(d.at)), d.input?.sha256 && `SHA-256 ${d.input.sha256.slice(0, 12)}…`, d.why].filter(Boolean).join(' · ')),
      d.input?.kind === 'image' && make('a', { href: `#compare/${both}` }, 'Compare the two')));
  }
}
