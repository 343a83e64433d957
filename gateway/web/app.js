// The page: choose a model, give it something, see what it says.

import * as api from './api.js';
import { byId, make, debounce } from './dom.js';
import * as picture from './draw.js';
import * as results from './results.js';
import * as timing from './timing.js';
import * as row from './row.js';
import * as options from './options.js';

const state = { model: null, kind: 'image', image: null, fileName: '', bitmap: null, running: null };
const soon = debounce(120, run);

/** Asks the model, if there is something to ask; an older question is dropped. */
async function run() {
  const input = state.kind === 'row' ? { row: row.values(byId('row')) } : { image: state.image };
  if (!state.model || (state.kind === 'image' && !state.image)) return;
  state.running?.abort();
  const mine = state.running = new AbortController();
  const { name } = state.model;
  const wishes = options.values(byId('options'));
  byId('result').classList.add('busy');
  try {
    const answer = await api.infer(name, input, wishes, mine.signal);
    fail(null);
    results.show(byId('result'), answer);
    timing.show(byId('timing'), answer.serverTiming, answer.took);
    byId('raw').textContent = JSON.stringify(answer.document, null, 2);
    byId('curl').textContent = api.curl(name, input, wishes, state.fileName);
    byId('extras').hidden = false;
    if (input.image && state.bitmap) {
      picture.draw(byId('canvas'), state.bitmap, answer.document.image, answer.document.detections);
      byId('canvas').setAttribute('aria-label', describe(answer.document));
    }
  } catch (e) {
    if (e.name !== 'AbortError') fail(e);
  } finally {
    if (state.running === mine) byId('result').classList.remove('busy');
  }
}

const describe = (d) => (d.detections
  ? `${state.fileName}: ${d.detections.map((x) => x.label).join(', ') || 'nothing found'}`
  : `${state.fileName}: ${d.predictions?.[0]?.label ?? d.task}`);

/** Shows a problem in words; null takes it away. */
function fail(problem) {
  const place = byId('problem');
  place.hidden = !problem;
  row.mark(byId('row'), problem?.places);
  if (!problem) return;
  byId('result').replaceChildren();
  byId('timing').hidden = byId('extras').hidden = true;
  const said = problem.detail || problem.message || problem.title;
  const details = (problem.places || []).filter((p) => !said.includes(p.message)).map((p) => make('li', {}, `${p.location}: ${p.message}`));
  const notes = [problem.code, problem.requestId && `request ${problem.requestId}`].filter(Boolean).join(', ');
  place.replaceChildren(make('p', {}, make('b', {}, said)), ...(details.length ? [make('ul', {}, ...details)] : []), make('small', {}, notes));
}

/** Takes a picture from wherever it came. */
async function take(blob, name) {
  state.image = blob;
  state.fileName = name || 'picture';
  state.bitmap = null;
  for (const b of byId('samples').children) b.setAttribute('aria-pressed', String(b.dataset.file === name));
  try {
    state.bitmap = await picture.read(blob);
    picture.draw(byId('canvas'), state.bitmap);
  } catch { // not a picture that the browser can show: the server says what is wrong with it
    byId('canvas').width = byId('canvas').height = 0;
  }
  byId('drop').classList.toggle('full', Boolean(state.bitmap));
  await run();
}

function chooseKind(kind) {
  state.kind = kind;
  byId('picture').hidden = kind !== 'image';
  byId('row').hidden = kind !== 'row';
  for (const b of byId('kinds').children) b.setAttribute('aria-pressed', String(b.dataset.kind === kind));
}

/** Shows a model's own input, samples and options. */
async function choose(name) {
  try {
    const m = await api.model(name);
    if (byId('model').value !== name) return; // another one has been chosen meanwhile
    state.model = m.error ? null : m;
    location.replace(`#${encodeURIComponent(name)}`);
    fail(m.error ? { title: 'This model cannot be served', detail: m.error } : null);
    byId('about').textContent = [m.description || (m.task || '').replaceAll('-', ' '), m.labels.slice(0, 8).join(', ') + (m.labels.length > 8 ? ', ...' : '')].filter(Boolean).join(': ');
    const takesImage = Boolean(m.preprocess);
    const takesRow = Boolean(m.columns?.length);
    byId('kinds').hidden = !(takesImage && takesRow);
    chooseKind(takesImage ? 'image' : 'row');
    row.build(byId('row'), m.columns || [], m.example?.body?.row, soon);
    if (m.error) byId('options').replaceChildren();
    else options.build(byId('options'), m, soon);
    byId('samples').replaceChildren(...m.samples.map((file) => {
      const b = make('button', { type: 'button', title: file, 'aria-pressed': 'false', 'data-file': file }, make('img', { src: api.samplePath(name, file), alt: `sample ${file}`, loading: 'lazy' }));
      b.addEventListener('click', async () => {
        try { await take(await api.sample(name, file), file); } catch (e) { fail(e); }
      });
      return b;
    }));
    if (m.error) return;
    if (takesImage || takesRow) await run();
    else byId('result').replaceChildren(make('p', { class: 'hint' }, 'This model takes tensors; the API has an example: '), make('pre', {}, m.example?.curl || JSON.stringify(m.example?.body, null, 2) || ''));
  } catch (e) {
    fail(e);
  }
}

async function start() {
  byId('model').addEventListener('change', (e) => choose(e.target.value));
  byId('file').addEventListener('change', (e) => e.target.files[0] && take(e.target.files[0], e.target.files[0].name));
  for (const b of byId('kinds').children) b.addEventListener('click', () => { chooseKind(b.dataset.kind); run(); });
  const drop = byId('drop');
  addEventListener('dragover', (e) => { e.preventDefault(); drop.classList.add('over'); });
  addEventListener('dragleave', (e) => { if (!e.relatedTarget) drop.classList.remove('over'); });
  addEventListener('drop', (e) => {
    e.preventDefault();
    drop.classList.remove('over');
    const file = e.dataTransfer.files[0];
    if (file) { chooseKind('image'); take(file, file.name); }
  });
  addEventListener('paste', (e) => {
    const file = [...e.clipboardData.files].find((f) => f.type.startsWith('image/'));
    if (file) { chooseKind('image'); take(file, file.name || 'pasted.png'); }
  });
  byId('copy').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(byId('curl').textContent);
      byId('copy').textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(byId('curl'));
      byId('copy').textContent = 'Press Ctrl+C';
    }
    setTimeout(() => { byId('copy').textContent = 'Copy curl'; }, 1500);
  });
  try {
    const [list, trouble] = await Promise.all([api.models(), api.trouble()]);
    const ready = list.filter((m) => m.ready);
    byId('health').textContent = trouble ? 'not ready' : `${ready.length} of ${list.length} models ready`;
    byId('health').title = trouble;
    byId('health').classList.add(trouble ? 'bad' : 'good');
    byId('model').replaceChildren(...list.map((m) => make('option', { value: m.name }, m.ready ? m.name : `${m.name} (not ready)`)));
    const wanted = decodeURIComponent(location.hash.slice(1));
    const first = list.find((m) => m.name === wanted) || ready.find((m) => m.samples.length) || ready[0] || list[0];
    if (!first) return fail({ title: 'No models', detail: trouble === 'it has no models' ? 'The model repository is empty.' : trouble });
    byId('model').value = first.name;
    await choose(first.name);
  } catch (e) {
    byId('health').textContent = 'not reachable';
    byId('health').classList.add('bad');
    fail(e);
  }
}

start();
