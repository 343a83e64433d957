// How far two answers about the same picture agree.

const percent = (x) => `${(x * 100).toFixed(1)} %`;
const objects = (n) => `${n} ${n === 1 ? 'object' : 'objects'}`;
const enough = 0.5; // IoU from which on two boxes are of the same thing

/** The part that two boxes have in common: intersection over union, 0 to 1. */
export function iou(a, b) {
  const w = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
  const h = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
  if (w <= 0 || h <= 0) return 0;
  const area = (box) => (box.x2 - box.x1) * (box.y2 - box.y1);
  return (w * h) / (area(a) + area(b) - w * h);
}

/**
 * Compares two documents of infer. Gives {level, text, note, rows}: level is 'same', 'part', 'different', or 'none' where they cannot be compared;
 * rows are [{name, left, right, note}], where left and right are shares from 0 to 1, or null where one has nothing.
 */
export function agreement(left, right) {
  if (left.predictions && right.predictions) return labels(left.predictions, right.predictions);
  if (left.detections && right.detections) return boxes(left.detections, right.detections);
  if (left.predictions && right.detections) return mixed(left.predictions, right.detections, 'the left', 'the right');
  if (left.detections && right.predictions) return mixed(right.predictions, left.detections, 'the right', 'the left');
  if (left.segments && right.segments) return segments(left, right);
  if (left.embedding && right.embedding) return vectors(left.embedding, right.embedding);
  return { level: 'none', text: 'Answers of different kinds', note: 'One of them cannot be held against the other.', rows: [] };
}

/** A difference of shares in percentage points. */
function change(x) {
  const points = (Math.abs(x) * 100).toFixed(1);
  return points === '0.0' ? '0' : `${x < 0 ? '−' : '+'}${points}`;
}

function labels(a, b) {
  const score = (list, label) => list.find((p) => p.label === label)?.score ?? null;
  const names = [...new Set([...a, ...b].map((p) => p.label))];
  const rows = names.map((name) => ({ name, left: score(a, name), right: score(b, name) }))
    .map((r) => ({ ...r, note: r.left === null || r.right === null ? 'one answer only' : change(r.right - r.left) }));
  const [x, y] = [a[0], b[0]];
  if (!x || !y) return { level: x || y ? 'different' : 'same', text: x || y ? 'Only one has a label' : 'Neither has a label', note: '', rows };
  if (x.label !== y.label) return { level: 'different', text: `${x.label} against ${y.label}`, note: `The left says ${x.label} with ${percent(x.score)}, the right ${y.label} with ${percent(y.score)}.`, rows };
  return { level: 'same', text: `Both say ${x.label}`, note: `With ${percent(x.score)} and ${percent(y.score)}.`, rows };
}

/** Pairs boxes, the closest first; of the same label before others. */
function pairs(a, b) {
  const all = [];
  a.forEach((x, i) => b.forEach((y, k) => {
    const overlap = iou(x.box, y.box);
    if (overlap >= enough) all.push({ i, k, overlap, same: x.label === y.label });
  }));
  all.sort((p, q) => q.same - p.same || q.overlap - p.overlap);
  const [usedLeft, usedRight] = [new Set(), new Set()];
  return all.filter(({ i, k }) => {
    if (usedLeft.has(i) || usedRight.has(k)) return false;
    usedLeft.add(i);
    usedRight.add(k);
    return true;
  });
}

function boxes(a, b) {
  const found = pairs(a, b);
  const agreed = found.filter((p) => p.same);
  const rows = [
    ...found.map(({ i, k, overlap, same }) => ({ name: same ? a[i].label : `${a[i].label} / ${b[k].label}`, left: a[i].score, right: b[k].score, note: same ? `IoU ${overlap.toFixed(2)}` : 'another label' })),
    ...a.filter((_, i) => !found.some((p) => p.i === i)).map((d) => ({ name: d.label, left: d.score, right: null, note: 'left only' })),
    ...b.filter((_, k) => !found.some((p) => p.k === k)).map((d) => ({ name: d.label, left: null, right: d.score, note: 'right only' })),
  ];
  if (rows.length === 0) return { level: 'same', text: 'Both find nothing', note: '', rows };
  if (agreed.length === rows.length) return { level: 'same', text: `Both find the same ${objects(rows.length)}`, note: `Boxes overlap by ${(agreed.reduce((s, p) => s + p.overlap, 0) / agreed.length).toFixed(2)} (IoU) on average.`, rows };
  return {
    level: agreed.length ? 'part' : 'different', rows,
    text: `${agreed.length} of ${objects(rows.length)} agreed`, note: `The left finds ${a.length}, the right ${b.length}; a pair has the same label and an IoU of at least ${enough}.`,
  };
}

function mixed(predictions, detections, who, other) {
  const best = predictions[0];
  const same = detections.filter((d) => d.label === best?.label);
  if (!best) return { level: 'none', text: 'No label to look for', note: '', rows: [] };
  return {
    level: same.length ? 'same' : 'different', rows: [],
    text: same.length ? `${best.label} in both` : `${best.label} in one only`,
    note: `${who[0].toUpperCase()}${who.slice(1)} says ${best.label} with ${percent(best.score)}; ${other} finds ${objects(detections.length)}${same.length ? `, ${same.length} of them ${best.label}` : ', none of them that'}.`,
  };
}

function segments(left, right) {
  const pixels = (d) => (d.image ? d.image.width * d.image.height : d.segments.reduce((s, x) => s + x.area, 0)) || 1;
  const share = (d, label) => { const all = d.segments.filter((s) => s.label === label); return all.length ? all.reduce((s, x) => s + x.area, 0) / pixels(d) : null; };
  const names = [...new Set([...left.segments, ...right.segments].map((s) => s.label))];
  const rows = names.map((name) => ({ name, left: share(left, name), right: share(right, name) })).map((r) => ({ ...r, note: r.left === null || r.right === null ? 'one only' : '' }));
  const apart = rows.reduce((s, r) => s + Math.abs((r.left || 0) - (r.right || 0)), 0) / 2;
  return { level: apart < 0.01 ? 'same' : apart < 0.2 ? 'part' : 'different', text: `${percent(1 - Math.min(1, apart))} of the areas agree`, note: 'By the share of the picture that each label covers, not by place.', rows };
}

function vectors(a, b) {
  if (a.length !== b.length) return { level: 'none', text: 'Embeddings of different lengths', note: `${a.length} and ${b.length} numbers.`, rows: [] };
  const dot = (x, y) => x.reduce((s, v, i) => s + v * y[i], 0);
  const cosine = dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || 1);
  return { level: cosine > 0.99 ? 'same' : cosine > 0.8 ? 'part' : 'different', text: `Cosine similarity ${cosine.toFixed(3)}`, note: 'It means something only where both models share one space.', rows: [] };
}
