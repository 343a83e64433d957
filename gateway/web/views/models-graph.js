// What a graph runs: its nodes, what each reads, and which switch decides about it.

import { make } from '../dom.js';
import { card, row, table } from './models-one.js';
import { target } from './models.js';

const kinds = {
  crop: 'cuts the parts out of the picture', filter: 'keeps some', map: 'gives other names', merge: 'puts several together', switch: 'decides what runs', vote: 'makes one answer of several',
};

/** The nodes of a graph (as of GET /v1/models/{model}) as a card. */
export function nodes(m) {
  const list = m.nodes || [];
  const does = (n) => (n.kind === 'model' ? make('a', { href: `#models/${encodeURIComponent(n.model)}` }, target(n)) : kinds[n.kind] || '');
  const after = (n) => [n.from.map((f) => (f === 'input' ? 'the input' : f)).join(', '), n.gates?.length && `if ${n.gates.join(', ')} says so`].filter(Boolean).join('; ');
  return card(`Nodes (${list.length})`,
    make('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Nodes of the graph' }, table(['Node', 'Kind', '', 'After'], list.map((n) => row(
      [n.name, ' ', n.answers && make('span', { class: 'badge good' }, 'answer')], make('span', { class: `badge kind-${n.kind}` }, n.kind), does(n), after(n))))),
    make('p', { class: 'hint' }, 'A graph runs several models in one request. Each model’s own page says what it does with its input.'));
}
