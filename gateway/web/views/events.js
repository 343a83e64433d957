// Server-sent events by fetch: an EventSource cannot send a key. The format is that of HTML's chapter on them.

/** Cuts text that comes in pieces into lines, which end in CR, LF or both. feed gives those that are whole. */
class Lines {
  #rest = '';

  #cr = false; // the piece before ended in CR: an LF at the beginning belongs to it

  feed(text) {
    const rest = this.#cr && text.startsWith('\n') ? text.slice(1) : text;
    if (text) this.#cr = rest.endsWith('\r');
    const lines = (this.#rest + rest).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    return lines;
  }
}

/** Reads the events of a body: {event, data, id, retry} of each; what is not given is undefined. An event that is not ended is left out. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const lines = new Lines();
  let now = { data: [] };
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const line of lines.feed(value)) {
        if (line === '') {
          if (now.data.length) yield { event: now.event || 'message', data: now.data.join('\n'), id: now.id, retry: now.retry };
          now = { data: [] };
          continue;
        }
        const [, name, text] = /^([^:]*):? ?(.*)$/s.exec(line);
        if (name === 'data') now.data.push(text);
        else if (name === 'event' || name === 'id') now[name] = text;
        else if (name === 'retry' && /^\d+$/.test(text)) now.retry = Number(text);
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it may be broken already
  }
}
