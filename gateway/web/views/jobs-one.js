// The page of one job, or of several that were handed in together: where it is, what was answered, and what can be done about it.

import { ask } from '../api.js';
import { make, button, save } from '../dom.js';
import { csv, jsonLines } from './jobs-export.js';
import { Items } from './jobs-items.js';
import { isFinal, jobPath, watch } from './jobs-watch.js';
import { badge, moment, plural, span, whatToDo, word } from './jobs-words.js';

const atOnce = 3; // jobs that are watched at a time: a browser has six connections to a server over HTTP/1.1

export class One {
  #watches = new Map(); // id -> watch

  #frame = 0;

  #lost = new Set(); // ids of the jobs whose events are gone for now

  #said = ''; // what was last read out

  constructor(place, app, ids) {
    this.app = app;
    this.jobs = [...new Set(ids)].map((id) => ({ id, doc: null, items: new Map(), over: false }));
    this.title = make('h2', { class: 'job-title' });
    this.problem = make('div', { class: 'job-problem', hidden: true });
    this.bar = make('progress', { max: 1, 'aria-label': 'Progress' });
    this.count = make('p', { class: 'count' });
    this.note = make('p', { class: 'hint note', role: 'status' });
    this.facts = make('dl', { class: 'facts' });
    this.parts = make('details', { class: 'parts', hidden: true });
    this.cancel = button('Cancel', () => this.#change((j) => !isFinal(j.state), 'DELETE', ''), { class: 'danger' });
    this.retry = button('Retry', () => this.#change((j) => ['failed', 'cancelled', 'expired'].includes(j.state), 'POST', '/retry'));
    this.lines = button('Save as JSON lines', () => save(new Blob([jsonLines(this.answered())], { type: 'application/jsonl' }), `${this.#name()}.jsonl`));
    this.csv = button('Save as CSV', () => save(new Blob(['\uFEFF', csv(this.answered())], { type: 'text/csv' }), `${this.#name()}.csv`));
    const results = make('section', { class: 'card', 'aria-label': 'Answers' });
    place.replaceChildren(make('div', { class: 'jobs' },
      make('section', { class: 'card job', 'aria-label': 'Job' }, make('a', { href: '#jobs', class: 'back' }, '← All jobs'), this.title, this.bar, this.count, this.note, this.problem, this.facts,
        make('div', { class: 'buttons' }, this.cancel, this.retry, this.lines, this.csv), this.parts),
      results));
    this.items = new Items(results);
    this.#watch();
    this.#draw();
  }

  #name() { return `${this.jobs[0].doc?.model ?? 'job'}-${this.jobs[0].id.slice(-8)}`; }

  /** Watches as many of the jobs as may be, the first ones first. */
  #watch() {
    for (const job of this.jobs) {
      if (this.#watches.size >= atOnce) return;
      if (job.over || this.#watches.has(job.id)) continue;
      this.#watches.set(job.id, watch(job.id, {
        job: (doc, early) => {
          job.doc = doc;
          if (!early && isFinal(doc.state)) this.#over(job);
          this.#soon();
        },
        item: (item) => {
          job.items.set(item.index, { ...item, job: job.id });
          this.items.changed(job, item.index);
          if (job.doc) job.doc.progress = { ...job.doc.progress, done: Math.max(job.doc.progress.done, item.done) };
          this.#soon();
        },
        lost: (yes) => {
          this.#lost[yes ? 'add' : 'delete'](job.id);
          this.#soon();
        },
        problem: (problem) => {
          job.problem = problem;
          this.#over(job);
          this.#soon();
        },
      }));
    }
  }

