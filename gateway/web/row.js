// A form for one row, made of the model's columns.

import { make, unique } from './dom.js';

/** A value to begin with: inside of the range, as the API's own examples have it. */
const usual = (c) => (c.min === undefined ? 1 : c.min + (c.max - c.min) / 4);

/** Fills the form with a field for each column. */
export function build(form, columns, values, changed) {
  form.replaceChildren(...columns.map((c) => {
    const id = unique('column');
    const range = c.min === undefined ? '' : `${c.min} to ${c.max}`;
    const input = make('input', { id, type: 'text', inputMode: 'decimal', autocomplete: 'off', name: c.name, value: String(values?.[c.name] ?? usual(c)), 'aria-describedby': `${id}-note` });
    input.addEventListener('input', changed);
    return make('div', {}, make('label', { for: id }, c.name.replaceAll('_', ' ')), input, make('small', { id: `${id}-note` }, range));
  }));
  form.onsubmit = (e) => { e.preventDefault(); changed(); };
}

/** The row as the API takes it; numbers where they are numbers, the text otherwise, so that the server says what is wrong. */
export function values(form) {
  const row = {};
  for (const input of form.querySelectorAll('input')) {
    const text = input.value.trim();
    row[input.name] = text !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
  }
  return row;
}

/** Fills the fields. */
export function set(form, row) {
  for (const input of form.querySelectorAll('input')) input.value = String(row[input.name] ?? '');
}

/** Marks the fields that a problem names, such as body.row.petal_width; without a problem, none. */
export function mark(form, places = []) {
  for (const input of form.querySelectorAll('input')) {
    const wrong = places.find((p) => p.location.split('.').pop() === input.name);
    const note = form.querySelector(`#${input.id}-note`);
    note.dataset.range ??= note.textContent;
    input.setAttribute('aria-invalid', String(Boolean(wrong)));
    note.textContent = wrong ? wrong.message : note.dataset.range;
    note.classList.toggle('wrong', Boolean(wrong));
  }
}
