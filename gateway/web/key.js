// The visitor's key: asked for when the gateway wants one, sent with every request of the page, and kept for this tab alone. It is never in an address.

import { byId, make, button, unique } from './dom.js';

const place = 'triton-gateway:key'; // in sessionStorage; docs.js reads it too
let held = ''; // where the browser keeps nothing
let declined = false; // the visitor does not want to give one; nothing but a button asks again
let asking = null; // the promise of the dialog that is open

function kept() { try { return sessionStorage.getItem(place) || held; } catch { return held; } }

function keep(key) {
  held = key;
  try {
    if (key) sessionStorage.setItem(place, key);
    else sessionStorage.removeItem(place);
  } catch { /* until the page is closed, then */ }
  show();
}

/** Says whether requests carry a key. */
export const keyed = () => kept() !== '';

/** Says whether the visitor was asked for a key and gave none. */
export const refused = () => declined;

/** The options of a fetch with the key that there is, and that key. */
export function withKey(init = {}) {
  const key = kept();
  return [key ? { ...init, headers: { ...init.headers, Authorization: `Bearer ${key}` } } : init, key];
}

/** After a request with the key `sent` was answered by 401: true once there is another one. why is the gateway's sentence. */
export async function another(sent, why) {
  if (kept() !== sent) return true; // given meanwhile
  if (declined) return false;
  asking ??= open(sent ? why || 'The gateway does not take this key.' : '').finally(() => { asking = null; });
  return asking;
}

/** Asks for a key because the visitor wants to give one. What is on the page belongs to the key before, so the page begins anew. */
export async function askForKey() {
  declined = false;
  asking ??= open('').finally(() => { asking = null; });
  if (await asking) location.reload();
}

/** The button that says that there is a key. */
function show() {
  const place = byId('key');
  if (!place) return;
  place.hidden = false;
  place.textContent = keyed() ? 'Key ✓' : 'Key';
  place.title = keyed() ? 'A key is sent with every request of this tab' : 'Give a key';
}

/** Makes the button work, and shows it where there is a key already. */
export function start() {
  byId('key').addEventListener('click', askForKey);
  if (keyed()) show();
}

/** The dialog. trouble is what was wrong with the last key. Resolves to true where one was given. */
function open(trouble) {
  show();
  const [title, field, fault] = [unique('key'), unique('key'), unique('key')];
  const wrong = make('p', { id: fault, class: 'wrong', role: 'alert' }, trouble);
  const input = make('input', { id: field, type: 'password', autocomplete: 'off', spellcheck: false, required: true });
  input.setAttribute('aria-describedby', fault);
  return new Promise((resolve) => {
    const end = (given) => {
      dialog.remove();
      declined = !given;
      resolve(given);
    };
    const use = (e) => {
      e.preventDefault();
      const key = input.value.trim();
      if (!/^[\x21-\x7e]+$/.test(key)) {
        wrong.textContent = 'A key has letters, digits and signs, and no spaces.';
        input.focus();
        return;
      }
      keep(key);
      end(true);
    };
    const dialog = make('dialog', { class: 'card key', oncancel: () => { if (trouble) keep(''); end(false); } },
      make('form', { method: 'dialog', onsubmit: use },
        make('h2', { id: title }, 'A key is needed'),
        make('p', {}, 'This gateway answers only to those who have a key. It is kept in this tab until you close or forget it, and goes to ', make('b', {}, location.host), ' only.'),
        make('label', { for: field }, 'Key'), input, wrong,
        make('div', { class: 'buttons' }, make('button', { type: 'submit', class: 'primary' }, 'Use this key'),
          button('Cancel', () => { if (trouble) keep(''); end(false); }),
          keyed() && button('Forget the key', () => { keep(''); end(false); location.reload(); }))));
    dialog.setAttribute('aria-labelledby', title);
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}
