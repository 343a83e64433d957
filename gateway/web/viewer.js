// A picture that can be looked at closely, with what was found on it.

import { make, button } from './dom.js';
import { read, things, boxes, masks, paint, tag } from './draw.js';

const closest = 40; // CSS pixels of a picture's pixel

export class Viewer {
  /** onhover(i | null) is called with the box or segment under the pointer; onview(view) when the visitor has zoomed or moved. */
  onhover = null;

  onview = null;

  #source = null; // ImageBitmap or HTMLVideoElement

  #document = null;

  #map = null; // of masks

  #painted = null;

  #lit = null;

  #zoom = 1; // 1 shows the whole picture

  #centre = [0.5, 0.5]; // of the window, in parts of the picture

  #pointers = new Map();

  #drawing = 0;

  #size = null; // of the canvas in device pixels, exactly

  #asked = 0; // counts what was shown, so that a slow one does not replace a later one

  /** Fills an element. */
  constructor(place) {
    this.canvas = make('canvas', { tabIndex: 0, role: 'img', 'aria-label': 'No picture yet' });
    this.tools = make('div', { class: 'tools', role: 'group', 'aria-label': 'View' },
      button('−', () => this.#by(1 / 1.5), { 'aria-label': 'Zoom out', title: 'Zoom out (−)' }),
      button('+', () => this.#by(1.5), { 'aria-label': 'Zoom in', title: 'Zoom in (+)' }),
      button('Fit', () => this.reset(), { 'aria-label': 'Show the whole picture', title: 'Show the whole picture (0)' }));
    this.root = make('div', { class: 'viewer' }, this.canvas, this.tools);
    place.replaceChildren(this.root);
    this.#listen();
    this.watcher = new ResizeObserver(([entry]) => {
      const exact = entry.devicePixelContentBoxSize?.[0];
      const like = exact && Math.abs(exact.inlineSize - entry.contentRect.width * devicePixelRatio) < 1.5; // not where a ratio is emulated
      this.#size = like ? [exact.inlineSize, exact.blockSize] : null;
      this.#draw(true);
    });
    try {
      this.watcher.observe(this.canvas, { box: 'device-pixel-content-box' });
    } catch { // a browser that does not tell device pixels
      this.watcher.observe(this.canvas);
    }
  }

  /** Shows a picture (a Blob) without anything on it; throws where the browser cannot read it. A <video> is shown as it plays. */
  async show(source) {
    const mine = ++this.#asked;
    const next = source instanceof Blob ? await read(source) : source;
    if (mine !== this.#asked) return next.close?.();
    this.#source?.close?.();
    this.#source = next;
    this.#zoom = 1;
    this.#centre = [0.5, 0.5];
    this.#clear();
    this.root.style.aspectRatio = `${this.width} / ${this.height}`;
    this.canvas.setAttribute('aria-label', 'Picture without an answer');
    this.#draw();
  }

  /** Draws what a document of infer found on the picture; null takes it away. */
  async overlay(document) {
    const mine = this.#asked;
    const map = document?.segments?.length ? await masks(document.segments) : null;
    if (mine !== this.#asked) return;
    this.#clear();
    this.#document = document;
    this.#map = map;
    if (document) this.canvas.setAttribute('aria-label', describe(document));
    this.#draw();
  }

  /** Makes one box or segment stand out; null none. */
  highlight(i) {
    if (i === this.#lit) return;
    this.#lit = i;
    this.#painted = null;
    this.#draw();
  }

  /** The picture with boxes, labels and masks, or with its surest label, in its own size, as a PNG. */
  async toBlob() {
    const canvas = new OffscreenCanvas(this.width, this.height);
    const g = canvas.getContext('2d');
    g.drawImage(this.#source, 0, 0, this.width, this.height);
    const unit = Math.max(1, Math.max(this.width, this.height) / 1000);
    this.#paint(g, { x: 0, y: 0, scale: 1 }, unit, null, this);
    const [surest] = this.#document?.predictions || [];
    if (surest) tag(g, `${surest.label} ${(surest.score * 100).toFixed(1)}%`, surest.index, 8 * unit, this.height - 8 * unit, unit, this);
    return canvas.convertToBlob({ type: 'image/png' });
  }

  /** Shows the whole picture. */
  reset() {
    this.view = { zoom: 1, centre: [0.5, 0.5] };
    this.onview?.(this.view);
  }

  /** What is seen: {zoom (1: the whole picture), centre: [x, y] in parts of the picture}. Set it to follow another viewer. */
  get view() { return { zoom: this.#zoom, centre: [...this.#centre] }; }

  set view({ zoom, centre }) {
    this.#zoom = zoom;
    this.#centre = [...centre];
    this.#keepInside();
    this.#draw();
  }

  /** Pixels of the picture; 0 where there is none. */
  get width() { return this.#source?.videoWidth ?? this.#source?.width ?? 0; }

  get height() { return this.#source?.videoHeight ?? this.#source?.height ?? 0; }

  /** Draws again, for a video whose frame has changed. */
  redraw() { this.#draw(true); }

  /** Frees everything. */
  destroy() {
    this.#asked++;
    this.watcher.disconnect();
    cancelAnimationFrame(this.#drawing);
    this.#source?.close?.();
    this.#source = null;
    this.root.remove();
  }

  #clear() {
    this.#document = this.#map = this.#painted = this.#lit = null;
  }

  /** CSS pixels of a picture's pixel when the whole picture is shown. */
  get #fit() { return Math.min(this.canvas.clientWidth / this.width, this.canvas.clientHeight / this.height); }

  /** Where the picture lies on the canvas, in CSS pixels: its left top corner and its scale. */
  get #place() {
    const scale = this.#fit * this.#zoom;
    return { scale, x: this.canvas.clientWidth / 2 - this.#centre[0] * this.width * scale, y: this.canvas.clientHeight / 2 - this.#centre[1] * this.height * scale };
  }

  #draw(now = false) {
    cancelAnimationFrame(this.#drawing);
    const draw = () => {
      const ratio = devicePixelRatio || 1;
      const [w, h] = this.#size || [Math.round(this.canvas.clientWidth * ratio), Math.round(this.canvas.clientHeight * ratio)];
      if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
      const g = this.canvas.getContext('2d');
      g.clearRect(0, 0, w, h);
      if (!this.width || !w || !h) return;
      const { x, y, scale } = this.#place;
      const at = { x: x * ratio, y: y * ratio, scale: scale * ratio };
      g.imageSmoothingEnabled = at.scale < 3; // single pixels are shown as such
      g.imageSmoothingQuality = 'high';
      g.drawImage(this.#source, at.x, at.y, this.width * at.scale, this.height * at.scale);
      this.#paint(g, at, ratio, this.#lit, this.canvas);
      this.canvas.dataset.place = JSON.stringify(at); // device pixels: for whoever looks for a point of the picture
      const zoomed = this.#zoom > 1;
      this.canvas.style.touchAction = zoomed ? 'none' : 'pan-y';
      this.canvas.style.cursor = zoomed ? (this.#pointers.size ? 'grabbing' : 'grab') : '';
    };
    if (now) draw();
    else this.#drawing = requestAnimationFrame(draw);
  }

  #paint(g, at, unit, lit, bounds) {
    const d = this.#document;
    if (!d) return;
    if (this.#map) {
      this.#painted ??= paint(this.#map, d.segments, lit);
      const { width, height, step } = this.#map;
      const factor = at.scale * (this.width / (d.image?.width || this.width)) * step;
      g.save();
      g.imageSmoothingEnabled = false;
      g.drawImage(this.#painted, at.x, at.y, width * factor, height * factor);
      g.restore();
    }
    boxes(g, d.detections || [], { ...at, ...this.#factors(at.scale) }, unit, lit, bounds);
  }

  /** From the document's pixels to those of the canvas. */
  #factors(scale) {
    const size = this.#document.image;
    return { fx: scale * (this.width / (size?.width || this.width)), fy: scale * (this.height / (size?.height || this.height)) };
  }

  /** The thing at a point of the canvas: the smallest box, or the segment; null is none. */
  #at(px, py) {
    if (!this.#document || !this.width) return null;
    const place = this.#place;
    const { fx, fy } = this.#factors(place.scale);
    const [x, y] = [(px - place.x) / fx, (py - place.y) / fy];
    if (this.#map) {
      const [mx, my] = [Math.floor(x / this.#map.step), Math.floor(y / this.#map.step)];
      const inside = mx >= 0 && my >= 0 && mx < this.#map.width && my < this.#map.height;
      return inside ? (this.#map.of[my * this.#map.width + mx] || 0) - 1 : -1;
    }
    let best = -1;
    let least = Infinity;
    things(this.#document).forEach(({ box }, i) => {
      if (!box || x < box.x1 || x > box.x2 || y < box.y1 || y > box.y2) return;
      const area = (box.x2 - box.x1) * (box.y2 - box.y1);
      if (area < least) [best, least] = [i, area];
    });
    return best;
  }

  /** Zooms by a factor and keeps the point under (px, py) where it is. */
  #by(factor, px = this.canvas.clientWidth / 2, py = this.canvas.clientHeight / 2) {
    if (!this.width) return;
    const before = this.#place;
    const [u, v] = [(px - before.x) / before.scale, (py - before.y) / before.scale];
    this.#zoom = Math.min(Math.max(1, this.#zoom * factor), Math.max(1, closest / this.#fit));
    const { scale } = this.#place;
    this.#centre = [(u - (px - this.canvas.clientWidth / 2) / scale) / this.width, (v - (py - this.canvas.clientHeight / 2) / scale) / this.height];
    this.#changed();
  }

  #move(dx, dy) {
    const { scale } = this.#place;
    this.#centre = [this.#centre[0] - dx / scale / this.width, this.#centre[1] - dy / scale / this.height];
    this.#changed();
  }

  #changed() {
    this.#keepInside();
    this.#draw();
    this.onview?.(this.view);
  }

  /** The window does not leave the picture. */
  #keepInside() {
    if (!this.width) return;
    const scale = this.#fit * this.#zoom;
    const half = [this.canvas.clientWidth / this.width / scale / 2, this.canvas.clientHeight / this.height / scale / 2];
    this.#centre = this.#centre.map((c, i) => (half[i] >= 0.5 ? 0.5 : Math.min(Math.max(c, half[i]), 1 - half[i])));
  }

  #listen() {
    const c = this.canvas;
    c.addEventListener('wheel', (e) => {
      if (this.#zoom === 1 && e.deltaY >= 0) return; // nothing to zoom out of: the page scrolls
      e.preventDefault();
      this.#by(Math.exp(-Math.max(-100, Math.min(100, e.deltaY)) / 300), e.offsetX, e.offsetY);
    }, { passive: false });
    c.addEventListener('pointerdown', (e) => {
      this.#pointers.set(e.pointerId, [e.offsetX, e.offsetY]);
      if (this.#zoom > 1 || this.#pointers.size > 1) c.setPointerCapture(e.pointerId);
      this.#draw();
    });
    c.addEventListener('pointermove', (e) => this.#moved(e));
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      c.addEventListener(end, (e) => { if (this.#pointers.delete(e.pointerId)) this.#draw(); });
    }
    c.addEventListener('pointerleave', () => this.#hover(-1));
    c.addEventListener('dblclick', (e) => (this.#zoom > 1 ? this.reset() : this.#by(2.5, e.offsetX, e.offsetY)));
    c.addEventListener('keydown', (e) => {
      const step = 48;
      const keys = {
        '+': () => this.#by(1.5), '=': () => this.#by(1.5), '-': () => this.#by(1 / 1.5), 0: () => this.reset(),
        ArrowLeft: () => this.#move(step, 0), ArrowRight: () => this.#move(-step, 0), ArrowUp: () => this.#move(0, step), ArrowDown: () => this.#move(0, -step),
      };
      if (!keys[e.key] || e.ctrlKey || e.metaKey || e.altKey || (this.#zoom === 1 && e.key.startsWith('Arrow'))) return;
      e.preventDefault();
      keys[e.key]();
    });
  }

  #moved(e) {
    const was = this.#pointers.get(e.pointerId);
    const now = [e.offsetX, e.offsetY];
    if (!was) return this.#hover(this.#at(...now));
    if (this.#pointers.size === 2) {
      const other = [...this.#pointers].find(([id]) => id !== e.pointerId)[1];
      const apart = (p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]));
      this.#by(apart(now) / apart(was), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      this.#move((now[0] - was[0]) / 2, (now[1] - was[1]) / 2);
    } else if (this.#zoom > 1) {
      this.#move(now[0] - was[0], now[1] - was[1]);
    }
    this.#pointers.set(e.pointerId, now);
    return undefined;
  }

  #hover(i) {
    const next = i === null || i < 0 ? null : i;
    if (next === this.#lit) return;
    this.highlight(next);
    this.onhover?.(next);
  }
}

/** A document in words, for those who do not see the picture. */
export function describe(d) {
  const found = things(d);
  if (d.detections || d.segments) return `Picture with ${found.length ? `${found.length} found: ${found.slice(0, 20).map((x) => x.label).join(', ')}` : 'nothing found'}`;
  return `Picture, answer: ${d.predictions?.[0]?.label ?? d.task}`;
}
