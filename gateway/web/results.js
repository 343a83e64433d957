// The answer in words and bars.

import { make, bar } from './dom.js';
import { colorOf } from './draw.js';

const percent = (x) => `${(x * 100).toFixed(x >= 0.1 ? 1 : 2)} %`;
const number = (x) => (Number.isFinite(x) ? String(Math.round(x * 1e4) / 1e4) : '?');

/** Where the answer came from, as a badge. */
export function cacheBadge(status, fromCache) {
  const detail = /detail=(\w+)/.exec(status)?.[1];
  const words = { memory: 'from memory', redis: 'from Redis', shared: 'shared with another call', tensor: 'from cached tensors' };
  const title = `Cache-Status: ${status || 'none'}`;
  if (fromCache) return make('span', { class: 'badge good', title }, `cached: ${words[detail] || 'hit'}`);
  return make('span', { class: 'badge info', title }, status.includes('stored') ? 'computed and stored' : 'computed');
}

/** Who has answered by what X-Route says, such as "shapes/1; reason=rule[0]; route=shapes-auto": {model, version, reason, route}; route is '' where there was none. */
export function answered(text) {
  const [who = '', ...more] = (text || '').split(';').map((s) => s.trim());
  const of = Object.fromEntries(more.map((s) => [s.slice(0, s.indexOf('=')), s.slice(s.indexOf('=') + 1)]));
  const cut = who.lastIndexOf('/');
  return { model: cut < 0 ? who : who.slice(0, cut), version: cut < 0 ? '' : who.slice(cut + 1), reason: of.reason || '', route: of.route || '' };
}

/** Why a route has chosen who answered, in words. */
function chosen(reason) {
  const nth = Number(/\[(\d+)\]/.exec(reason)?.[1]) + 1;
  if (reason.startsWith('rule')) return `by rule ${nth}`;
  if (reason.startsWith('fallback')) return `by fallback ${nth}: the one that was chosen is not ready`;
  if (reason.startsWith('sticky')) return `by its share, kept for the same ${reason.slice(7).replace(':', ' ')}`;
  return reason === 'weight' ? 'by its share' : reason;
}

/** Who has answered, as a badge: of a route the model that was chosen, of a graph nothing more than that, of a model its version. */
function who(answer) {
  const { model, version, route } = answered(answer.route);
  const title = answer.route ? `X-Route: ${answer.route}` : '';
  if (route) return make('span', { class: 'badge answered', title }, `${model} ${version}`);
  return make('span', { class: 'badge', title }, answer.document.nodes ? 'graph' : `version ${answer.document.version}`);
}

/** What a document says, in a few words. */
export function summary(d) {
  if (d.results) return `${d.results.length} answers`;
  if (d.predictions) return d.predictions[0]?.label ?? 'nothing';
  if (d.detections) return d.detections.length === 0 ? 'Nothing found' : `${d.detections.length} ${d.detections.length === 1 ? 'object' : 'objects'}`;
  if (d.segments) return d.segments.length === 0 ? 'Nothing found' : `${d.segments.length} ${d.segments.length === 1 ? 'segment' : 'segments'}`;
  if (d.value !== undefined) return number(d.value);
  if (d.values) return d.values.slice(0, 6).map(number).join(', ');
  if (d.embedding) return `${d.embedding.length} numbers`;
  if (d.outputs) return `${d.outputs.length} ${d.outputs.length === 1 ? 'tensor' : 'tensors'}`;
  return d.task;
}

/** What became of the nodes of a graph: what ended it early, what failed and why, what did not run, and all of them in a list. */
function nodes(d) {
  const all = Object.entries(d.nodes || {});
  if (all.length === 0) return Object.values(d.errors || {}).map((e) => make('p', { class: 'hint' }, `A part of the answer is missing: ${e.detail}`));
  const words = { done: 'done', skipped: 'did not run', failed: 'failed', partial: 'failed in part', default: 'failed; the graph\'s default stands for it', late: 'was not waited for' };
  const said = ([name, n]) => `${name} ${n.state === 'partial' ? `failed for ${n.failed} of ${n.items}` : words[n.state] || n.state}`;
  const bad = all.filter(([name, n]) => d.errors?.[name] || !['done', 'skipped'].includes(n.state));
  const idle = all.filter(([name, n]) => n.state === 'skipped' && !d.errors?.[name]).map(([name]) => name);
  const count = all.filter(([, n]) => n.state === 'done').length;
  const kinds = { done: 'good', skipped: '', late: '' };
  return [
    d.stopped && make('p', { class: 'note stopped' }, `Ended early by the switch ${d.stopped}: what it read is the answer.`),
    bad.length > 0 && make('ul', { class: 'note bad failed-nodes' }, ...bad.map((n) => make('li', {}, make('b', {}, said(n)), d.errors?.[n[0]] ? `: ${d.errors[n[0]].detail}` : ''))),
    idle.length > 0 && make('p', { class: 'note skipped-nodes' }, `Did not run: ${idle.join(', ')}.`),
    make('details', { class: 'nodes' }, make('summary', {}, `Nodes: ${count} of ${all.length} done`),
      make('ul', {}, ...all.map(([name, n]) => make('li', {}, make('b', {}, name), ' ', make('span', { class: `badge ${kinds[n.state] ?? 'bad'}` }, n.state), ' ',
        [n.items !== undefined && `${n.items} given`, n.failed && `${n.failed} failed`, n.left_out && `${n.left_out} left out`].filter(Boolean).join(', '))))),
  ].filter(Boolean);
}

