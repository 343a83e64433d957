// What each stage took, as a waterfall.

import { make, ms } from './dom.js';

/** Reads a Server-Timing header: [{stage, ms}]. */
export function parse(header) {
  return header.split(',').map((part) => {
    const [stage, ...rest] = part.trim().split(';');
    const duration = rest.map((r) => /^\s*dur=([\d.]+)/.exec(r)?.[1]).find(Boolean);
    return { stage, ms: Number(duration || 0) };
  }).filter((t) => t.stage);
}

const words = { accept: 'Check', route: 'Route', fingerprint: 'Fingerprint', decode: 'Decode', preprocess: 'Preprocess', queue: 'Queue', infer: 'Model', postprocess: 'Postprocess' };

/**
 * Shows the stages one after the other, each where the one before it ended, on the time that the request spent in the gateway; took is the
 * round trip as the browser saw it, in milliseconds.
 */
export function show(place, header, took) {
  const all = parse(header);
  const stages = all.filter((t) => t.stage !== 'total');
  const sum = stages.reduce((s, t) => s + t.ms, 0);
  const total = Math.max(all.find((t) => t.stage === 'total')?.ms ?? sum, sum); // several pictures side by side add up to more
  let at = 0;
  const rows = stages.map((t) => {
    const row = line(words[t.stage] || t.stage, at, t.ms, total, `stage-${t.stage}`);
    at += t.ms;
    return row;
  });
  rows.push(line('In the gateway', 0, total, total, 'stage-total'));
  place.replaceChildren(make('h2', {}, 'Time'), make('ul', { class: 'waterfall' }, ...rows),
    make('p', { class: 'hint' }, stages.length === 0 ? 'No stage had to run. ' : '', `${ms(took)} as seen from here, with the way there and back.`));
  place.hidden = false;
}

function line(name, from, length, total, kind) {
  const fill = make('span', { class: `fill ${kind}` });
  const share = (x) => `${total > 0 ? Math.min(100, (x / total) * 100) : 0}%`;
  fill.style.marginLeft = share(from);
  fill.style.width = share(length);
  return make('li', {}, make('span', { class: 'name' }, name), make('span', { class: 'track', 'aria-hidden': 'true' }, fill), make('span', { class: 'value' }, ms(length)));
}
