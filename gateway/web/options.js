// Sliders for the options that the model's task has.

import { make, unique } from './dom.js';

/** What can be turned for a model: [{name, label, min, max, step, value}]. */
function knobs(m) {
  const post = m.postprocess || {};
  const labels = m.labels || [];
  if (m.task?.endsWith('classification') && labels.length > 1) {
    return [{ name: 'top_k', label: 'Labels shown', min: 1, max: Math.min(20, labels.length), step: 1, value: Math.min(20, post.top_k || 5, labels.length) }];
  }
  if (m.task === 'object-detection') {
    return [
      { name: 'confidence', label: 'Confidence, at least', min: 0, max: 1, step: 0.01, value: post.confidence ?? 0.25 },
      { name: 'iou', label: 'Overlap allowed (IoU)', min: 0, max: 1, step: 0.01, value: post.iou ?? 0.45 },
    ];
  }
  return [];
}

/** Fills place with the sliders of a model; changed is called on each move. */
export function build(place, m, changed) {
  const all = m.error ? [] : knobs(m);
  place.replaceChildren(...all.map((k) => {
    const id = unique(k.name);
    const text = (x) => (k.step < 1 ? Number(x).toFixed(2) : String(x));
    const shown = make('output', { for: id }, text(k.value));
    const slider = make('input', { id, type: 'range', name: k.name, min: k.min, max: k.max, step: k.step });
    slider.value = k.value;
    slider.dataset.usual = slider.value;
    slider.addEventListener('input', () => { shown.textContent = text(slider.value); changed(); });
    return make('div', { class: 'option' }, make('label', { for: id }, k.label), shown, slider);
  }));
  place.hidden = all.length === 0;
}

/** The options that differ from the model's own. */
export function values(place) {
  const options = {};
  for (const slider of place.querySelectorAll('input[type=range]')) {
    if (slider.value !== slider.dataset.usual) options[slider.name] = slider.value;
  }
  return options;
}

/** Sets the sliders to options, such as those of an answer in the history; what is not named is the model's own. */
export function set(place, options = {}) {
  for (const slider of place.querySelectorAll('input[type=range]')) {
    slider.value = options[slider.name] ?? slider.dataset.usual;
    slider.dispatchEvent(new Event('input'));
  }
}
