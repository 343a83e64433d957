// The answer in words and bars.

import { make, bars } from './dom.js';
import { colorOf } from './draw.js';

const percent = (x) => `${(x * 100).toFixed(x >= 0.1 ? 1 : 2)} %`;
const number = (x) => (Number.isFinite(x) ? String(Math.round(x * 1e4) / 1e4) : '?');

function head(text, answer, badge) {
  return make('div', { class: 'head' }, make('strong', {}, text), badge, make('span', { class: 'badge', title: answer.route }, `version ${answer.document.version}`));
}

/** Where the answer came from, as a badge. */
export function cacheBadge(status, fromCache) {
  const detail = /detail=(\w+)/.exec(status)?.[1];
  const words = {
    memory: 'from memory', redis: 'from Redis', shared: 'shared with another call', tensor: 'from cached tensors',
  };
  if (fromCache) return make('span', { class: 'badge good', title: status }, `cached: ${words[detail] || 'hit'}`);
  return make('span', { class: 'badge info', title: status }, status.includes('stored') ? 'computed and stored' : 'computed');
}

/** Shows one answer. */
export function show(place, answer) {
  const d = answer.document;
  const badge = cacheBadge(answer.cacheStatus, d.from_cache);
  const parts = [];
  if (d.predictions) {
    parts.push(head(d.predictions[0]?.label ?? 'nothing', answer, badge), make('h2', {}, 'Labels'),
      bars(d.predictions.map((p) => ({ name: p.label, share: p.score, value: percent(p.score), color: colorOf(p.index) }))));
  } else if (d.detections) {
    const n = d.detections.length;
    parts.push(head(n === 0 ? 'Nothing found' : `${n} ${n === 1 ? 'object' : 'objects'}`, answer, badge));
    if (n) parts.push(make('h2', {}, 'Objects'), bars(d.detections.map((p) => ({ name: p.label, share: p.score, value: percent(p.score), color: colorOf(p.index) }))));
    else parts.push(make('p', { class: 'hint' }, 'No box reaches the confidence; a lower one shows more.'));
  } else if (d.value !== undefined) {
    parts.push(head(number(d.value), answer, badge));
  } else if (d.values) {
    parts.push(head(d.values.map(number).join(', '), answer, badge));
  } else {
    parts.push(head(d.task, answer, badge), make('p', { class: 'hint' }, 'The raw answer is below.'));
  }
  place.replaceChildren(...parts);
}
