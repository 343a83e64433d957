// Where pictures come from: dropped, pasted, picked, or a model's samples.

import { make, button } from './dom.js';
import { sample, showSample } from './api.js';

const accepted = 'image/jpeg,image/png,image/webp';
const isPicture = (f) => f.type.startsWith('image/') || /\.(jpe?g|png|webp)$/i.test(f.name);

export class Picker {
  /**
   * Fills an element with a place to drop pictures and buttons. take([{blob, name}]) gets the pictures, camera() is called when the visitor
   * wants the camera, fail(problem) shows what went wrong.
   */
  constructor(place, { take, camera, fail }) {
    Object.assign(this, { take, fail });
    this.file = make('input', { id: 'file', type: 'file', accept: accepted, multiple: true, 'aria-label': 'Pictures', onchange: () => { this.#files([...this.file.files]); this.file.value = ''; } });
    this.zone = make('label', { id: 'drop', class: 'drop', for: 'file' },
      make('span', { class: 'prompt' }, make('span', { class: 'art', 'aria-hidden': 'true' }),
        make('span', {}, make('b', {}, 'Drop'), ', ', make('b', {}, 'paste'), ' or ', make('b', {}, 'pick'), ' pictures'),
        make('small', {}, 'JPEG, PNG or WebP. They go to this server only.')));
    this.stage = make('div', { id: 'stage', class: 'stage', hidden: true });
    this.pick = button('Pick pictures', () => this.file.click(), { id: 'pick' });
    this.camera = button('Camera', camera, { id: 'camera' });
    this.all = make('button', { type: 'button', id: 'all', hidden: true });
    this.samples = make('div', { id: 'samples', class: 'samples', role: 'group', 'aria-label': 'Sample pictures' });
    this.extra = make('span', { class: 'sources-extra' });
    place.replaceChildren(this.file, this.zone, this.stage, make('div', { class: 'sources' }, this.pick, this.camera, this.all, this.extra), this.samples);
    this.#listen(place);
  }

  /** Shows a model's sample pictures. */
  offer(model) {
    const all = model.samples || [];
    this.samples.replaceChildren(...all.map((file) => {
      const img = make('img', { alt: `Sample ${file}`, width: 64, height: 64 });
      showSample(img, model.name, file);
      return make('button', { type: 'button', title: file, 'aria-pressed': 'false', 'data-file': file, onclick: () => this.#samples(model, [file]) }, img);
    }));
    this.all.onclick = () => this.#samples(model, all);
    this.all.textContent = `All ${all.length} samples`;
    this.all.hidden = all.length < 2;
    this.samples.hidden = all.length === 0;
  }

  /** Marks the sample that is shown; '' none. */
  mark(name) {
    for (const b of this.samples.querySelectorAll('[data-file]')) b.setAttribute('aria-pressed', String(b.dataset.file === name));
  }

  /** Shows the stage instead of the place to drop, or the other way round. */
  full(yes) {
    this.stage.hidden = !yes;
    this.zone.hidden = yes;
    this.file.tabIndex = yes ? -1 : 0; // the button does the same, and can be seen
  }

  /** Stops listening. */
  destroy() { this.listening.abort(); }

  async #samples(model, files) {
    try {
      this.take(await Promise.all(files.map(async (name) => ({ blob: await sample(model.name, name), name }))));
    } catch (e) {
      this.fail(e);
    }
  }

  #files(files) {
    const pictures = files.filter(isPicture);
    if (pictures.length) this.take(pictures.map((f, i) => ({ blob: f, name: f.name || `pasted-${i + 1}.png` })));
    else if (files.length) this.fail({ title: 'Not a picture', detail: `${files[0].name || 'This'} is no picture. Give JPEG, PNG or WebP.` });
  }

  #listen(place) {
    this.listening = new AbortController();
    const { signal } = this.listening;
    const on = (event, f) => addEventListener(event, f, { signal });
    const over = (yes) => place.classList.toggle('over', yes);
    const has = (e, ...types) => types.some((t) => [...(e.dataTransfer?.types || [])].includes(t));
    const carries = (e) => has(e, 'Files');
    const words = (e) => has(e, 'text/plain', 'text/uri-list') && !e.target.closest?.('input, textarea');
    on('dragover', (e) => { if (carries(e) || words(e)) { e.preventDefault(); over(carries(e)); } });
    on('dragleave', (e) => { if (!e.relatedTarget) over(false); });
    on('drop', (e) => {
      over(false);
      if (words(e) && !carries(e)) {
        e.preventDefault(); // a browser would go to a link
        this.fail({ title: 'Not a file', detail: 'What was dropped is a text or a link. Save the picture, and drop its file; or copy the picture itself, and paste it.' });
      }
      if (!carries(e)) return;
      e.preventDefault();
      this.#files([...e.dataTransfer.files]);
    });
    on('paste', (e) => {
      const files = [...(e.clipboardData?.files || [])].filter(isPicture);
      if (!files.length) return; // text for a field
      e.preventDefault();
      this.#files(files);
    });
  }
}
