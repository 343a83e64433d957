// What each stage took.

import { make, bars } from './dom.js';

/** Reads a Server-Timing header: [{stage, ms}]. */
export function parse(header) {
  return header.split(',').map((part) => {
    const [stage, ...rest] = part.trim().split(';');
    const duration = rest.map((r) => /^\s*dur=([\d.]+)/.exec(r)?.[1]).find(Boolean);
    return { stage, ms: Number(duration || 0) };
  }).filter((t) => t.stage);
}

const words = { decode: 'Decode', preprocess: 'Preprocess', queue: 'Queue', infer: 'Model', postprocess: 'Postprocess', total: 'In the gateway' };

const text = (ms) => `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;

/** Shows the stages as bars, and the whole round trip. */
export function show(place, header, took) {
  const all = parse(header);
  const longest = Math.max(...all.map((t) => t.ms), 0.001);
  place.replaceChildren(make('h2', {}, 'Time'), bars(all.map((t) => ({
    name: words[t.stage] || t.stage, share: t.ms / longest, value: text(t.ms), color: t.stage === 'total' ? 'var(--soft)' : undefined,
  }))), make('p', { class: 'hint' }, `${text(took)} as seen from here, with the way there and back`));
  place.hidden = false;
}
