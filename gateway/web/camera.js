// The camera, live: a frame is asked about only when the one before it has been answered, so that the latest frame wins.

import { make } from './dom.js';

const longest = 640; // pixels of a frame's longer side

/** Why there is no camera, in words that say what to do. */
function explain(e) {
  const words = {
    NotAllowedError: 'The browser does not allow the camera here. Allow it in the address bar and press Camera again.',
    NotFoundError: 'There is no camera. Connect one, or pick a picture.',
    NotReadableError: 'Another program uses the camera. Close it and press Camera again.',
  };
  return { title: 'No camera', detail: words[e.name] || `The camera does not start: ${e.message}`, code: 'camera' };
}

/**
 * Starts the camera. answer(blob, signal) asks about a frame; drawn() is called for each frame of the video; tell({fps, ms}) after each answer;
 * fail(problem) when an answer fails, which ends it. Gives {video, stop(), freeze()}: freeze stops and gives the last frame as a JPEG.
 */
export async function start({ answer, drawn, tell, fail }) {
  if (!navigator.mediaDevices) {
    throw { title: 'No camera', detail: 'Browsers give the camera only to pages on https or on localhost. Open the gateway that way, or pick a picture.', code: 'camera' };
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: { ideal: 'environment' } } });
  } catch (e) {
    throw explain(e);
  }
  const video = make('video', { muted: true, playsInline: true, srcObject: stream });
  await video.play();
  const stopped = new AbortController();
  const canvas = document.createElement('canvas');

  function grab() {
    const scale = Math.min(1, longest / Math.max(video.videoWidth, video.videoHeight));
    Object.assign(canvas, { width: Math.round(video.videoWidth * scale), height: Math.round(video.videoHeight * scale) });
    canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => { canvas.toBlob(resolve, 'image/jpeg', 0.9); });
  }

  function frame() {
    if (stopped.signal.aborted) return;
    drawn();
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(frame);
    else requestAnimationFrame(frame);
  }

  async function ask() {
    const times = []; // [when, how long] of the last answers, for the rate
    while (!stopped.signal.aborted) {
      const from = performance.now();
      try {
        await answer(await grab(), stopped.signal);
      } catch (e) {
        if (!stopped.signal.aborted && e.name !== 'AbortError') { stop(); fail(e); }
        return;
      }
      const now = performance.now();
      times.push([now, now - from]);
      while (now - times[0][0] > 2000) times.shift();
      const fps = times.length > 1 ? ((times.length - 1) * 1000) / (now - times[0][0]) : 1000 / (now - from);
      if (!stopped.signal.aborted) tell({ fps, ms: times.reduce((sum, [, took]) => sum + took, 0) / times.length });
      await new Promise(requestAnimationFrame); // also: nothing is asked while nobody looks
    }
  }

  function stop() {
    stopped.abort();
    for (const track of stream.getTracks()) track.stop();
  }

  frame();
  ask();
  return { video, stop, freeze: async () => { const blob = await grab(); stop(); return blob; } };
}
