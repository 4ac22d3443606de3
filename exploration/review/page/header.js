// The header: progress, rate, audit, who reviews, unsaved decisions, conflicts, disagreements; and announcements.

import { byId, count, element, plural } from "./dom.js";
import { decisionText } from "./state.js";

const STATES = ["open", "decided", "marked", "unsure"];

/** "40 min", "3 h 20 min". */
export function duration(minutes) {
  const rounded = Math.max(1, Math.round(minutes));
  return rounded < 60 ? `${rounded} min` : `${count(Math.floor(rounded / 60))} h ${rounded % 60} min`;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
const percent = (share) => (100 * share).toFixed(1);

/** The stopping rule first, then the rates; the other sentences of the audit are in its own report. */
export function auditText({ sentences, attributes, reviewed }) {
  if (!reviewed) return sentences.map(sentence).join(" ");
  const rates = Object.entries(attributes)
    .filter(([, { group_rate: rate }]) => rate.value !== null)
    .map(([name, { group_rate: rate }]) => `${name} ${percent(rate.value)}\u00a0% (${percent(rate.low)} to ${percent(rate.high)}\u00a0%)`);
  const unseen = sentences.at(-1).split(";")[0]; // without the numbers of each attribute
  const parts = [unseen, ...(rates.length ? [`share of wrong labels: ${rates.join(", ")}`] : []), sentences[0]];
  return parts.map(sentence).join(" ");
}

const time = (text) => new Date(text).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

export class Header {
  constructor(app) {
    this.app = app;
    this.progress = {};
    byId("retry").addEventListener("click", () => app.saves.retry());
  }

  /** Announces to screen readers, and shows, what was done. */
  announce(text) {
    byId("status").textContent = "";
    requestAnimationFrame(() => {
      byId("status").textContent = text;
    });
  }

  /** What the server counts, and the audit. */
  showProgress(progress) {
    this.progress = progress;
    byId("audit").textContent = progress.audit
      ? auditText(progress.audit)
      : this.app.review.session.source === "errors" ? "" : "No audit yet: python -m exploration audit estimates how many wrong labels are still unseen.";
    this.showCounts();
  }

  showCounts() {
    const { counts, items } = this.app.review;
    const done = counts.decided + counts.unsure;
    const share = items.length ? (100 * done) / items.length : 0;
    byId("progress").setAttribute("aria-valuenow", done);
    byId("progress").setAttribute("aria-valuemax", items.length);
    byId("progress").setAttribute("aria-valuetext", `${done} of ${plural(items.length, "item")}`);
    byId("progress-bar").style.width = `${share}%`;
    byId("reviewed").textContent = `${count(done)} of ${count(items.length)} reviewed`;
    const rate = this.progress.per_minute || this.app.rate();
    byId("rate").textContent = rate ? `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} per minute` : "";
    byId("left").textContent = rate && done < items.length ? `about ${duration((items.length - done) / rate)} left` : "";
    for (const state of STATES) byId(`count-${state}`).textContent = count(counts[state]);
    for (const badge of document.querySelectorAll("[data-marked]")) badge.textContent = counts.marked ? count(counts.marked) : "";
    const differing = this.app.review.disagreements().length;
    byId("disagreements").textContent = plural(differing, "disagreement");
    byId("disagreements").hidden = !differing;
  }

  /** Unsaved decisions, errors and conflicts. */
  showSaves() {
    const { queue, error, conflicts } = this.app.saves;
    byId("saved").textContent = queue.length ? `Saving ${count(queue.length)} …` : error ? "" : "All saved";
    byId("offline").hidden = !error;
    if (error) {
      const reason = error.status === 403
        ? "The server refuses this page. Open the address that it printed when it started."
        : error.status ? error.message : "The server does not answer.";
      const text = queue.length ? `Not saved, retrying: ${plural(queue.length, "decision")}. ${reason}` : `${reason} Retrying.`;
      if (byId("offline-text").textContent !== text) byId("offline-text").textContent = text;
    }
    byId("conflicts").hidden = !conflicts.length;
    if (this.conflicts !== conflicts) byId("conflicts").replaceChildren(...conflicts.map((conflict) => this.#conflict(conflict)));
    this.conflicts = conflicts;
  }

  #conflict(conflict) {
    const { post, current } = conflict;
    const item = this.app.review.find(post.target, post.attribute);
    const subject = item ? this.app.nameOf(item) : post.target;
    const text = `Decided in another window: ${subject}${post.attribute ? `, ${post.attribute}` : ""}. `;
    const theirs = `${current.reviewer} at ${time(current.time)}: ${decisionText(current)}. Yours: ${decisionText(post)}.`;
    const answer = (label, isOwn) => element("button", { type: "button", text: label, on: { click: () => this.app.resolve(conflict, isOwn) } });
    return element("div", { class: "banner" }, element("p", { text: text + theirs }), answer("Keep theirs", false), answer("Use mine", true));
  }

  refused(message) {
    byId("refused-text").textContent = `Not saved: ${message}`;
    byId("refused").hidden = false;
  }

  /** The list of disagreements; each opens its item. */
  openDisagreements() {
    const rows = this.app.review.disagreements().map(({ target, row, group, attribute, verdicts }) => {
      const item = this.app.review.find(target, attribute) ?? (typeof row === "number" ? this.app.review.itemOfRow(row) : null);
      const name = item ? this.app.nameOf(item) : target;
      const opens = element("button", { type: "button", class: "link", text: name, disabled: !item, on: { click: () => {
        byId("disagreements-dialog").close();
        this.app.open(item);
      } } });
      const said = verdicts.map((decision) => element("li", { text: `${decision.reviewer}: ${decisionText(decision)}` }));
      return element("tr", {}, element("th", { scope: "row" }, opens), element("td", { text: attribute || "all" }), element("td", {}, element("ul", {}, ...said)));
    });
    byId("disagreements-rows").replaceChildren(...rows);
    byId("disagreements-dialog").showModal();
  }
}
