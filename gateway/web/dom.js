// Small tools for the document, shared by all views.

let made = 0;

/** An id that no other element has, for labels and descriptions. */
export const unique = (name) => `${name}-${++made}`;

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element. Properties are set as such, except class, for, role and names with a hyphen, which are attributes; on* are listeners.
 * Children that are null or false are left out. Text is never read as HTML.
 */
export function make(tag, properties = {}, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === 'function' && key.startsWith('on')) e.addEventListener(key.slice(2), value);
    else if (key === 'class' || key === 'for' || key === 'role' || key === 'list' || key.includes('-')) e.setAttribute(key, value);
    else e[key] = value;
  }
  e.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

/** A button that does something; label is read and shown unless the properties say otherwise. */
export const button = (label, onclick, properties = {}) => make('button', { type: 'button', onclick, ...properties }, label);

/** What a name is, where it is no model of its own: a route or a graph; null for a model. */
export const kindBadge = (m) => (m.kind === 'route' || m.kind === 'graph') && make('span', { class: 'badge info kind' }, m.kind);

/** A list of labelled bars: [{name, share (0..1), value (text), color?, more? (text of a second line)}]. */
export function bars(items) {
  return make('ul', { class: 'bars' }, ...items.map(bar));
}

/** One bar of such a list. */
export function bar(item) {
  const fill = make('span', { class: 'fill' });
  fill.style.width = `${Math.max(0, Math.min(1, item.share)) * 100}%`;
  if (item.color) fill.style.background = item.color;
  return make('li', {},
    make('span', { class: 'name', title: item.name }, item.name),
    make('span', { class: 'track', 'aria-hidden': 'true' }, fill),
    make('span', { class: 'value' }, item.value),
    item.more && make('span', { class: 'more' }, item.more));
}

/** Calls f when it has not been called for so many milliseconds. */
export function debounce(ms, f) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...args), ms);
  };
}

const sheets = new Map();

/** Adds a stylesheet of this folder, such as 'views/compare.css', once; resolves when it applies. */
export function sheet(path) {
  if (!sheets.has(path)) {
    sheets.set(path, new Promise((resolve) => {
      const link = make('link', { rel: 'stylesheet', href: new URL(path, import.meta.url).href });
      link.onload = link.onerror = () => resolve();
      document.head.append(link);
    }));
  }
  return sheets.get(path);
}

/** Saves a blob as a file of the visitor. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Copies text; where the browser does not let it, selects the element that shows it, for Ctrl+C. Gives what to say. */
export async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return 'Copied';
  } catch {
    getSelection().selectAllChildren(shown);
    return 'Press Ctrl+C';
  }
}

/** Milliseconds as text. */
export const ms = (x) => `${x < 10 ? x.toFixed(2) : x < 1000 ? x.toFixed(0) : (x / 1000).toFixed(2) + ' '}${x < 1000 ? ' ms' : 's'}`;

/** Bytes as text. */
export function bytes(n) {
  if (n < 1000) return `${n} B`;
  return n < 1e6 ? `${(n / 1e3).toFixed(n < 1e4 ? 1 : 0)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}
