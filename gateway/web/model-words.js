// What a model does with its input and output, in words and as task.yaml would say it.

const samplers = { nearest: 'nearest neighbour', bilinear: 'bilinear', bicubic: 'bicubic', lanczos: 'Lanczos', box: 'box', hamming: 'Hamming', linear: 'linear', cubic: 'cubic', area: 'area' };
const libraries = { pil: "Pillow's", cv2: "OpenCV's" };

/** pil-bilinear as "Pillow's bilinear". */
function sampler(name = '') {
  const [library, method] = name.split('-');
  return method ? `${libraries[library] || library} ${samplers[method] || method}` : 'the default';
}

/** 0.003921 as 1/255, where it is such a fraction. */
export function fraction(x) {
  for (const d of [1, 255, 127.5, 256, 128]) {
    const n = x * d;
    if (n >= 1 && n <= 1000 && Math.abs(n - Math.round(n)) < 1e-6) return d === 1 ? String(Math.round(n)) : `${Math.round(n)}/${d}`;
  }
  return String(x);
}

const by = ([height, width]) => `${width} × ${height}`;
const rounded = (x) => String(Math.round(x * 1000) / 1000);
const each = (list, i) => (list?.length ? list[list.length === 1 ? 0 : i] : undefined);

const resizing = {
  stretch: (r) => `Stretched to ${by(r.size)} pixels, whatever its shape, with ${sampler(r.resample)}.`,
  'shortest-edge': (r) => `Resized so that its short edge is ${r.size[0]} pixels, with ${sampler(r.resample)}.`,
  'longest-edge': (r) => `Resized so that its long edge is ${r.size[0]} pixels, with ${sampler(r.resample)}${r.pad === undefined ? '' : `; right and below filled up with gray ${r.pad}`}.`,
  letterbox: (r) => `Fitted into ${by(r.size)} pixels with its shape kept, with ${sampler(r.resample)}; the rest is gray ${r.pad ?? 114}.`,
  none: () => 'Taken in its own size.',
};

/** What happens to a picture, step by step. */
export function preprocessing(p) {
  const steps = [p.exif === 'ignore' ? 'Taken as stored: its EXIF orientation is ignored.' : 'Turned upright by its EXIF orientation.'];
  if (p.decode === 'fast') steps.push('A JPEG that is much larger than needed is decoded at a fraction of its size.');
  if (p.resize) steps.push((resizing[p.resize.mode] || (() => `Resized: ${p.resize.mode}.`))(p.resize));
  if (p.crop) steps.push(`Cut to ${by(p.crop)} pixels in the middle.`);
  steps.push({ BGR: 'Its colours are put in the order blue, green, red.', GRAY: 'Made gray.' }[p.color] || 'Its colours stay in the order red, green, blue.');
  if (p.dtype === 'UINT8') steps.push('Values stay from 0 to 255.');
  else steps.push(...scaling(p));
  steps.push(`Handed to the model as ${p.dtype} in the layout ${p.layout}.`);
  return steps;
}

function scaling(p) {
  const channels = p.color === 'GRAY' ? 1 : 3;
  const parts = [];
  if (p.scale !== 1) parts.push(`multiplied by ${fraction(p.scale)}`);
  if (p.mean?.some((x) => x !== 0)) parts.push(`less the mean ${p.mean.map(rounded).join(', ')}`);
  if (p.std?.some((x) => x !== 1)) parts.push(`divided by ${p.std.map(rounded).join(', ')}`);
  if (parts.length === 0) return ['Values stay from 0 to 255.'];
  const ends = Array.from({ length: channels }, (_, i) => [0, 255].map((v) => (v * p.scale - (each(p.mean, i) ?? 0)) / (each(p.std, i) ?? 1))).flat();
  return [`Each value is ${parts.join(', ')}: they reach from ${rounded(Math.min(...ends))} to ${rounded(Math.max(...ends))}.`];
}

const number = (x) => (Number.isInteger(x) ? String(x) : rounded(x));

/** How the tensors become the answer. */
export function postprocessing(m) {
  const p = m.postprocess || {};
  const from = p.output ? ` of the output ${p.output}` : '';
  const steps = [];
  if (m.task === 'object-detection') {
    steps.push(`Boxes are read out${from}${p.head ? `, laid out as ${p.head}` : ''}.`);
    if (p.confidence !== undefined) steps.push(`Boxes that score ${number(p.confidence)} or less are left out (option confidence).`);
    if (p.iou !== undefined) steps.push(`Of two boxes of a class that overlap by more than ${number(p.iou)}, the weaker is dropped (option iou).`);
    if (p.max_detections) steps.push(`At most ${p.max_detections} boxes are given (option max_detections).`);
    steps.push('Boxes are given in pixels of the picture as a person sees it.');
    return steps;
  }
  if (m.task?.endsWith('classification')) {
    steps.push({ softmax: `Scores are the softmax${from}: they add up to 1.`, sigmoid: `Scores are the sigmoid${from}: each stands for itself.` }[p.activation] || `Scores are the values${from} as they are.`);
    steps.push(`The best ${p.top_k || 5} labels are given (option top_k).`);
    return steps;
  }
  if (m.task === 'tabular-regression') return [`The value${from} is the answer.`];
  if (m.task === 'image-feature-extraction') return [`The numbers${from} are the embedding.`];
  if (m.task === 'image-segmentation') return [`Each pixel gets the label that scores highest${from}.`];
  if (m.task === 'raw') return ['The output tensors are given as they are.'];
  return [];
}

const flow = (entries) => `{${entries.filter(([, v]) => v !== undefined && v !== '').map(([k, v]) => `${k}: ${v}`).join(', ')}}`;
const list = (values) => `[${values.join(', ')}]`;

/** The effective settings, as a task.yaml would say them; long columns are left out. */
export function yaml(m) {
  const p = m.preprocess;
  const o = m.postprocess || {};
  const lines = [`task: ${m.task}`];
  const columns = m.columns?.length ? list(m.columns.slice(0, 12).map((c) => c.name).concat(m.columns.length > 12 ? [`... ${m.columns.length - 12} more`] : [])) : undefined;
  const input = flow([['name', m.inputs?.[0]?.name], ['layout', p?.layout], ['dtype', p?.dtype || (columns && m.inputs?.[0]?.datatype)], ['color', p?.color], ['columns', columns]]);
  if (p || columns) lines.push(`input: ${input}`);
  if (p) {
    lines.push('preprocess:');
    if (p.resize) lines.push(`  resize: ${flow([['mode', p.resize.mode], ['size', p.resize.size?.[0] ? list(p.resize.size) : undefined], ['resample', p.resize.resample], ['pad', p.resize.pad]])}`);
    if (p.crop) lines.push(`  crop: {size: ${list(p.crop)}}`);
    lines.push(`  scale: ${fraction(p.scale)}`);
    if (p.mean) lines.push(`  mean: ${list(p.mean)}`);
    if (p.std) lines.push(`  std: ${list(p.std)}`);
    lines.push(`  exif: ${p.exif}`, `  decode: ${p.decode}`);
  }
  const output = flow([['name', o.output], ['activation', o.activation], ['head', o.head], ['top_k', o.top_k || undefined], ['confidence', o.confidence], ['iou', o.iou], ['max_detections', o.max_detections || undefined]]);
  if (output !== '{}') lines.push(`output: ${output}`);
  if (m.labels?.length) lines.push(`labels: ${m.labels.length <= 12 ? list(m.labels) : `... ${m.labels.length} of them`}`);
  return lines.join('\n');
}