  #over(job) {
    job.over = true;
    this.#lost.delete(job.id);
    this.#watches.get(job.id)?.stop();
    this.#watches.delete(job.id);
    this.#watch();
  }

  #soon() { this.#frame ||= requestAnimationFrame(() => this.#draw()); }

  #draw() {
    this.#frame = 0;
    const docs = this.jobs.map((j) => j.doc).filter(Boolean);
    const gone = this.jobs.filter((j) => j.problem);
    const done = docs.reduce((n, d) => n + d.progress.done, 0);
    const total = docs.reduce((n, d) => n + d.progress.total, 0);
    const failed = this.jobs.reduce((n, j) => n + Math.max(j.doc?.progress.failed ?? 0, [...j.items.values()].filter((i) => i.error).length), 0);
    const single = this.jobs.length === 1 ? docs[0] : null;
    this.title.replaceChildren(docs[0]?.model ?? (gone.length ? 'No such job' : 'Job'), docs[0]?.version ? ` ${docs[0].version}` : '', ' ', single ? badge(single) : this.jobs.length > 1 ? make('span', { class: 'badge' }, plural(this.jobs.length, 'job')) : '');
    this.bar.hidden = this.count.hidden = total === 0;
    if (total) { this.bar.max = total; this.bar.value = done; }
    this.count.textContent = `${done.toLocaleString()} of ${plural(total, 'item')} done${failed ? `, ${failed.toLocaleString()} failed` : ''}`;
    this.note.textContent = this.#note(single);
    this.#problems(docs, gone);
    this.facts.replaceChildren(...(single ? facts(single) : []));
    this.#parts();
    this.cancel.hidden = !docs.some((d) => !isFinal(d.state));
    this.cancel.disabled = docs.every((d) => isFinal(d.state) || d.cancelling);
    this.retry.hidden = !docs.some((d) => ['failed', 'cancelled', 'expired'].includes(d.state));
    this.lines.hidden = this.csv.hidden = total === 0;
    this.lines.disabled = this.csv.disabled = done === 0 && docs.some((d) => !isFinal(d.state));
    this.items.show(this.jobs);
    this.#say(docs, done, total, failed);
  }

  #note(single) {
    if (this.#lost.size) return 'The connection is lost; it goes on by itself where it was.';
    if (!single || single.state !== 'queued') return '';
    if (single.run_at && Date.parse(single.run_at) > Date.now()) return `It starts in ${span((Date.parse(single.run_at) - Date.now()) / 1000)}.`;
    const before = single.position ? `${plural(single.position, 'job')} before it` : 'it is the next one';
    return `It waits: ${before}${single.estimate_seconds === undefined ? '' : `; done in about ${span(single.estimate_seconds)}`}.`;
  }

  #problems(docs, gone) {
    const all = [...gone.map((j) => j.problem), ...docs.filter((d) => d.error).map((d) => ({ ...d.error, poison: d.poison, state: d.state }))].slice(0, 5);
    this.problem.hidden = all.length === 0;
    this.problem.className = `job-problem problem${all.every((p) => p.state && !isFinal(p.state)) ? ' soft' : ''}`;
    this.problem.replaceChildren(...all.map((p) => make('div', {},
      make('p', {}, make('b', {}, p.state && !isFinal(p.state) ? 'The last attempt failed. ' : ''), p.detail || p.message || p.title),
      make('p', {}, p.poison ? 'The input itself is at fault; no attempt can succeed.' : p.status === 404 ? 'Jobs are deleted some time after their end; the form that hands in says when.' : whatToDo(p)),
      make('small', {}, [p.code, p.request_id && `request ${p.request_id}`].filter(Boolean).join(', ')))));
  }

  #parts() {
    this.parts.hidden = this.jobs.length < 2;
    if (this.parts.hidden) return;
    this.parts.replaceChildren(make('summary', {}, `The ${this.jobs.length} jobs`), make('ul', {}, ...this.jobs.map((j) => make('li', {},
      make('a', { href: `#jobs/${j.id}` }, `…${j.id.slice(-8)}`), ' ', j.doc ? badge(j.doc) : '', j.doc ? ` ${j.doc.progress.done}/${j.doc.progress.total}` : ''))));
  }

  /** Has the end read out, and each quarter on the way. */
  #say(docs, done, total, failed) {
    let text = '';
    if (docs.length === this.jobs.length && this.jobs.every((j) => j.over)) text = docs.length === 1 ? `The job is ${word(docs[0].state)}: ${this.count.textContent}.` : `All jobs have ended: ${this.count.textContent}.`;
    else if (total > 3 && done) text = `${Math.floor((4 * done) / total) * 25} percent done${failed ? `, ${failed} failed` : ''}.`;
    if (text && text !== this.#said && !text.startsWith('0 ')) { this.#said = text; this.app.say(text); }
  }

  /** Asks for a change of all jobs that it fits, and watches them again. */
  async #change(fits, method, path) {
    this.app.fail(null);
    for (const job of this.jobs.filter((j) => j.doc && fits(j.doc))) {
      try {
        job.doc = await (await ask(jobPath(job.id) + path, { method })).json();
        if (!isFinal(job.doc.state) && job.over) {
          job.over = false;
          for (const [index, item] of job.items) if (item.error) job.items.delete(index);
          this.items.changed(job);
        }
      } catch (e) {
        if (e.status !== 409) this.app.fail(e); // it has ended meanwhile: the page shows how
      }
    }
    this.#watch();
    this.#draw();
    for (const b of [this.cancel, this.retry, this.lines]) if (!b.hidden && !b.disabled) { b.focus(); break; }
  }

  /** What there is, in the order of the items: {name, job, index, result | error}. Items of a job that ended without answering them have its error. */
  answered() {
    return this.jobs.flatMap((j) => {
      const all = [];
      for (let index = 0; index < (j.doc?.progress.total ?? 0); index++) {
        const item = j.items.get(index);
        if (item) all.push({ ...item, name: item.name ?? j.doc.names?.[index] });
        else if (j.over) all.push({ name: j.doc.names?.[index], job: j.id, index, error: { code: j.doc.error?.code ?? j.doc.state, detail: j.doc.error?.detail ?? `the job is ${word(j.doc.state)}` } });
      }
      return all;
    });
  }

  leave() {
    cancelAnimationFrame(this.#frame);
    this.#watches.forEach((w) => w.stop());
    this.items.leave();
  }
}

/** What is known of a job, as terms and descriptions. */
function facts(d) {
  const wait = d.started_at && (Date.parse(d.started_at) - Date.parse(d.created_at)) / 1000;
  const run = d.started_at && d.finished_at && (Date.parse(d.finished_at) - Date.parse(d.started_at)) / 1000;
  return [
    ['Priority', d.priority], ['Failed attempts', d.attempts ? String(d.attempts) : ''], ['Handed in', moment(d.created_at)], ['Not before', d.run_at && moment(d.run_at)],
    ['Started', d.started_at && make('span', {}, moment(d.started_at), wait >= 1 ? `, after ${span(wait)}` : '')], ['Ended', d.finished_at && make('span', {}, moment(d.finished_at), run ? `, after ${span(run)}` : '')],
    ['To be done by', d.deadline && moment(d.deadline)], ['Kept until', d.expires_at && moment(d.expires_at)], ['Id', make('code', {}, d.id)],
  ].filter(([, value]) => value).map(([term, value]) => make('div', {}, make('dt', {}, term), make('dd', {}, value)));
}
