// What was answered, as files: JSON lines and CSV.

/** One line for each item, as `triton-gateway jobs get -o answers.jsonl` writes it: {file, job, index, result | error}. */
export const jsonLines = (items) => items.map((i) => `${JSON.stringify({ file: i.name || undefined, job: i.job, index: i.index, result: i.result, error: i.error })}\n`).join('');

const columns = ['file', 'job', 'index', 'version', 'rank', 'label', 'score', 'x1', 'y1', 'x2', 'y2', 'area', 'value', 'error'];

/** One line for each label, box, segment or value of each item; columns that no line fills are left out. */
export function csv(items) {
  const lines = items.flatMap(linesOf);
  const used = columns.filter((c) => c === 'file' || c === 'index' || lines.some((l) => l[c] !== undefined));
  return [used, ...lines.map((l) => used.map((c) => l[c]))].map((fields) => `${fields.map(cell).join(',')}\r\n`).join('');
}

function linesOf(item) {
  const base = { file: item.name || '', job: item.job, index: item.index, version: item.result?.version };
  const d = item.result;
  if (!d) return [{ ...base, error: item.error ? item.error.detail || item.error.code : 'no answer' }];
  const ranked = (list, more) => (list.length ? list.map((p, i) => ({ ...base, rank: i + 1, label: p.label, score: p.score, ...more(p) })) : [base]);
  if (d.predictions) return ranked(d.predictions, () => ({}));
  if (d.detections) return ranked(d.detections, (p) => p.box);
  if (d.segments) return ranked(d.segments, (p) => ({ area: p.area }));
  if (d.values) return d.values.map((value, i) => ({ ...base, rank: i + 1, value }));
  return [{ ...base, value: d.value ?? JSON.stringify(d.embedding ?? d.outputs ?? '') }];
}

/** A field by RFC 4180. Text that a spreadsheet would take for a formula gets a ' before it. */
function cell(value) {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
