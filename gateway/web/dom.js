// Small helpers for the document.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** Makes an element. Properties are set as such, except class and aria-*, which are attributes. Text is never read as HTML. */
export function make(tag, properties = {}, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'class' || key.includes('-') || key === 'for') e.setAttribute(key, value);
    else e[key] = value;
  }
  e.append(...children);
  return e;
}

/** A list of labelled bars: [{name, share (0..1), value (text), color?}]. */
export function bars(items) {
  return make('ul', { class: 'bars' }, ...items.map((item) => {
    const fill = make('span', { class: 'fill' });
    fill.style.width = `${Math.max(0, Math.min(1, item.share)) * 100}%`;
    if (item.color) fill.style.background = item.color;
    return make('li', {},
      make('span', { class: 'name', title: item.name }, item.name),
      make('span', { class: 'track', 'aria-hidden': 'true' }, fill),
      make('span', { class: 'value' }, item.value));
  }));
}

/** Calls f when it has not been called for so many milliseconds. */
export function debounce(ms, f) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...args), ms);
  };
}
