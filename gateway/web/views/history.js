// The history: the last answers of this browser, opened again, deleted.

import { make, button, sheet } from '../dom.js';
import { answered, summary } from '../results.js';
import * as store from '../store.js';

export const title = 'History';

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' });

/** The options of an answer in words; '' where all are the model's own. */
const wishes = (options = {}) => Object.entries(options).map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`).join(', ');

/** Who was asked: of a route also who has answered, and of a graph no version, as it has but one. */
function asked({ model, version, document: d, route }) {
  const by = answered(route);
  if (by.route) return `${model} → ${by.model} ${by.version}`;
  return d?.nodes ? model : `${model} ${d?.version ?? version ?? ''}`;
}

class History {
  #urls = [];
  #kept = () => this.show();

  constructor(place, app) {
    this.app = app;
    this.count = make('p', { class: 'hint' });
    this.clear = button('Clear all', () => this.#clear(), { class: 'danger', hidden: true });
    this.places = make('div', { class: 'history' });
    place.replaceChildren(make('section', { class: 'card', 'aria-label': 'History' },
      make('div', { class: 'history-head' }, make('div', {}, make('h2', {}, 'History'), this.count), this.clear), this.places));
  }

  /** Shows what is kept from now on, too. */
  watch() { store.changes.addEventListener('kept', this.#kept); }

  async show() {
    const why = await store.trouble();
    if (why) {
      this.count.textContent = '';
      this.clear.hidden = true;
      this.places.replaceChildren(make('p', { class: 'empty' }, `${why} Answers are shown all the same; allow this site to store data, or leave the private window, to find them here again.`));
      return;
    }
    const entries = await store.list();
    this.#free();
    this.clear.hidden = entries.length === 0;
    this.count.textContent = entries.length ? `${entries.length === 1 ? 'One answer' : `The last ${entries.length} answers`}, kept by this browser only. Nothing of it leaves this machine.` : '';
    if (entries.length === 0) {
      this.places.replaceChildren(make('p', { class: 'empty' }, 'No answers yet. ', make('a', { href: '#try' }, 'Try a model'), ': what it says is kept here, in this browser only.'));
      return;
    }
    const days = Map.groupBy ? Map.groupBy(entries, (e) => day.format(e.when)) : entries.reduce((m, e) => m.set(day.format(e.when), [...(m.get(day.format(e.when)) || []), e]), new Map());
    this.places.replaceChildren(...[...days].flatMap(([date, those]) => [make('h3', {}, date), make('ul', { class: 'history-list' }, ...those.map((e) => this.#row(e)))]));
  }

  #row(entry) {
    const name = entry.fileName || (entry.row ? 'a row' : 'tensors');
    const said = summary(entry.document || {}) || 'an answer';
    const picture = entry.thumb ? make('img', { src: this.#url(entry.thumb), alt: '', loading: 'lazy' }) : make('span', { class: 'no-picture', 'aria-hidden': 'true' }, entry.row ? '▤' : '…');
    const open = make('a', { href: `#${store.link(entry)}`, class: 'history-open' }, picture,
      make('span', { class: 'text' }, make('strong', {}, said), make('span', { class: 'what' }, `${asked(entry)} · ${name}`),
        make('span', { class: 'hint' }, [time.format(entry.when), wishes(entry.options), entry.whole ? '' : 'only the thumbnail was kept'].filter(Boolean).join(' · '))));
    const row = make('li', { 'data-id': entry.id }, open, button('×', () => this.#remove(entry, row), { class: 'close', 'aria-label': `Delete ${said}, ${name}`, title: 'Delete' }));
    return row;
  }

  async #remove(entry, row) {
    await store.remove(entry.id);
    const next = (row.nextElementSibling || row.previousElementSibling)?.querySelector('button');
    const id = next?.closest('li').dataset.id;
    await this.show();
    this.app.say('Deleted from the history.');
    (this.places.querySelector(`li[data-id="${id}"] button`) || this.clear).focus();
  }

  async #clear() {
    if (this.clear.dataset.sure !== 'yes') { // a second press does it, as nothing brings them back
      this.clear.dataset.sure = 'yes';
      this.clear.textContent = 'Really delete all?';
      this.clear.addEventListener('blur', () => this.#unsure(), { once: true });
      return;
    }
    await store.clear();
    this.#unsure();
    await this.show();
    this.app.say('The history is empty.');
    this.places.querySelector('a')?.focus();
  }

  #unsure() {
    delete this.clear.dataset.sure;
    this.clear.textContent = 'Clear all';
  }

  #url(blob) {
    this.#urls.push(URL.createObjectURL(blob));
    return this.#urls.at(-1);
  }

  #free() {
    this.#urls.forEach((url) => URL.revokeObjectURL(url));
    this.#urls = [];
  }

  leave() {
    store.changes.removeEventListener('kept', this.#kept);
    this.#free();
  }
}

/** Opens the view. */
export async function mount(place, app) {
  await sheet('views/history.css');
  const history = new History(place, app);
  history.watch();
  await history.show();
  return history;
}
