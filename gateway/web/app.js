// The shell: which view is open, what all of them share, and problems in words.

import * as api from './api.js';
import { byId, make, button } from './dom.js';
import * as key from './key.js';
import { inWords } from './problems.js';
import { Recovery } from './recovery.js';
import * as tryView from './views/try.js';

const views = {
  try: () => tryView,
  compare: () => import('./views/compare.js'),
  jobs: () => import('./views/jobs.js'),
  models: () => import('./views/models.js'),
  history: () => import('./views/history.js'),
};

const known = new Map(); // name of a model -> promise of all that is known of it
let current = null; // {name, rest, handle}, the open view; handle is null while it is being made or where that failed
let turn = 0; // counts the ways through route, so that a slow view does not appear over a later one

const recovery = new Recovery({
  check: api.ready,
  waiting: (text) => { const place = byId('waiting'); if (place) place.textContent = text; },
  back: async () => {
    await load();
    fail(null);
    say('The gateway answers again.');
    if (current?.handle?.recovered) current.handle.recovered();
    else route(true);
  },
});

const app = {
  /** The list of GET /v1/models. */
  models: [],
  /** Resolves when it is there, or cannot be had for now. All views but the first are mounted after that. */
  loaded: Promise.resolve(),
  /** All that is known of a model; asked for once. */
  model(name) {
    if (!known.has(name)) {
      const asked = api.model(name);
      asked.catch(() => known.delete(name));
      known.set(name, asked);
    }
    return known.get(name);
  },
  /** Opens a view: 'models/shapes'. */
  go(hash) { location.hash = `#${hash}`; },
  say,
  fail,
};

/** Has a sentence read out. */
function say(text) { byId('said').textContent = text; }

/** Shows a problem in words; null takes it away. Where the gateway or its backend is away, the page goes on by itself when they are back. */
function fail(problem, byHand = false) {
  if (problem?.name === 'AbortError' || (!problem && !byHand && key.refused())) return; // without a key nothing else is news
  const place = byId('problem');
  if (problem?.away) {
    health(problem);
    recovery.start();
  }
  if (!problem) {
    place.hidden = true;
    place.replaceChildren();
    return;
  }
  const { title, said, hint, details, notes } = inWords(problem);
  place.replaceChildren(
    make('div', {}, make('p', {}, make('b', {}, title)), make('p', {}, [said, hint].filter(Boolean).join(' ')),
      details.length > 0 && make('ul', {}, ...details.map((d) => make('li', {}, d))),
      problem.away && make('p', {}, make('span', { id: 'waiting' })),
      notes && make('small', {}, notes)),
    make('div', { class: 'buttons' },
      problem.away && button('Try now', () => recovery.now()),
      problem.status === 401 && button('Give a key', () => key.askForKey()),
      problem.code === 'page_is_old' && button('Reload', () => location.reload()),
      button('×', () => fail(null, true), { class: 'close', 'aria-label': 'Close this message' })));
  place.hidden = false;
}

/** Says how many models can be asked; why none can, where there is a problem. */
function health(problem) {
  const badge = byId('health');
  const ready = app.models.filter((m) => m.ready).length;
  badge.textContent = problem ? (problem.code === 'no_connection' ? 'not reachable' : 'not ready') : `${ready} of ${app.models.length} models ready`;
  badge.title = problem ? problem.detail || problem.title : '';
  badge.className = `badge ${problem || ready === 0 ? 'bad' : 'good'}`;
}

/** Asks for the models. */
async function load() {
  known.clear();
  const [models, trouble] = await Promise.all([api.models(), api.trouble()]);
  app.models = models;
  if (trouble) fail(new api.Problem({ title: 'The gateway is not ready', code: 'backend_unavailable', detail: trouble, retryable: true }));
  else health(null);
}

/** Opens what a link of the API names, which a browser would ask for without the key. */
async function follow(e) {
  const link = e.target.closest?.('a[href]');
  if (!link || !key.keyed() || link.origin !== location.origin || !/^\/(v1\/|metrics$)/.test(link.pathname)) return;
  e.preventDefault();
  try {
    const answer = await (await api.ask(link.pathname + link.search)).blob();
    location.href = URL.createObjectURL(new Blob([answer], { type: answer.type === 'application/json' ? answer.type : 'text/plain' }));
  } catch (problem) {
    fail(problem);
  }
}

/** The view and the rest that the hash names. A model alone, as in #shapes, is tried. */
function parse() {
  const text = location.hash.slice(1);
  const cut = text.indexOf('/');
  const name = cut < 0 ? text : text.slice(0, cut);
  const decode = (s) => { try { return decodeURIComponent(s); } catch { return s; } };
  if (Object.hasOwn(views, name)) return { name, rest: cut < 0 ? '' : decode(text.slice(cut + 1)) };
  return { name: 'try', rest: decode(text) };
}

/** Opens the view of the hash; the one that is open already gets the new rest, if it wants it. */
async function route(anew = false) {
  const wanted = parse();
  if (!anew && current?.name === wanted.name && current.handle?.update) {
    current.rest = wanted.rest;
    current.handle.update(wanted.rest);
    return;
  }
  const mine = ++turn;
  const first = current === null;
  current?.handle?.leave?.();
  current = { ...wanted, handle: null };
  for (const a of byId('views').children) {
    if (a.hash === `#${wanted.name}`) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  if (!first && !recovery.running) fail(null);
  try {
    const view = await views[wanted.name]();
    if (view !== tryView) await app.loaded; // the first view shows itself at once
    if (mine !== turn) return;
    document.title = `${view.title} · triton-gateway`;
    const place = make('div', { class: `view view-${wanted.name}` });
    byId('view').replaceChildren(place);
    if (!first && !anew) byId('view').focus({ preventScroll: true });
    const handle = await view.mount(place, app, wanted.rest);
    if (mine === turn) current.handle = handle || {};
    else handle?.leave?.();
  } catch (e) {
    if (mine === turn) fail(await explain(e));
  }
}

/** A module that cannot be loaded: the gateway is away, or has been updated since this page was opened. */
async function explain(e) {
  if (!(e instanceof TypeError) || !/module|import/i.test(e.message)) return e;
  try {
    await api.ready();
  } catch (problem) {
    return problem;
  }
  return { title: 'This page is out of date', detail: 'The gateway has been updated since this page was opened. Reload it.', code: 'page_is_old' };
}

async function start() {
  byId('skip').addEventListener('click', (e) => { e.preventDefault(); byId('view').focus(); });
  addEventListener('hashchange', () => route());
  document.addEventListener('click', follow);
  key.start();
  app.loaded = load().catch(fail);
  await route();
  recovery.watch(fail);
}

start();
