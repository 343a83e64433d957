// The picture and what was found on it.

const longest = 1280; // pixels of the drawing's longer side

/** A color for a class, the same each time. */
export const colorOf = (index) => `hsl(${(index * 67 + 212) % 360} 70% 40%)`;

/** Reads a picture as a person sees it, EXIF applied. */
export const read = (blob) => createImageBitmap(blob, { imageOrientation: 'from-image' });

/** Draws the picture, and the boxes of detections, whose coordinates are pixels of a picture of the given size. */
export function draw(canvas, bitmap, size, detections = []) {
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const up = Math.max(1, Math.floor(320 / Math.max(bitmap.width, bitmap.height))); // tiny pictures are shown larger
  canvas.width = Math.max(1, Math.round(bitmap.width * scale * up));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale * up));
  const g = canvas.getContext('2d');
  g.imageSmoothingEnabled = up === 1;
  g.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const fx = canvas.width / (size?.width || bitmap.width);
  const fy = canvas.height / (size?.height || bitmap.height);
  const unit = Math.max(canvas.width, canvas.height) / 320;
  g.lineWidth = 2 * unit;
  g.font = `600 ${11 * unit}px system-ui, sans-serif`;
  g.textBaseline = 'top';
  for (const d of [...detections].reverse()) { // the surest on top
    const [x, y] = [d.box.x1 * fx, d.box.y1 * fy];
    const [w, h] = [(d.box.x2 - d.box.x1) * fx, (d.box.y2 - d.box.y1) * fy];
    g.strokeStyle = g.fillStyle = colorOf(d.index);
    g.strokeRect(x, y, w, h);
    const text = `${d.label} ${(d.score * 100).toFixed(0)}%`;
    const [tw, th] = [g.measureText(text).width + 8 * unit, 16 * unit];
    const tx = Math.max(0, Math.min(x - g.lineWidth / 2, canvas.width - tw));
    const ty = y >= th ? y - th : y;
    g.fillRect(tx, ty, tw, th);
    g.fillStyle = '#fff';
    g.fillText(text, tx + 4 * unit, ty + 2.5 * unit);
  }
}
