// All that the page asks of the server: the public REST API, nothing else.

import { another, keyed, withKey } from './key.js';

/** A failure that can be shown: title, detail, places, request id. */
export class Problem extends Error {
  constructor(p, status = 0) {
    super(p.detail || p.title);
    this.name = 'Problem';
    Object.assign(this, { status, title: p.title, detail: p.detail, code: p.code, places: p.errors || [], requestId: p.request_id, retryable: Boolean(p.retryable) });
  }

  /** The gateway or its backend is away: waiting helps, another input does not. */
  get away() { return this.status === 503 || ['no_connection', 'backend_unavailable', 'draining'].includes(this.code); }
}

/**
 * Asks the server, with the visitor's key; where it wants one, the visitor is asked. Gives the Response of a success; throws a Problem otherwise, and
 * AbortError where the signal says so.
 */
export async function ask(path, init) {
  let response;
  const [request, key] = withKey(init);
  try {
    response = await fetch(path, request);
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Problem({ title: 'No connection', code: 'no_connection', detail: `The gateway at ${location.host} does not answer. Start it again, or check the network.`, retryable: true });
  }
  if (response.ok) return response;
  const text = await response.text();
  let document;
  try { document = JSON.parse(text); } catch { document = { detail: text.slice(0, 200) }; }
  if (response.status === 401 && await another(key, document.detail)) return ask(path, init);
  document.title ??= document.status ? String(document.status) : `Status ${response.status}`;
  throw new Problem(document, response.status);
}

const json = async (path, init) => (await ask(path, init)).json();
const at = (name) => `/v1/models/${encodeURIComponent(name)}`;

/** The list of models, those that cannot be served included. */
export const models = async () => (await json('/v1/models')).models;
/** One model with all that is known of it. */
export const model = (name) => json(at(name));
/** One of the routes with all that is written of it, its candidates as they are now, and how far its canary is. */
export const route = (name) => json(`/v1/routes/${encodeURIComponent(name)}`);
/** What operators alone may see of a route: part is canary, shadow or disagreements. */
export const routePart = (name, part) => json(`/v1/routes/${encodeURIComponent(name)}/${part}`);
/** All routes by name. Every model is one to itself; those are left out. */
export const routes = async () => new Map((await json('/v1/routes')).routes.filter((r) => r.kind === 'route').map((r) => [r.name, r]));
/** Why no model can be run; '' where one can. */
export const trouble = async () => (await json('/v1/stats')).backends.map((b) => b.reason || '').join(' ').trim();
/** Resolves when the gateway can answer; throws the Problem otherwise. The statistics are asked first: they say why without an error status. */
export async function ready() {
  const why = await trouble();
  if (why) throw new Problem({ title: 'The gateway is not ready', code: 'backend_unavailable', detail: why, retryable: true });
  await ask('/readyz', { cache: 'no-store' });
}
/** Where a sample picture is. */
export const samplePath = (name, file) => `${at(name)}/samples/${encodeURIComponent(file)}`;
/** Shows a sample picture in an img: by its address, or as what was fetched where that needs a key. */
export async function showSample(img, name, file) {
  if (!keyed()) {
    img.src = samplePath(name, file);
    return;
  }
  try {
    const url = URL.createObjectURL(await sample(name, file));
    img.onload = img.onerror = () => URL.revokeObjectURL(url);
    img.src = url;
  } catch { /* its name stands there */ }
}
/** A sample picture as a Blob. */
export const sample = async (name, file) => (await ask(samplePath(name, file))).blob();

const query = (options) => {
  const text = new URLSearchParams(options).toString();
  return text && `?${text}`;
};

/** The path of an infer with its options, version among them, in the query. */
export const inferPath = (name, options = {}) => `${at(name)}/infer${query(options)}`;

/** The path of a stream, version among the options. */
export const streamPath = (name, options = {}) => `${at(name)}/stream${query(options)}`;

const tries = 3; // to go on with a stream whose connection was lost

/**
 * Gives the events of a stream, {name, data}, as they come: response for each of the model, and done. After a lost connection it goes on where it was. Throws
 * the Problem that an event tells, and AbortError where the signal says so.
 */
export async function* stream(name, body, options, signal) {
  let response = await ask(streamPath(name, options), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal });
  const where = response.headers.get('Location');
  let last = '0';
  for (let lost = 0; ; lost += 1) {
    try {
      for await (const event of eventsOf(response.body)) {
        if (event.name === 'error') throw new Problem(event.data, event.data.status);
        if (event.id) last = event.id;
        if (event.name !== 'stream') yield event;
        if (event.name === 'done') return;
        lost = 0;
      }
    } catch (e) {
      if (e.name === 'AbortError' || e instanceof Problem) throw e;
    }
    if (lost >= tries) throw new Problem({ title: 'The stream was lost', code: 'no_connection', detail: 'The connection broke, and could not be made again.', retryable: true });
    response = await ask(where, { headers: { 'Last-Event-ID': last }, signal });
  }
}

/** Reads server-sent events: {name, id, data}, data as JSON. */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (text + value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const field = (name) => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field('data')) yield { name: field('event'), id: field('id'), data: JSON.parse(field('data')) };
    }
  }
}

const digests = new WeakMap();

/** SHA-256 of a Blob in hex, computed once; '' where the browser gives no cryptography (a page that is neither on https nor local). */
export async function digestOf(blob) {
  if (!globalThis.crypto?.subtle) return '';
  if (!digests.has(blob)) {
    digests.set(blob, blob.arrayBuffer()
      .then((data) => crypto.subtle.digest('SHA-256', data))
      .then((sum) => Array.from(new Uint8Array(sum), (b) => b.toString(16).padStart(2, '0')).join('')));
  }
  return digests.get(blob);
}

/** Asks for the answer about a picture that is named by its digest alone; null where the gateway has none, which is no error here. */
async function byDigest(name, digest, options, signal) {
  const response = await ask(`${at(name)}/results/${digest}${query(options)}`, { cache: 'no-store', headers: { Prefer: 'miss=no-content' }, signal });
  return response.status === 204 ? null : response;
}

function body(input) {
  if (input.image) return { body: input.image, headers: { 'Content-Type': input.image.type || 'application/octet-stream' }, size: input.image.size };
  const text = JSON.stringify(input.row ? { row: input.row } : input.body);
  return { body: text, headers: { 'Content-Type': 'application/json' }, size: text.length };
}

/**
 * Asks a model about {image: Blob}, {row: {...}} or {body: any JSON}. A picture is asked for by its digest first and is uploaded only where
 * the gateway has no answer; {digestFirst: false} leaves that out, and so does the option cache. Gives the document, its text, what the
 * headers say, and how it went: byDigest, sent (bytes uploaded), took (milliseconds, of the request that gave the answer).
 */
export async function infer(name, input, options = {}, signal, { digestFirst = true } = {}) {
  let started = performance.now();
  let response = null;
  let sent = 0;
  if (input.image && digestFirst && !options.cache) {
    const digest = await digestOf(input.image);
    started = performance.now();
    if (digest) response = await byDigest(name, digest, options, signal);
  }
  const known = response !== null;
  if (!known) {
    const { size, ...init } = body(input);
    sent = size;
    started = performance.now();
    response = await ask(inferPath(name, options), { method: 'POST', ...init, signal });
  }
  const text = await response.text();
  const h = response.headers;
  return {
    document: JSON.parse(text), text, took: performance.now() - started, byDigest: known, sent,
    cacheStatus: h.get('Cache-Status') || '', serverTiming: h.get('Server-Timing') || '', route: h.get('X-Route') || '', requestId: h.get('X-Request-Id') || '',
  };
}
