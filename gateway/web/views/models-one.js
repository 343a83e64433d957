// One model in full.

import { make, button, copy, kindBadge } from '../dom.js';
import { fraction, postprocessing, preprocessing, yaml } from '../model-words.js';
import { panel } from '../snippets.js';
import { readiness, reason, warnings } from './models.js';
import { nodes } from './models-graph.js';
import { Preview } from './models-preview.js';
import { Route } from './models-route.js';

const many = 500; // labels that are shown at once

/** Fills an element with a model (as of GET /v1/models/{model}); gives {leave}. */
export function build(place, app, m) {
  const link = (view, words) => make('a', { class: 'button', href: `#${view}/${encodeURIComponent(m.name)}` }, words);
  const picture = Boolean(m.preprocess) && m.ready;
  const preview = picture && m.kind !== 'graph' ? new Preview(app, m) : null;
  const leads = m.kind === 'route' ? new Route(m) : null;
  const own = m.kind === 'model'; // what a route or a graph says of tensors and settings is that of one of its models
  const why = reason(m);
  const more = warnings(m);
  place.replaceChildren(
    make('nav', { class: 'back', 'aria-label': 'Back' }, make('a', { href: '#models' }, '← All models')),
    make('section', { class: 'card title', 'aria-label': 'Model' },
      make('div', { class: 'head' }, make('strong', {}, m.name), make('span', { class: 'badges' }, kindBadge(m), m.task && make('span', { class: 'badge info' }, m.task), readiness(m))),
      make('p', { class: 'hint' }, m.description || ''),
      why && make('p', { class: 'wrong' }, why),
      more.length > 0 && make('div', { class: 'warnings' }, make('h2', {}, 'Guessed, or to be looked at'), make('ul', {}, ...more.map((w) => make('li', {}, w)))),
      make('div', { class: 'buttons' }, m.ready && link('try', 'Try it'), picture && link('compare', 'Compare'),
        make('a', { class: 'button', href: `/v1/models/${encodeURIComponent(m.name)}` }, 'All as JSON'))),
    make('div', { class: 'columns' },
      make('div', { class: 'stack' }, leads?.root, m.kind === 'graph' && nodes(m), own && preview?.root, own && m.task && settings(m), example(m)),
      make('div', { class: 'stack' }, own && versions(m), own && tensors(m), !own && preview?.root, m.columns?.length > 0 && columns(m), m.labels?.length > 0 && labels(m))));
  return { leave: () => { preview?.leave(); leads?.leave(); } };
}

export const card = (title, ...content) => make('section', { class: 'card', 'aria-label': title }, make('h2', {}, title), ...content);
export const table = (heads, rows) => make('table', {}, make('thead', {}, make('tr', {}, ...heads.map((h) => make('th', { scope: 'col' }, h)))), make('tbody', {}, ...rows));
export const row = (head, ...cells) => make('tr', {}, make('th', { scope: 'row' }, head), ...cells.map((c) => make('td', {}, c)));
const steps = (list) => make('ol', { class: 'steps' }, ...list.map((s) => make('li', {}, s)));

/** What happens to the input and the output, in words and as settings. */
function settings(m) {
  const text = make('pre', { id: 'yaml', tabIndex: 0, 'aria-label': 'The settings in force as YAML' }, yaml(m));
  const take = button('Copy', async () => {
    take.textContent = await copy(text.textContent, text);
    setTimeout(() => { take.textContent = 'Copy'; }, 1500);
  });
  return card('What it does',
    ...(m.preprocess ? [make('h3', {}, 'With a picture'), make('div', { id: 'preprocess' }, steps(preprocessing(m.preprocess)))] : []),
    ...(m.columns?.length ? [make('h3', {}, 'With a row'), make('p', { class: 'hint' }, `Its ${m.columns.length} columns become one tensor, in their order.`)] : []),
    make('h3', {}, 'With the output'), make('div', { id: 'postprocess' }, steps(postprocessing(m))),
    make('details', { open: true }, make('summary', {}, `Settings in force${m.task_source ? `, from ${m.task_source}` : ''}`), make('div', { class: 'code' }, text, take)));
}

function versions(m) {
  return card('Versions', table(['Version', 'State', ''], m.versions.map((v) => row(v.version,
    make('span', { class: `badge ${v.state === 'READY' ? 'good' : v.state === 'UNAVAILABLE' ? 'bad' : ''}` }, v.state.toLowerCase()), v.reason || ''))));
}

function tensors(m) {
  const shape = (t) => `[${[...(m.max_batch_size > 0 ? ['batch'] : []), ...t.shape.map((d) => (d < 0 ? 'any' : d))].join(', ')}]`;
  const all = (list, kind) => list.map((t) => make('tr', {}, make('th', { scope: 'row' }, t.name), make('td', {}, kind), make('td', {}, t.datatype), make('td', { class: 'mono' }, shape(t))));
  return card('Tensors', make('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Inputs and outputs' }, table(['Name', '', 'Type', 'Shape'], [...all(m.inputs, 'input'), ...all(m.outputs, 'output')])),
    make('p', { class: 'hint' }, m.max_batch_size > 0 ? `Takes up to ${m.max_batch_size} at once.` : 'Takes no batches.'));
}

function columns(m) {
  const range = (c) => (c.min === undefined ? 'any number' : `${fraction(c.min)} to ${fraction(c.max)}`);
  return card('Columns', make('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Names and ranges' }, table(['Column', 'Range'], m.columns.map((c) => row(c.name, range(c))))));
}

/** The labels with their indices; a search finds one among many. */
function labels(m) {
  const list = make('ol', { class: 'labels', tabIndex: 0, role: 'list', 'aria-label': 'Labels' });
  const note = make('p', { class: 'hint', 'aria-live': 'polite' });
  const fill = () => {
    const word = search.value.trim().toLowerCase();
    const found = m.labels.map((name, i) => ({ name, i })).filter(({ name, i }) => name.toLowerCase().includes(word) || String(i) === word);
    list.replaceChildren(...found.slice(0, many).map(({ name, i }) => make('li', {}, make('span', { class: 'index' }, String(i)), name)));
    note.textContent = word ? `${found.length} of ${m.labels.length}` : found.length > many ? `The first ${many} of ${found.length}` : '';
  };
  const search = make('input', { type: 'search', id: 'find-label', placeholder: 'Search', 'aria-label': 'Search labels', oninput: fill, hidden: m.labels.length < 2 });
  fill();
  return card(`Labels (${m.labels.length})`, search, list, note);
}

/** The same as a request. */
function example(m) {
  if (!m.example) return null;
  const place = make('div', { id: 'example' });
  const body = m.example.body;
  const [sample] = m.samples;
  if (m.preprocess) panel(place, m, { image: true }, {}, sample || 'picture.jpg');
  else if (body?.row) panel(place, m, { row: body.row }, {});
  else if (body) panel(place, m, { body }, {});
  else return null;
  return card('Ask it', place);
}
