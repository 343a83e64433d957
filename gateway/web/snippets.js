// The same request for programs: what is copied here runs as it is, beside the picture's file.

import { make, button, copy, save, unique } from './dom.js';
import { inferPath, streamPath } from './api.js';
import { keyed } from './key.js';

const long = 1500; // characters of a JSON body; above, the snippets read it from a file
const bodyFile = 'request.json';
const variable = 'TRITON_GATEWAY_KEY'; // holds the key of who runs a snippet

const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const quoted = (text) => JSON.stringify(String(text).toWellFormed?.() ?? String(text)); // a text in Python, JavaScript and Go alike

/** Any JSON value as Python writes it. */
function python(value) {
  if (value === null) return 'None';
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (typeof value === 'object') return `{${Object.entries(value).map(([k, v]) => `${quoted(k)}: ${python(v)}`).join(', ')}}`;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'string' ? quoted(value) : String(value);
}

/**
 * The request for api.infer of a model (as of GET /v1/models/{model}) with {image: Blob}, {row} or {body}, in five languages: [{language, text, file}].
 * options are those of infer, version among them; fileName is the picture's, which the snippets read from the folder that they run in. Where file
 * is there, {name, text}, they need that file too: the body is too long to stand in a program. Where the gateway wants a key they take it from the
 * environment: the visitor's own is in none of them. A model that answers on streams is asked for all its responses in one document.
 */
export function snippets(model, input, options = {}, fileName = 'picture.jpg', origin = location.origin) {
  const url = origin + (model.streams ? streamPath(model.name, { ...options, aggregate: true }) : inferPath(model.name, options));
  const body = input.image ? null : input.row ? { row: input.row } : input.body;
  const text = body && JSON.stringify(body);
  const file = text?.length > long ? { name: bodyFile, text } : undefined;
  const r = { model, input, options, origin, url, body, text, key: keyed(), kind: body ? 'application/json' : 'application/octet-stream', name: body ? file?.name : fileName };
  return [['curl', curl], ['Python', pythonProgram], ['JavaScript', javascript], ['Go', go], ...(model.streams ? [] : [['tritonclient', tritonclient]])]
    .map(([language, write]) => ({ language, text: write(r) }))
    .map((s) => (file && s.text.includes(file.name) ? { ...s, file } : s));
}