/** Why the answer cost nothing, or what it cost, in words; '' where the badge says it all. */
function cost(answer) {
  const known = answer.byDigest ? 'Known by its digest: nothing was uploaded.' : '';
  if (/detail=tensor/.test(answer.cacheStatus)) return `${known} No inference: the stored tensors were read anew.`.trim();
  if (known) return known;
  return '';
}

/**
 * Shows one answer of api.infer. onhover(i | null) is called with the row that the visitor points at or has reached with the keyboard.
 * Gives {highlight(i | null)}, which makes a row stand out.
 */
export function show(place, answer, { onhover } = {}) {
  const d = answer.document;
  const said = cost(answer);
  const rows = [];
  place.replaceChildren(
    make('div', { class: 'head' }, make('strong', {}, summary(d)), make('span', { class: 'badges' }, cacheBadge(answer.cacheStatus, d.from_cache),
      answer.byDigest && make('span', { class: 'badge good' }, 'nothing uploaded'),
      who(answer))),
    answered(answer.route).route ? make('p', { class: 'hint chosen' }, `The route chose ${answered(answer.route).model}, version ${answered(answer.route).version}, ${chosen(answered(answer.route).reason)}.`) : '',
    said ? make('p', { class: 'hint cost' }, said) : '',
    ...details(d, rows),
    ...nodes(d));
  rows.forEach((row, i) => {
    if (!onhover) return;
    row.tabIndex = 0;
    for (const [event, value] of [['mouseenter', i], ['mouseleave', null], ['focus', i], ['blur', null]]) row.addEventListener(event, () => onhover(value));
  });
  return { highlight: (i) => rows.forEach((row, k) => row.classList.toggle('lit', k === i)) };
}

/** The parts of an answer below its head; rows is filled with the elements of what is on the picture. */
function details(d, rows) {
  const list = (title, items, keep) => {
    const made = items.map(bar);
    if (keep) rows.push(...made);
    return [make('h2', {}, title), make('ul', { class: keep ? 'bars rows' : 'bars' }, ...made)];
  };
  const hint = (text) => [make('p', { class: 'hint' }, text)];
  // A graph's detection may have been named by a classifier that saw its part of the picture alone.
  const seen = (p) => ({ ...scored(p), more: p.predictions?.length && `named ${p.predictions[0].label} · ${percent(p.predictions[0].score)}` });
  const scored = (p) => ({ name: p.label, share: p.score, value: percent(p.score), color: colorOf(p.index) });
  if (d.predictions) return list('Labels', d.predictions.map((p) => ({ ...scored(p), color: undefined })));
  if (d.detections) return d.detections.length ? list('Objects', d.detections.map(seen), true) : hint('No box reaches the confidence. A lower one shows more.');
  if (d.segments) {
    const all = (d.image?.width * d.image?.height) || d.segments.reduce((s, x) => s + x.area, 0);
    return d.segments.length ? list('Segments', d.segments.map((s) => ({ name: s.label, share: s.area / all, value: percent(s.area / all), color: colorOf(s.index) })), true) : hint('No pixel belongs to a class.');
  }
  if (d.values?.length > 1) return [make('h2', {}, 'Values'), make('pre', { tabIndex: 0 }, d.values.join('\n'))];
  if (d.embedding) return embedding(d.embedding);
  if (d.outputs) return d.outputs.map((o) => make('details', {}, make('summary', {}, `${o.name} · ${o.datatype} [${o.shape.join(', ')}]`), make('pre', { tabIndex: 0 }, excerpt(o.data))));
  return d.value === undefined && !d.values ? hint('The raw answer is below.') : [];
}

const excerpt = (data = []) => data.slice(0, 256).map((x) => (typeof x === 'number' ? number(x) : String(x))).join(', ') + (data.length > 256 ? `, ... ${data.length - 256} more` : '');

/** A vector as a strip of columns around a middle line. */
function embedding(vector) {
  const canvas = make('canvas', { class: 'vector', width: Math.min(vector.length, 1024), height: 96, role: 'img', 'aria-label': `${vector.length} numbers as columns` });
  const g = canvas.getContext('2d');
  const most = vector.reduce((m, x) => Math.max(m, Math.abs(x)), 1e-9);
  vector.slice(0, canvas.width).forEach((x, i) => {
    g.fillStyle = x < 0 ? colorOf(1) : colorOf(0);
    g.fillRect(i, 48, 1, (-x / most) * 46);
  });
  const length = Math.sqrt(vector.reduce((s, x) => s + x * x, 0));
  return [make('h2', {}, 'Embedding'), canvas, make('p', { class: 'hint' }, `Length (L2 norm) ${number(length)}. The raw answer has all numbers.`)];
}
