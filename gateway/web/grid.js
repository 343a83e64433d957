// Several pictures at once: tiles with answers, a few questions under way at a time.

import { make, button } from './dom.js';
import { read, boxes, masks, paint } from './draw.js';
import { summary } from './results.js';

const atOnce = 4; // questions under way
const side = 320; // pixels of a tile's longer side

export class Grid {
  #round = null; // AbortController of the questions under way

  /** Fills an element. ask(blob, signal) gives the answer to a picture; open(item) is called with the tile that is clicked: {blob, name, answer?, problem?}. */
  constructor(place, { ask, open }) {
    this.ask = ask;
    this.items = [];
    this.bar = make('progress', { max: 1, value: 0, 'aria-label': 'Answered' });
    this.count = make('span', { class: 'hint' });
    this.list = make('ul', { class: 'grid' });
    this.open = open;
    place.replaceChildren(make('div', { class: 'progress' }, this.bar, this.count), this.list);
  }

  /** Shows pictures, [{blob, name}], and asks about each; as run. */
  async take(pictures) {
    this.items = pictures.map((p) => ({ ...p, canvas: make('canvas', { width: 1, height: 1, 'aria-hidden': 'true' }), caption: make('span', { class: 'caption' }, 'waiting') }));
    this.list.replaceChildren(...this.items.map((item) => {
      item.tile = button('', () => this.open(item), { title: item.name, 'data-name': item.name });
      item.tile.replaceChildren(item.canvas, make('span', { class: 'text' }, make('span', { class: 'file' }, item.name), item.caption));
      return make('li', {}, item.tile);
    }));
    return this.run();
  }

  /** Asks about all pictures, again; older questions are dropped. Resolves with whether all were answered or failed for good. */
  async run() {
    this.#round?.abort();
    const { signal } = this.#round = new AbortController();
    const waiting = [...this.items];
    let done = 0;
    const told = () => {
      this.bar.max = this.items.length;
      this.bar.value = done;
      this.count.textContent = `${done} of ${this.items.length}`;
    };
    told();
    const worker = async () => {
      for (let item = waiting.shift(); item && !signal.aborted; item = waiting.shift()) {
        await this.#one(item, signal);
        if (signal.aborted) return;
        done++;
        told();
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return !signal.aborted;
  }

  /** Drops what is under way. */
  destroy() {
    this.#round?.abort();
    for (const item of this.items) item.bitmap?.close();
  }

  async #one(item, signal) {
    item.tile.classList.add('busy');
    try {
      item.bitmap ??= await createThumbnail(item.blob);
      await draw(item);
    } catch { /* no picture that the browser can show: the server says what is wrong with it */ }
    try {
      item.answer = await this.ask(item.blob, signal);
      item.problem = null;
      item.caption.textContent = summary(item.answer.document);
      await draw(item);
    } catch (e) {
      if (e.name === 'AbortError') return;
      item.problem = e;
      item.answer = null;
      item.caption.textContent = e.detail || e.message || e.title;
    } finally {
      item.tile.classList.remove('busy');
      item.tile.classList.toggle('failed', Boolean(item.problem));
    }
  }
}

/** A picture at most side pixels long, so that many fit into memory. */
async function createThumbnail(blob) {
  const whole = await read(blob);
  const scale = Math.min(1, side / Math.max(whole.width, whole.height));
  const small = await createImageBitmap(whole, { resizeWidth: Math.max(1, Math.round(whole.width * scale)), resizeHeight: Math.max(1, Math.round(whole.height * scale)), resizeQuality: 'high' });
  whole.close();
  return small;
}

async function draw({ bitmap, canvas, answer }) {
  if (!bitmap) return;
  const [width, height] = [bitmap.width, bitmap.height];
  const d = answer?.document;
  const map = d?.segments?.length ? await masks(d.segments) : null;
  Object.assign(canvas, { width, height });
  const g = canvas.getContext('2d');
  g.drawImage(bitmap, 0, 0);
  if (map) g.drawImage(paint(map, d.segments, null), 0, 0, width, height);
  if (d?.detections && d.image) boxes(g, d.detections, { x: 0, y: 0, fx: width / d.image.width, fy: height / d.image.height }, Math.max(1, Math.max(width, height) / 200), null, canvas);
}
