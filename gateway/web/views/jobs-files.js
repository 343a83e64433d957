// What can be handed in: files from a picker, a folder or a drop, and how they become jobs.

const kinds = { jpg: 'picture', jpeg: 'picture', png: 'picture', webp: 'picture', zip: 'archive', json: 'json', csv: 'table' };
const mostFiles = 200; // of one job
const mostBytes = 16 << 20; // of one job's pictures

/** What a file is by its name: picture, archive, json, table, or undefined. */
export const kindOf = (name) => kinds[name.slice(name.lastIndexOf('.') + 1).toLowerCase()];

/** The names that a model takes: {picture, archive, json, table: bool}. */
export const taken = (m) => ({ picture: Boolean(m.preprocess), archive: Boolean(m.preprocess), json: true, table: Boolean(m.columns?.length) });

/** Files of an input, with the path below the folder that was picked: [{name, file}]. */
export const fromInput = (list) => [...list].map((file) => ({ name: file.webkitRelativePath || file.name, file }));

/** Files of a drop, with all below its folders: [{name, file}]. */
export async function fromDrop(transfer) {
  const entries = [...transfer.items].filter((i) => i.kind === 'file').map((i) => i.webkitGetAsEntry?.() ?? i.getAsFile()); // before the first wait: the list is empty then
  const found = [];
  const walk = async (entry) => {
    if (!entry) return;
    if (entry instanceof File) found.push({ name: entry.name, file: entry });
    else if (entry.isFile) found.push({ name: entry.fullPath.replace(/^\//, ''), file: await new Promise((resolve, reject) => { entry.file(resolve, reject); }) });
    else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); }); // a hundred at a time
        if (some.length === 0) break;
        for (const e of some) await walk(e);
      }
    }
  };
  for (const entry of entries) await walk(entry);
  return found;
}

/** Sorts files into those that a model takes and those that it does not; hidden files count as neither. JSON beside pictures is about them, and no input. */
export function sift(files, m) {
  const takes = taken(m);
  const seen = files.filter((f) => !f.name.split('/').some((part) => part.startsWith('.') || part === '__MACOSX'));
  if (seen.some((f) => takes[kindOf(f.name)] && kindOf(f.name) !== 'json')) takes.json = false;
  const good = seen.filter((f) => takes[kindOf(f.name)]);
  good.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  return { good, bad: seen.filter((f) => !takes[kindOf(f.name)]) };
}

/** Parts files into jobs: [{kind, files}]. Pictures go together, anything else alone. */
export function parts(files) {
  const all = [];
  let open = null;
  let size = 0;
  for (const f of files) {
    const kind = kindOf(f.name);
    if (kind !== 'picture') {
      all.push({ kind, files: [f] });
    } else if (open && open.files.length < mostFiles && size + f.file.size <= mostBytes) {
      open.files.push(f);
      size += f.file.size;
    } else {
      all.push(open = { kind, files: [f] });
      size = f.file.size;
    }
  }
  return all;
}

/** The body of a part and its media type; the browser writes that of a form itself. Throws an Error in words where a table is none. */
export async function body(part) {
  const [{ name, file }] = part.files;
  switch (part.kind) {
    case 'archive': return { body: file, headers: { 'Content-Type': 'application/zip' } };
    case 'json': return { body: file, headers: { 'Content-Type': 'application/json' } };
    case 'table': return { body: JSON.stringify({ rows: rows(await file.text(), name) }), headers: { 'Content-Type': 'application/json' } };
    default: {
      const form = new FormData();
      for (const f of part.files) form.append('image', f.file, f.name);
      return { body: form, headers: {} };
    }
  }
}

/** Rows of a CSV whose first line names the columns: [{column: number or text}]. Fields may be in quotation marks; see RFC 4180. */
export function rows(text, name) {
  const [head, ...lines] = split(text.replace(/^\uFEFF/, ''));
  if (!head || lines.length === 0) throw new Error(`${name} has no rows: its first line names the columns, and each line below is a row.`);
  return lines.map((fields, i) => {
    if (fields.length !== head.length) throw new Error(`${name}, row ${i + 1}: ${fields.length} fields where the first line names ${head.length} columns.`);
    return Object.fromEntries(fields.map((f, k) => [head[k].trim(), f.trim() !== '' && Number.isFinite(Number(f)) ? Number(f) : f]));
  });
}

/** Lines of fields. */
function split(text) {
  const lines = [];
  let line = [];
  const field = /("(?:[^"]|"")*"|(?:[^",\r\n][^,\r\n]*)?)(,|\r?\n|$)/y;
  while (field.lastIndex < text.length) {
    const at = field.lastIndex; // a failure sets it back
    const found = field.exec(text);
    if (!found) throw new Error(`The table cannot be read near ${JSON.stringify(text.slice(at, at + 20))}`);
    const [, value, end] = found;
    line.push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value);
    if (end !== ',') {
      if (line.length > 1 || line[0] !== '') lines.push(line);
      line = [];
    }
  }
  if (line.length) lines.push([...line, '']); // the text ends behind a comma
  return lines;
}
