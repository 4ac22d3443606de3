// Saves decisions in order, one request at a time; keeps them and retries if the server does not answer.

import { getDecisions, postDecision } from "./api.js";
import { targetOf } from "./state.js";

const POLL = 2000; // milliseconds between requests for decisions of other windows
const WAITS = [500, 1000, 2000, 4000, 8000]; // milliseconds before each retry

const same = (post, decision) =>
  targetOf(post) === targetOf(decision) &&
  ["attribute", "action", "value", "reviewer"].every((name) => post[name] === decision[name]);

/** Fires `status` if unsaved, error or conflicts changed, and `others` with decisions of other windows as detail. */
export class Saves extends EventTarget {
  constructor(review, storageName) {
    super();
    this.review = review;
    this.storageName = storageName;
    this.queue = [];
    this.conflicts = []; // [{post, current}]: refused, as another window decided the same
    this.window = crypto.randomUUID(); // own decisions are no conflicts
    this.failures = 0;
    this.error = null;
    this.running = false;
    this.wake = () => {};
    addEventListener("beforeunload", (event) => {
      if (this.queue.length) event.preventDefault();
    });
  }

  /** Loads all decisions, resumes what this tab had not saved, and polls. */
  async start() {
    await this.poll();
    const kept = JSON.parse(sessionStorage.getItem(this.storageName) ?? "[]");
    if (kept.length) this.add(kept.map((post) => ({ ...post, retried: true })));
    setInterval(() => {
      if (!this.running) this.#run();
    }, POLL);
  }

  add(posts) {
    this.queue.push(...posts);
    this.review.addPending(posts);
    this.#keep();
    this.#run();
  }

  /** Retries at once. */
  retry() {
    this.wake();
  }

  /** Answers a conflict: sends the own decision again, or leaves the other one. */
  resolve(conflict, isOwn) {
    this.conflicts = this.conflicts.filter((other) => other !== conflict);
    if (isOwn) this.add([{ ...conflict.post, known: conflict.current.sequence }]);
    this.#tell();
  }

  async poll() {
    let answer = await getDecisions(this.review.seen);
    if (answer.sequence < this.review.seen || answer.generation !== (this.generation ?? answer.generation)) {
      this.review.forget(); // the file was replaced
      answer = await getDecisions(0);
    }
    this.generation = answer.generation;
    const added = this.review.addDecisions(answer.decisions);
    this.review.seen = answer.sequence;
    if (added.length) this.dispatchEvent(new CustomEvent("others", { detail: added }));
    return added;
  }

  // Sends the queue, then polls once. On failure it waits and begins again.
  async #run() {
    if (this.running) return;
    this.running = true;
    for (;;) {
      try {
        while (this.queue.length) await this.#send(this.queue[0]);
        await this.poll();
        this.#succeeded();
        if (!this.queue.length) break;
      } catch (error) {
        this.failures += 1;
        this.error = error;
        if (this.queue.length) this.queue[0].retried = true;
        this.#tell();
        await this.#wait(WAITS[Math.min(this.failures, WAITS.length) - 1]);
      }
    }
    this.running = false;
  }

  async #send(post) {
    if (post.retried) {
      // The server may have saved it before its answer was lost.
      const added = await this.poll();
      post.retried = false;
      if (added.some((decision) => same(post, decision))) return this.#finish(post);
    }
    const { target, order, retried, known = 0, ...sent } = post;
    Object.assign(sent, { window: this.window, version: this.review.session.images.version, after: Math.max(this.review.seen, known) });
    try {
      const answer = await postDecision(sent);
      const sequence = answer.decision.sequence;
      this.#finish(post, [answer.decision]);
      if (sequence === this.review.seen + 1) this.review.seen = sequence;
      else await this.poll(); // decisions of others lie between: know them before the next one is sent
    } catch (error) {
      if (error.status === 409) {
        this.#finish(post, [error.body.current]);
        this.conflicts = [...this.conflicts, { post, current: error.body.current }];
        await this.poll();
      } else if (error.status === 400 || error.status === 404 || error.status === 422) {
        this.#finish(post);
        this.dispatchEvent(new CustomEvent("refused", { detail: { post, message: error.message } }));
      } else throw error;
    }
    this.#succeeded();
  }

  #finish(post, decisions = []) {
    this.queue = this.queue.filter((other) => other !== post);
    this.#keep();
    this.review.pending = this.review.pending.filter((other) => other !== post);
    this.review.addDecisions(decisions);
    this.review.removePending(post);
  }

  #succeeded() {
    this.failures = 0;
    this.error = null;
    this.#tell();
  }

  #keep() {
    const posts = this.queue.map(({ target, order, retried, known, ...post }) => post);
    sessionStorage.setItem(this.storageName, JSON.stringify(posts));
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("status"));
  }

  #wait(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
