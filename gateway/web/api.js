// All that the page asks of the server.

/** A failure that can be shown: title, detail, places, request id. */
export class Problem extends Error {
  constructor(p) {
    super(p.detail || p.title);
    Object.assign(this, { title: p.title, detail: p.detail, code: p.code, places: p.errors || [], requestId: p.request_id, retryable: p.retryable });
  }
}

async function ask(path, init) {
  let response;
  try {
    response = await fetch(path, init);
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Problem({ title: 'No connection', detail: 'The gateway does not answer. Is it still running?', retryable: true });
  }
  if (response.ok) return response;
  const text = await response.text();
  let document;
  try { document = JSON.parse(text); } catch { document = { title: `Status ${response.status}`, detail: text.slice(0, 200) }; }
  throw new Problem(document);
}

export const models = async () => (await (await ask('/v1/models')).json()).models;
/** Why no model can be run; '' where one can. */
export const trouble = async () => (await (await ask('/v1/stats')).json()).backends.map((b) => b.reason || '').join(' ').trim();
export const model = async (name) => (await ask(`/v1/models/${encodeURIComponent(name)}`)).json();
export const samplePath = (name, file) => `/v1/models/${encodeURIComponent(name)}/samples/${encodeURIComponent(file)}`;
export const sample = async (name, file) => (await ask(samplePath(name, file))).blob();

/** The path of an infer with its options in the query. */
export function inferPath(name, options) {
  const query = new URLSearchParams(options).toString();
  return `/v1/models/${encodeURIComponent(name)}/infer${query ? `?${query}` : ''}`;
}

/** Sends {image: Blob} or {row: {...}}. Gives the document, its text and what the headers say. */
export async function infer(name, input, options, signal) {
  const init = input.image
    ? { method: 'POST', body: input.image, headers: { 'Content-Type': input.image.type || 'application/octet-stream' }, signal }
    : { method: 'POST', body: JSON.stringify({ row: input.row }), headers: { 'Content-Type': 'application/json' }, signal };
  const started = performance.now();
  const response = await ask(inferPath(name, options), init);
  const text = await response.text();
  const h = response.headers;
  return {
    document: JSON.parse(text), text, took: performance.now() - started,
    cacheStatus: h.get('Cache-Status') || '', serverTiming: h.get('Server-Timing') || '', route: h.get('X-Route') || '', requestId: h.get('X-Request-Id') || '',
  };
}

/** The same request for a shell. */
export function curl(name, input, options, fileName) {
  const url = quote(location.origin + inferPath(name, options));
  if (input.image) return `curl -F ${quote(`image=@${fileName}`)} ${url}`;
  return `curl -H 'Content-Type: application/json' -d ${quote(JSON.stringify({ row: input.row }))} ${url}`;
}

const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
