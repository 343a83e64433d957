// The history: the last answers, kept by this browser for this page alone. Nothing of it is sent anywhere.

const name = 'triton-gateway';
const version = 1;
const answers = 'answers';
const most = 200; // answers
const mostBytes = 256 << 20; // of pictures; above it the oldest answers go
const largest = 16 << 20; // a larger picture is not kept, its thumbnail is
const side = 192; // pixels of a thumbnail's longer side

let opening = null;

/** Says "kept" when an answer has been put in: one that was given just before its view was left comes a moment later. */
export const changes = new EventTarget();

/** Why there is no history in this browser; '' where there is one. */
export async function trouble() {
  try {
    await open();
    return '';
  } catch (e) {
    return e.message;
  }
}

/** The database, opened once. Throws an Error in words where the browser gives none, as in some private windows. */
function open() {
  opening ??= new Promise((resolve, reject) => {
    const refuse = (why) => reject(new Error(`This browser keeps no history: ${why || 'it does not let pages store anything'}.`));
    if (!globalThis.indexedDB) return refuse();
    let request;
    try {
      request = indexedDB.open(name, version);
    } catch (e) {
      return refuse(e.message);
    }
    request.onupgradeneeded = () => request.result.createObjectStore(answers, { keyPath: 'id', autoIncrement: true });
    request.onerror = () => refuse(request.error?.message);
    request.onblocked = () => refuse('another tab holds it open in an older form');
    request.onsuccess = () => {
      const db = request.result;
      db.onversionchange = () => { db.close(); opening = null; };
      db.onclose = () => { opening = null; };
      resolve(db);
    };
    return undefined;
  });
  opening.catch(() => { opening = null; });
  return opening;
}

/** Does something in a transaction, and gives what its request gave when all is written. */
async function within(mode, act) {
  const db = await open();
  return new Promise((resolve, reject) => {
    const t = db.transaction(answers, mode);
    let request = null;
    t.oncomplete = () => resolve(request?.result);
    t.onerror = t.onabort = () => reject(t.error || new Error('the history was not written'));
    request = act(t.objectStore(answers)) || null;
  });
}

/** A small copy of a picture; null where the browser cannot read it. */
async function thumbnail(blob) {
  if (!(blob instanceof Blob)) return null;
  try {
    const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' });
    const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
    canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return await canvas.convertToBlob({ type: 'image/webp', quality: 0.8 });
  } catch {
    return null;
  }
}

/**
 * Keeps one answer: {model, version, options, fileName, blob, document, route, when}; blob is the picture or null, route what X-Route said, other members (row, body) are kept
 * as they are. The same input of the same model with the same options replaces its entry. Gives the id; null where the browser keeps nothing.
 */
export async function remember(entry) {
  try {
    const { blob = null, ...rest } = entry;
    const size = blob?.size ?? 0;
    const keep = { when: Date.now(), options: {}, fileName: '', ...rest, size, thumb: await thumbnail(blob), blob: size <= largest ? blob : null };
    if (keep.when instanceof Date) keep.when = keep.when.getTime();
    keep.same = JSON.stringify([keep.model, keep.document?.version, keep.options, keep.fileName, size, keep.row ?? keep.body ?? null]);
    const id = await within('readwrite', (all) => {
      const added = all.add(keep);
      added.onsuccess = () => trim(all, added.result, keep.same);
      return added;
    });
    changes.dispatchEvent(new Event('kept'));
    return id;
  } catch {
    return null;
  }
}

/** Walks from the newest to the oldest, and deletes what is there twice and what is too much. */
function trim(all, newest, same) {
  let count = 0;
  let total = 0;
  all.openCursor(null, 'prev').onsuccess = (e) => {
    const cursor = e.target.result;
    if (!cursor) return;
    const { id, blob } = cursor.value;
    count += 1;
    total += blob?.size ?? 0;
    if (id !== newest && (cursor.value.same === same || count > most || total > mostBytes)) {
      cursor.delete();
      if (cursor.value.same === same) { count -= 1; total -= blob?.size ?? 0; }
    }
    cursor.continue();
  };
}

/** All entries, the newest first, without their pictures: thumb is the small one. Empty where the browser keeps nothing. */
export async function list() {
  try {
    const found = await within('readonly', (all) => all.getAll());
    return found.reverse().map(({ blob, ...rest }) => ({ ...rest, whole: Boolean(blob) || rest.size === 0 }));
  } catch {
    return [];
  }
}

/** One entry with its picture (blob; null: it was too large to keep); null where there is none of this id. */
export async function get(id) {
  try {
    return await within('readonly', (all) => all.get(Number(id))) ?? null;
  } catch {
    return null;
  }
}

/** Forgets one entry. */
export const remove = (id) => within('readwrite', (all) => all.delete(Number(id)));

/** Forgets all. */
export const clear = () => within('readwrite', (all) => all.clear());

/** The hash that opens an entry in the try view. */
export const link = (entry) => `try/${encodeURIComponent(entry.model)}/history/${entry.id}`;
