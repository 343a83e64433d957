// Jobs: hand in a folder, watch it, collect what was answered.

import { make, sheet } from '../dom.js';
import { List } from './jobs-list.js';
import { Submit } from './jobs-submit.js';
import { One } from './jobs-one.js';

export const title = 'Jobs';

/** Opens the view: all jobs, or those of which rest has the ids, with commas between them. */
export async function mount(place, app, rest) {
  await sheet('views/jobs.css');
  const ids = rest.split(',').map((id) => id.trim()).filter(Boolean);
  if (ids.length) {
    const one = new One(place, app, ids);
    return { leave: () => one.leave() };
  }
  const [above, below] = [make('section', { class: 'card', 'aria-label': 'Hand in' }), make('section', { class: 'card', 'aria-label': 'All jobs' })];
  place.replaceChildren(make('div', { class: 'jobs' }, above, below));
  const submit = new Submit(above, app);
  const list = new List(below, app);
  return { leave() { submit.leave(); list.leave(); }, recovered() { list.load(); } };
}
