// Waits for a gateway or a backend that is away, and says when it is back.

const first = 1000; // milliseconds before the first try
const longest = 10_000;
const every = 15_000; // between looks at a gateway that was well

export class Recovery {
  running = false;

  #wake = () => {};

  /** check resolves when all is well; waiting(text) says what happens; back() is called once it is well again. */
  constructor({ check, waiting, back }) {
    Object.assign(this, { check, waiting, back });
    addEventListener('online', () => this.now());
  }

  /** Tries again now. */
  now() { this.#wake(); }

  /** Tries until all is well: first soon, then less and less often. */
  async start() {
    if (this.running) return;
    this.running = true;
    for (let pause = first; ; pause = Math.min(pause * 1.5, longest)) {
      await this.#pause(pause);
      this.waiting('Trying again…');
      try {
        await this.check();
        this.running = false;
        await this.back();
        return;
      } catch {
        this.running = true; // still away, or away again
      }
    }
  }

  /** Looks at a gateway that is well from time to time, while somebody looks at the page; lost(problem) is called when it no longer is. */
  watch(lost) {
    setInterval(async () => {
      if (this.running || document.visibilityState !== 'visible') return;
      try {
        await this.check();
      } catch (e) {
        if (e.away) lost(e);
      }
    }, every);
  }

  /** Waits, with a countdown, unless somebody does not want to. */
  async #pause(length) {
    const until = performance.now() + length;
    let awake = false;
    this.#wake = () => { awake = true; };
    while (!awake && performance.now() < until) {
      this.waiting(`This page goes on by itself. Next try in ${Math.ceil((until - performance.now()) / 1000)} s.`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, Math.min(1000, until - performance.now()));
        this.#wake = () => { awake = true; clearTimeout(timer); resolve(); };
      });
    }
  }
}
