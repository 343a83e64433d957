// What is drawn on pictures: colors, boxes, labels and masks.

/** A color for a class, the same each time; neighbours differ (golden angle). */
export const colorOf = (index) => `hsl(${hue(index)} 78% ${light(index)}%)`;

/** The color of text on colorOf. */
export const inkOn = (index) => (light(index) < 50 ? '#fff' : '#0b1017');

const hue = (index) => Math.round(index * 137.508 + 212) % 360;
const light = (index) => (hue(index) > 205 || hue(index) < 20 ? 44 : 52); // yellow and green are bright: dark text on them

/** Reads a picture as a person sees it, EXIF applied. */
export const read = (blob) => createImageBitmap(blob, { imageOrientation: 'from-image' });

/** The things of a document that have a place on the picture: [{label, index, score, box?}], and whether they are masks. */
export const things = (document) => document?.detections || document?.segments || [];

/**
 * Draws boxes with their labels. at turns coordinates of the document into those of the canvas: {x, y, fx, fy}; unit is the size of a
 * CSS pixel; lit is the box that stands out, or null.
 */
export function boxes(g, detections, at, unit, lit, bounds) {
  const order = detections.map((_, i) => i).reverse(); // the surest on top, and the lit one on top of all
  if (lit !== null && detections[lit]) order.push(...order.splice(order.indexOf(lit), 1));
  for (const i of order) {
    const d = detections[i];
    if (!d.box) continue;
    const x = at.x + d.box.x1 * at.fx;
    const y = at.y + d.box.y1 * at.fy;
    const w = (d.box.x2 - d.box.x1) * at.fx;
    const h = (d.box.y2 - d.box.y1) * at.fy;
    const faded = lit !== null && lit !== i;
    g.globalAlpha = faded ? 0.35 : 1;
    g.lineJoin = 'round';
    g.strokeStyle = 'rgb(0 0 0 / 55%)'; // a halo, so that the line stands out on any picture
    g.lineWidth = (lit === i ? 5.5 : 4) * unit;
    g.strokeRect(x, y, w, h);
    g.strokeStyle = colorOf(d.index);
    g.lineWidth = (lit === i ? 3.5 : 2) * unit;
    g.strokeRect(x, y, w, h);
    if (lit === i) {
      g.globalAlpha = 0.14;
      g.fillStyle = colorOf(d.index);
      g.fillRect(x, y, w, h);
      g.globalAlpha = 1;
    }
    if (!faded) tag(g, `${d.label} ${(d.score * 100).toFixed(0)}%`, d.index, x, y, unit, bounds);
  }
  g.globalAlpha = 1;
}

/** One label above a point, inside the bounds {width, height} whatever its box does. */
export function tag(g, text, index, x, y, unit, bounds) {
  g.font = `600 ${12 * unit}px system-ui, sans-serif`;
  g.textBaseline = 'middle';
  const w = g.measureText(text).width + 10 * unit;
  const h = 18 * unit;
  const left = Math.max(0, Math.min(x - unit, bounds.width - w));
  const top = Math.max(0, Math.min(y >= h ? y - h - unit : y + unit, bounds.height - h));
  g.fillStyle = colorOf(index);
  g.beginPath();
  g.roundRect(left, top, w, h, 3 * unit);
  g.fill();
  g.fillStyle = inkOn(index);
  g.fillText(text, left + 5 * unit, top + h / 2 + 0.5 * unit);
}

const most = 4_000_000; // pixels of a map of masks; larger ones are kept at a fraction of the size

/**
 * Reads the masks of segments into one map: of each pixel, the number of its segment + 1, or 0. Masks are run lengths as COCO has them
 * ({size: [height, width], counts}) or a PNG in base64, whose bright pixels are inside. Gives null where there is none.
 */
export async function masks(segments) {
  const sized = segments.find((s) => s.mask?.size);
  const pictures = await Promise.all(segments.map((s) => (typeof s.mask === 'string' ? png(s.mask) : null)));
  const first = pictures.find(Boolean);
  if (!sized && !first) return null;
  const [height, width] = sized ? sized.mask.size : [first.height, first.width];
  let step = 1;
  while (Math.ceil(width / step) * Math.ceil(height / step) > most) step++;
  const map = { width: Math.ceil(width / step), height: Math.ceil(height / step), step, of: null };
  map.of = new Uint16Array(map.width * map.height);
  segments.forEach((s, i) => {
    if (pictures[i]) fromPicture(map, pictures[i], i + 1);
    else if (s.mask?.counts) fromRuns(map, s.mask, i + 1);
  });
  return map;
}

function fromRuns(map, { size: [height, width], counts }, mark) {
  let at = 0;
  for (let r = 0; r < counts.length; r++) {
    const end = Math.min(at + counts[r], width * height);
    for (let p = at; r % 2 === 1 && p < end; p++) {
      const x = Math.floor(p / height);
      const y = p - x * height;
      if (x % map.step === 0 && y % map.step === 0) map.of[(y / map.step) * map.width + x / map.step] = mark;
    }
    at = end;
  }
}

async function png(text) {
  const data = Uint8Array.from(atob(text.replace(/^data:[^,]*,/, '')), (c) => c.charCodeAt(0));
  return createImageBitmap(new Blob([data], { type: 'image/png' }));
}

function fromPicture(map, bitmap, mark) {
  const canvas = new OffscreenCanvas(map.width, map.height);
  const g = canvas.getContext('2d');
  g.imageSmoothingEnabled = false;
  g.drawImage(bitmap, 0, 0, map.width, map.height);
  const { data } = g.getImageData(0, 0, map.width, map.height);
  for (let i = 0; i < map.of.length; i++) if (data[i * 4] > 127 && data[i * 4 + 3] > 127) map.of[i] = mark;
}

/** Paints a map of masks as a canvas of its size: each segment in its class's color, the lit one stronger. */
export function paint(map, segments, lit) {
  const canvas = new OffscreenCanvas(map.width, map.height);
  const g = canvas.getContext('2d');
  const colors = segments.map((s) => rgb(g, colorOf(s.index)));
  const image = g.createImageData(map.width, map.height);
  const pixels = new Uint32Array(image.data.buffer);
  const tints = [0, ...colors.map((c, i) => c | ((lit === null ? 128 : lit === i ? 190 : 40) << 24))];
  for (let i = 0; i < map.of.length; i++) pixels[i] = tints[map.of[i]];
  g.putImageData(image, 0, 0);
  return canvas;
}

/** A CSS color as 0x00BBGGRR, which is what a Uint32Array over RGBA bytes holds. */
function rgb(g, color) {
  g.fillStyle = color;
  g.fillRect(0, 0, 1, 1);
  const [r, gr, b] = g.getImageData(0, 0, 1, 1).data;
  return r | (gr << 8) | (b << 16);
}
