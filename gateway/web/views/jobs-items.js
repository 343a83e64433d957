// The items of jobs as tiles, with their pictures where this page has them, and one of them in full.

import { make, button } from '../dom.js';
import * as results from '../results.js';
import { Viewer } from '../viewer.js';
import { fileOf } from './jobs-kept.js';
import { plural, whatToDo } from './jobs-words.js';

const page = 120; // tiles that are added at a time

export class Items {
  #tiles = new Map(); // "id/index" -> {li, button, caption}

  #urls = [];

  #shown = page;

  #list = []; // [{job, index}] as filtered

  #viewer = null;

  #key = ''; // of the list that is in the document

  constructor(place) {
    this.place = place;
    this.only = make('select', { id: 'items-filter', onchange: () => this.show(this.jobs) }, make('option', { value: '' }, 'all items'), make('option', { value: 'failed' }, 'those that failed'), make('option', { value: 'answered' }, 'those with an answer'));
    this.head = make('div', { class: 'list-head' }, make('h2', {}, 'Answers'), make('div', { class: 'filters' }, make('div', { class: 'field' }, make('label', { for: 'items-filter' }, 'Show'), this.only)));
    this.grid = make('ul', { class: 'tiles' });
    this.none = make('p', { class: 'empty' });
    this.more = button('', () => { this.#shown += page; this.#key = ''; this.show(this.jobs); });
    this.dialog = make('dialog', { class: 'one', 'aria-labelledby': 'one-name', onclose: () => this.#closed() });
    place.replaceChildren(this.head, this.none, this.grid, make('div', { class: 'buttons pages' }, this.more), this.dialog);
  }

  /** Forgets what was drawn of an item, or of all items of a job. */
  changed(job, index) {
    if (index === undefined) this.#tiles.clear();
    else this.#tiles.get(`${job.id}/${index}`)?.fill();
    this.#key = index === undefined ? '' : this.#key;
  }

  /** Draws the items of jobs: {id, doc, items: Map(index -> item)}. */
  show(jobs) {
    this.jobs = jobs;
    const want = this.only.value;
    this.#list = jobs.flatMap((job) => Array.from({ length: job.doc?.progress.total ?? 0 }, (_, index) => ({ job, index }))).filter(({ job, index }) => {
      const item = job.items.get(index);
      return !want || (want === 'failed' ? item?.error : item?.result);
    });
    this.place.hidden = !jobs.some((j) => j.doc);
    const seen = this.#list.slice(0, this.#shown);
    const key = `${want} ${seen.map(({ job, index }) => `${job.id}/${index}`).join(' ')}`;
    if (key !== this.#key) {
      this.#key = key;
      this.grid.replaceChildren(...seen.map((entry) => this.#tile(entry).li));
    }
    this.grid.hidden = seen.length === 0;
    this.none.hidden = seen.length > 0;
    this.none.textContent = want === 'failed' ? 'None has failed.' : 'Nothing yet.';
    const rest = this.#list.length - seen.length;
    this.more.hidden = rest <= 0;
    this.more.textContent = `Show ${Math.min(rest, page)} of ${plural(rest, 'more', 'more')}`;
  }

  #tile({ job, index }) {
    const key = `${job.id}/${index}`;
    if (this.#tiles.has(key)) return this.#tiles.get(key);
    const name = nameOf(job, index);
    const caption = make('span', { class: 'caption' });
    const file = fileOf(job.id, index);
    const number = () => make('span', { class: 'no-picture', 'aria-hidden': 'true' }, String(index + 1));
    const picture = file ? make('img', { src: this.#url(file), alt: '', loading: 'lazy', decoding: 'async', onerror: (e) => e.target.replaceWith(number()) }) : number();
    const open = button('', () => this.#open({ job, index }), { class: 'tile', title: name, 'data-name': name });
    open.replaceChildren(picture, make('span', { class: 'text' }, make('span', { class: 'file' }, name.slice(name.lastIndexOf('/') + 1)), caption));
    const tile = {
      li: make('li', {}, open),
      open,
      fill: () => {
        const item = job.items.get(index);
        open.disabled = !item;
        open.classList.toggle('failed', Boolean(item?.error));
        open.classList.toggle('waits', !item);
        caption.textContent = !item ? 'waits' : item.error ? item.error.detail || item.error.code : inWords(item.result);
      },
    };
    tile.fill();
    this.#tiles.set(key, tile);
    return tile;
  }

  async #open(entry) {
    const { job, index } = entry;
    this.opened = entry;
    const item = job.items.get(index);
    const name = nameOf(job, index);
    const file = fileOf(job.id, index);
    const at = this.#list.findIndex((e) => e.job === job && e.index === index);
    const step = (by, label) => {
      const other = this.#list.slice(0, this.#shown)[at + by];
      return button(label, () => this.#open(other).then(() => this.dialog.querySelector(`[data-step="${by}"]:enabled, .close`)?.focus()), { disabled: !other?.job.items.has(other.index), 'data-step': by });
    };
    const stage = make('div', { class: 'stage', hidden: !file });
    const answer = make('div', { class: 'answer' });
    this.#viewer?.destroy();
    this.#viewer = null;
    this.dialog.replaceChildren(make('div', { class: 'one-head' }, make('h3', { id: 'one-name' }, name),
      make('div', { class: 'buttons' }, step(-1, '← Previous'), step(1, 'Next →'), button('×', () => this.dialog.close(), { class: 'close', 'aria-label': 'Close' }))), make('div', { class: 'one-body' }, stage, answer));
    if (!this.dialog.open) this.dialog.showModal();
    if (item.error) {
      answer.replaceChildren(make('div', { class: 'problem' }, make('p', {}, make('b', {}, item.error.detail || item.error.title)), make('p', {}, whatToDo(item.error)), make('small', {}, item.error.code)));
    } else {
      const shown = results.show(answer, { document: item.result, cacheStatus: '', took: 0, sent: 0 }, { onhover: (i) => this.#viewer?.highlight(i) });
      answer.querySelector('.badges .badge:not(:last-child)')?.remove(); // where it came from is not known here
      answer.append(make('details', {}, make('summary', {}, 'Raw answer'), make('pre', { tabIndex: 0, 'aria-label': 'Raw answer' }, JSON.stringify(item.result, null, 2))));
      this.rows = shown;
    }
    if (!file) return;
    const viewer = this.#viewer = new Viewer(stage);
    viewer.onhover = (i) => this.rows?.highlight?.(i);
    try {
      await viewer.show(file);
      if (item.result && this.#viewer === viewer) await viewer.overlay(item.result);
    } catch {
      stage.hidden = true; // no picture that the browser can show
    }
  }

  #closed() {
    this.#viewer?.destroy();
    this.#viewer = null;
    this.dialog.replaceChildren();
    this.#tiles.get(`${this.opened.job.id}/${this.opened.index}`)?.open.focus();
  }

  #url(file) {
    this.#urls.push(URL.createObjectURL(file));
    return this.#urls.at(-1);
  }

  leave() {
    this.#viewer?.destroy();
    this.#urls.forEach((url) => URL.revokeObjectURL(url));
  }
}

const nameOf = (job, index) => job.doc?.names?.[index] || job.items.get(index)?.name || `Item ${index + 1}`;

/** An answer in a few words: the surest label with its score, or what was found most. */
function inWords(d) {
  const [best] = d.predictions || [];
  if (best) return `${best.label} ${(best.score * 100).toFixed(0)} %`;
  const found = d.detections || d.segments;
  if (!found?.length) return results.summary(d);
  const counts = new Map();
  for (const { label } of found) counts.set(label, (counts.get(label) || 0) + 1);
  return [...counts].map(([label, n]) => (n > 1 ? `${n} × ${label}` : label)).join(', ');
}
