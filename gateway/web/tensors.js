// Tensors as JSON, for models that take neither pictures nor rows: the body of KServe v2.

import { make, button, unique } from './dom.js';

const most = 200_000; // elements that are filled in by a button
const whole = /^U?INT/;

const forms = new WeakMap(); // element -> {text, check, model}

/** Fills place with the body that the model's example has. changed() is called when the text has become another body that can be sent. */
export function build(place, model, changed) {
  const id = unique('tensors');
  const text = make('textarea', { id, rows: 12, spellcheck: false, autocomplete: 'off', 'aria-describedby': `${id}-note` });
  const note = make('p', { id: `${id}-note`, class: 'hint', 'aria-live': 'polite' });
  const put = (body) => { text.value = pretty(body); edited(); };
  let last = '';
  const edited = () => {
    const { body, problem } = read(text.value);
    note.textContent = problem || count(body);
    note.classList.toggle('wrong', Boolean(problem));
    text.setAttribute('aria-invalid', String(Boolean(problem)));
    const now = body ? JSON.stringify(body) : last;
    if (now === last) return;
    last = now;
    changed();
  };
  text.addEventListener('input', edited);
  const label = make('label', { for: id }, 'Tensors, as KServe v2 JSON');
  Object.assign(label.style, { display: 'block', marginTop: '1rem' });
  const tools = make('div', { class: 'buttons' }, ...(model.example?.body?.inputs ? [
    button('Example', () => put(filled(model, () => 0))),
    button('Ones', () => put(filled(model, () => 1))),
    button('Random', () => put(filled(model, (type) => (whole.test(type) ? Math.floor(Math.random() * 10) : Number((Math.random() * 2 - 1).toFixed(4)))))),
  ] : []), button('Tidy up', () => { const { body } = read(text.value); if (body) text.value = pretty(body); }));
  tools.style.marginTop = '.7rem';
  place.replaceChildren(label, text, note, tools);
  forms.set(place, { text, note, put });
  text.value = pretty(filled(model, () => 0));
  const { body, problem } = read(text.value);
  last = body ? JSON.stringify(body) : '';
  note.textContent = problem || count(body);
}

/** The body to send; null while the text is none: why not stands below it. */
export function values(place) { return read(forms.get(place)?.text.value ?? '').body; }

/** Puts a body into the form. */
export function set(place, body) {
  const form = forms.get(place);
  if (form && Array.isArray(body?.inputs)) form.put(body);
}

/** Shows what a problem says about the body; without one, that all is well. */
export function mark(place, problem) {
  const form = forms.get(place);
  if (!form) return;
  form.text.setAttribute('aria-invalid', String(Boolean(problem)));
  form.note.classList.toggle('wrong', Boolean(problem));
  form.note.textContent = problem ? problem.detail || problem.message : count(read(form.text.value).body);
}

const size = (shape) => shape.reduce((n, d) => n * d, 1);

/** The model's example with data for every input; an input that is too large stays without. */
function filled(model, value) {
  const inputs = (model.example?.body?.inputs || []).map((input) => {
    if (size(input.shape) > most) return input;
    const one = () => (input.datatype === 'BYTES' ? '' : input.datatype === 'BOOL' ? Boolean(value('BOOL') > 0) : value(input.datatype));
    return { ...input, data: Array.from({ length: size(input.shape) }, one) };
  });
  return { inputs };
}

/** A body as people read it: one line for each member of an input. */
function pretty(body) {
  const input = (i) => `    {\n${Object.entries(i).map(([k, v]) => `      ${JSON.stringify(k)}: ${JSON.stringify(v).replaceAll(',', ', ')}`).join(',\n')}\n    }`;
  return `{\n  "inputs": [\n${body.inputs.map(input).join(',\n')}\n  ]\n}`;
}

/** Reads a text: {body} of what can be sent, or {problem} in words. */
function read(text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return { body: null, problem: `This is not JSON yet: ${where(text)}` };
  }
  const wrong = (problem) => ({ body: null, problem });
  if (!Array.isArray(body?.inputs) || body.inputs.length === 0) return wrong('The body needs "inputs": a list with one entry for each tensor.');
  for (const [i, input] of body.inputs.entries()) {
    const name = `inputs[${i}]`;
    if (typeof input?.name !== 'string' || typeof input.datatype !== 'string' || !Array.isArray(input.shape)) return wrong(`${name} needs "name", "datatype" and "shape".`);
    if (!input.shape.every((d) => Number.isInteger(d) && d >= 0)) return wrong(`${name}: the shape is a list of whole numbers.`);
    if (!Array.isArray(input.data)) return wrong(`${name} (${input.name}) has no "data". It needs ${size(input.shape)} values.`);
    const has = input.data.flat(Infinity).length;
    if (has !== size(input.shape)) return wrong(`${name} (${input.name}) has ${has} values; the shape [${input.shape.join(', ')}] needs ${size(input.shape)}.`);
  }
  return { body };
}

const count = (body) => (body ? body.inputs.map((i) => `${i.name}: ${i.datatype} [${i.shape.join(', ')}]`).join(' · ') : '');

/** Where a text stops being JSON: the end of the longest beginning that could go on as JSON. */
function where(text) {
  const fits = (n) => {
    try { JSON.parse(text.slice(0, n)); } catch (e) {
      return /end of JSON|Unterminated/.test(e.message) || Number(/position (\d+)/.exec(e.message)?.[1]) >= n;
    }
    return true;
  };
  if (fits(text.length)) return 'it ends too early.';
  let [good, bad] = [0, text.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (fits(middle)) good = middle;
    else bad = middle;
  }
  return `in line ${text.slice(0, good).split('\n').length}, “${text[good]}” is not what can stand there.`;
}