function curl(r) {
  const curl = r.key ? `curl -H "Authorization: Bearer $${variable}"` : 'curl';
  if (r.body) return `${curl} -H 'Content-Type: application/json' -d ${r.name ? `@${r.name}` : shell(r.text)} ${shell(r.url)}`;
  const name = /[",;\\]/.test(r.name) ? `"${r.name.replace(/["\\]/g, '\\$&')}"` : r.name;
  return `${curl} -F ${shell(`image=@${name}`)} ${shell(r.url)}`;
}

function pythonProgram(r) {
  const data = r.name ? ['with open(' + quoted(r.name) + ', "rb") as file:', '    data = file.read()'] : [`data = json.dumps(${python(r.body)}).encode()`];
  return [
    'import json', ...(r.key ? ['import os'] : []), 'import sys', 'from urllib.error import HTTPError', 'from urllib.request import Request, urlopen', '',
    `url = ${quoted(r.url)}`, ...data,
    `request = Request(url, data, {"Content-Type": "${r.kind}"${r.key ? `, "Authorization": "Bearer " + os.environ["${variable}"]` : ''}})`,
    'try:',
    '    with urlopen(request, timeout=35) as response:',
    '        print(json.dumps(json.load(response), indent=2))',
    'except HTTPError as problem:',
    '    sys.exit(json.load(problem)["detail"])',
  ].join('\n');
}

function javascript(r) {
  return [
    '// node ask.mjs, with Node 20 or newer',
    ...(r.name ? ['import { readFile } from "node:fs/promises";', ''] : []),
    `const response = await fetch(${quoted(r.url)}, {`,
    '  method: "POST",',
    `  headers: { "Content-Type": "${r.kind}"${r.key ? `, Authorization: \`Bearer \${process.env.${variable}}\`` : ''} },`,
    `  body: ${r.name ? `await readFile(${quoted(r.name)})` : `JSON.stringify(${JSON.stringify(r.body)})`},`,
    '});',
    'const answer = await response.json();',
    'if (!response.ok) throw new Error(answer.detail);',
    'console.log(JSON.stringify(answer, null, 2));',
  ].join('\n');
}

function go(r) {
  const data = r.name
    ? [`\tdata, err := os.ReadFile(${quoted(r.name)})`, '\tif err != nil {', '\t\tlog.Fatal(err)', '\t}']
    : [`\tdata := []byte(${r.text.includes('`') ? quoted(r.text) : `\`${r.text}\``})`];
  return [
    'package main', '', 'import (', '\t"bytes"', '\t"fmt"', '\t"io"', '\t"log"', '\t"net/http"', ...(r.name || r.key ? ['\t"os"'] : []), ')', '',
    'func main() {', ...data,
    ...(r.key
      ? [`\trequest, err := http.NewRequest(http.MethodPost, ${quoted(r.url)}, bytes.NewReader(data))`, '\tif err != nil {', '\t\tlog.Fatal(err)', '\t}',
        `\trequest.Header.Set("Content-Type", "${r.kind}")`, `\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("${variable}"))`,
        '\tresponse, err := http.DefaultClient.Do(request)']
      : [`\tresponse, err := http.Post(${quoted(r.url)}, "${r.kind}", bytes.NewReader(data))`]),
    '\tif err != nil {', '\t\tlog.Fatal(err)', '\t}',
    '\tanswer, err := io.ReadAll(response.Body)', '\tif err != nil {', '\t\tlog.Fatal(err)', '\t}',
    '\tif response.StatusCode != http.StatusOK {', '\t\tlog.Fatalf("%s: %s", response.Status, answer)', '\t}',
    '\tfmt.Printf("%s\\n", answer)', '}',
  ].join('\n');
}

const numeric = (text) => (text !== '' && Number.isFinite(Number(text)) ? Number(text) : text);

/** Pictures go to the virtual model NAME.image, whose answer is the gateway's document; rows and tensors to the model itself, whose answer is its tensors. */
function tritonclient(r) {
  const { host, protocol } = new URL(r.origin);
  const { version, ...options } = r.options;
  const wishes = r.body ? {} : Object.fromEntries(Object.entries(options).map(([k, v]) => [k, k === 'classes' ? v : numeric(v)]));
  const ask = (name) => `answer = client.infer(${quoted(name)}, inputs${version ? `, model_version=${quoted(version)}` : ''}${Object.keys(wishes).length ? `, parameters=${python(wishes)}` : ''}${r.key ? `, headers={"authorization": "Bearer " + os.environ["${variable}"]}` : ''})`;
  const head = [
    '# pip install "tritonclient[http]"',
    ...(r.body && !(r.input.body && r.name) ? [] : ['import json', ...(r.key ? [] : [''])]),
    ...(r.key ? ['import os', ''] : []),
    'import numpy as np', 'import tritonclient.http as triton  # or .grpc, at the gRPC address',
    ...(r.input.body ? ['from tritonclient.utils import triton_to_np_dtype'] : []), '',
    `client = triton.InferenceServerClient(${quoted(host)}${protocol === 'https:' ? ', ssl=True' : ''})`,
  ];
  const shown = ['for output in answer.get_response()["outputs"]:', '    print(output["name"], answer.as_numpy(output["name"]).tolist())'];
  if (!r.body) {
    return [...head, 'inputs = [triton.InferInput("image", [1, 1], "BYTES")]', `with open(${quoted(r.name)}, "rb") as file:`,
      '    inputs[0].set_data_from_numpy(np.array([[file.read()]], dtype=np.object_))', ask(`${r.model.name}.image`),
      'print(json.dumps(json.loads(answer.as_numpy("json").item()), indent=2))'].join('\n');
  }
  if (r.input.row) {
    const [into] = r.model.inputs;
    const columns = r.model.columns.map((c) => c.name);
    const values = Array.isArray(r.input.row) ? r.input.row : columns.map((c) => r.input.row[c]);
    const shape = [...(r.model.max_batch_size > 0 ? [1] : []), ...into.shape.map((d) => (d < 0 ? (into.shape.length === 1 ? columns.length : 1) : d))];
    const where = `[${shape.join(', ')}]`;
    return [...head, `# ${columns.join(', ')}`.slice(0, 160), `row = np.array(${python(values)}, dtype=np.${dtype(into.datatype)}).reshape(${where})`,
      `inputs = [triton.InferInput(${quoted(into.name)}, ${where}, "${into.datatype}")]`, 'inputs[0].set_data_from_numpy(row)', ask(r.model.name), ...shown]
      .join('\n');
  }
  return [...head, ...(r.name ? [`with open(${quoted(r.name)}) as file:`, '    body = json.load(file)'] : [`body = ${python(r.body)}`]),
    'inputs = []', 'for tensor in body["inputs"]:',
    '    inputs.append(triton.InferInput(tensor["name"], tensor["shape"], tensor["datatype"]))',
    '    data = np.array(tensor["data"], dtype=triton_to_np_dtype(tensor["datatype"]))',
    '    inputs[-1].set_data_from_numpy(data.reshape(tensor["shape"]))', ask(r.model.name), ...shown].join('\n');
}

/** The name in NumPy of a datatype of KServe v2, for numbers. */
const dtype = (name) => ({ FP: 'float', INT: 'int', UINT: 'uint' }[name.replace(/\d+$/, '')] || 'bool') + (/\d+$/.exec(name)?.[0] || '_');

const panels = new WeakMap(); // element -> Panel

/** Shows the snippets with a tab for each language and a button that copies. Called again for the same element, it shows the new request. */
export function panel(place, model, input, options, fileName) {
  if (!panels.has(place)) panels.set(place, new Panel(place));
  panels.get(place).show(snippets(model, input, options, fileName));
}

const key = 'triton-gateway:language';

/** The language that the visitor chose last; a browser may keep nothing. */
function chosen() { try { return localStorage.getItem(key); } catch { return null; } }
function choose(language) { try { localStorage.setItem(key, language); } catch { /* until the page is closed, then */ } }

class Panel {
  #all = [];

  #language = chosen() || 'curl';

  constructor(place) {
    const id = unique('snippet');
    this.tabs = make('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Language' });
    this.code = make('pre', { id, tabIndex: 0, class: 'snippet', role: 'tabpanel' });
    this.copy = button('Copy', async () => {
      this.copy.textContent = await copy(this.code.textContent, this.code);
      setTimeout(() => { this.copy.textContent = 'Copy'; }, 1500);
    });
    this.file = make('p', { class: 'hint', hidden: true });
    this.tabs.style.margin = '0 0 .5rem';
    this.tabs.addEventListener('keydown', (e) => this.#move(e));
    place.replaceChildren(this.tabs, make('div', { class: 'code' }, this.code, this.copy), this.file);
  }

  show(all) {
    this.#all = all;
    if (this.tabs.children.length !== all.length) {
      this.tabs.replaceChildren(...all.map(({ language }) => button(language, () => this.#choose(language), { id: unique('tab'), role: 'tab', 'aria-controls': this.code.id, 'data-language': language })));
    }
    this.#fill();
  }

  #choose(language) {
    this.#language = language;
    choose(language);
    this.#fill();
  }

  #fill() {
    const now = this.#all.find((s) => s.language === this.#language) || this.#all[0];
    for (const tab of this.tabs.children) {
      const open = tab.dataset.language === now.language;
      tab.setAttribute('aria-selected', String(open));
      tab.tabIndex = open ? 0 : -1;
      if (open) this.code.setAttribute('aria-labelledby', tab.id);
    }
    this.code.textContent = now.text;
    this.code.style.whiteSpace = now.language === 'curl' ? '' : 'pre'; // a program keeps its lines
    this.code.dataset.language = now.language;
    this.file.hidden = !now.file;
    if (now.file) this.file.replaceChildren(`It reads ${now.file.name}. `, button(`Save ${now.file.name}`, () => save(new Blob([now.file.text], { type: 'application/json' }), now.file.name)));
  }

  /** Arrows, Home and End go from tab to tab. */
  #move(e) {
    const tabs = [...this.tabs.children];
    const at = tabs.indexOf(e.target);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[e.key];
    if (at < 0 || next === undefined) return;
    e.preventDefault();
    const tab = tabs[(next + tabs.length) % tabs.length];
    tab.focus();
    this.#choose(tab.dataset.language);
  }
}
