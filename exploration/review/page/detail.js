// One item at a time: the queue one by one, step 2 (check) and step 3 (class).

import { imageDetails, imageUrl, prefetch } from "./api.js";
import { Chooser } from "./classes.js";
import { byId, count, element } from "./dom.js";
import { Evidence } from "./evidence.js";
import { stateBadge } from "./grid.js";
import { Stage } from "./stage.js";
import { decisionText, labelText, subjectText, wordsOf } from "./state.js";
import { VirtualRows } from "./virtual.js";

const ROW = 60; // height of a row of the queue in pixels
const AHEAD = 3; // items whose images are loaded ahead of time

export class Detail {
  constructor(app) {
    this.app = app;
    this.list = [];
    this.at = 0;
    this.checked = new Set(); // marked items that were looked at again
    this.stage = new Stage(app, () => this.#showActions());
    this.evidence = new Evidence(app);
    byId("detail").querySelector("[data-action=heat]").hidden = !app.review.session.heat;
    this.queue = byId("queue");
    this.virtual = new VirtualRows(this.queue, (index) => this.#queueRow(index), "presentation");
    this.chooser = new Chooser(byId("chooser"), app.review.attributes, wordsOf(app.review.session), (attribute, value) => this.choose(attribute, value), () => this.focus());
    this.queue.addEventListener("click", (event) => {
      const row = event.target.closest("[data-at]");
      if (row) this.goTo(Number(row.dataset.at));
    });
    new ResizeObserver(() => this.virtual.render()).observe(this.queue);
  }

  /** Shows items as a step, from the given one or the first that is not done. */
  show(step, list, { uid = null } = {}) {
    this.step = step;
    this.list = list;
    this.positions = new Map(list.map((item, index) => [item.uid, index]));
    this.at = this.positions.get(uid) ?? Math.max(list.findIndex((item) => !this.#isDone(item)), 0);
    byId("detail").dataset.step = step;
    byId("detail-body").hidden = !list.length;
    byId("detail-empty").hidden = list.length > 0;
    byId("empty-text").textContent = step === "one" ? "No item matches the filter." : "Nothing is marked. Mark what does not fit its label in step 1.";
    this.virtual.setHeights(list.map(() => ROW));
    if (list.length) this.goTo(this.at);
  }

  get current() {
    return this.list[this.at];
  }

  focus() {
    byId("stage").focus({ preventScroll: true });
  }

  goTo(at) {
    const before = this.at;
    this.at = Math.min(Math.max(at, 0), this.list.length - 1);
    const item = this.current;
    this.virtual.refresh(new Set([before, this.at]));
    this.virtual.reveal(this.at);
    this.queue.setAttribute("aria-activedescendant", `queue-${item.uid}`);
    byId("detail-body").scrollTop = 0;
    this.details = null;
    this.stage.show(item);
    this.#render();
    this.#load(item);
    const next = this.list.slice(this.at + 1, this.at + 1 + AHEAD);
    prefetch(next.flatMap((other) => (other.images.length > 12 ? [] : other.images)));
  }

  async #load(item) {
    const details = await imageDetails(item.lead).catch(() => null);
    if (!details || item !== this.current) return;
    this.app.review.complete(item, details);
    this.details = details;
    this.#render();
  }

  #render() {
    const item = this.current;
    const decision = this.app.review.decisionOf(item);
    byId("subject").textContent = subjectText(item, this.app.review.session.grouped_by);
    byId("position").textContent = `${count(this.at + 1)} of ${count(this.list.length)}`;
    this.evidence.show(item, decision, this.details);
    this.chooser.show(item, this.details?.labels ?? {}, decision);
    this.#showActions();
  }

  #showActions() {
    const item = this.current;
    const images = item.row === null && this.stage.only === null ? item.images.length : 1;
    byId("scope").textContent = this.stage.only !== null
      ? "Decisions are for the chosen image only."
      : images > 1 ? `Decisions are for all ${images} images.` : "";
    byId("detail").querySelector("[data-action=accept]").disabled = !item.suggested;
    byId("detail").querySelector("[data-action=group]").disabled = !item.group;
    byId("detail").querySelector("[data-action=group]").setAttribute("aria-pressed", String(this.stage.isGroup));
    byId("detail").querySelector("[data-action=delete] span").textContent = images > 1 ? `Delete ${images}` : "Delete";
  }

  #queueRow(index) {
    const item = this.list[index];
    const decision = this.app.review.decisionOf(item);
    const row = element("div", { id: `queue-${item.uid}`, class: index === this.at ? "queue-row at" : "queue-row", role: "option", "aria-selected": String(index === this.at), "aria-posinset": index + 1, "aria-setsize": this.list.length, data: { at: index } });
    const image = element("img", { alt: "", decoding: "async" });
    this.virtual.load(image, imageUrl(item.lead, "thumb"));
    const change = decision?.action === "relabel" ? decisionText(decision) : item.suggested ? `→ ${item.suggested}` : item.path;
    row.title = `${labelText(item)} ${change}`;
    row.append(image, element("span", { class: "given", text: labelText(item) }), element("span", { class: "suggestion", text: change }), stateBadge(decision));
    return row;
  }

  /** Shows items as they are now. */
  update(items) {
    const changed = [...items].filter((item) => this.positions?.has(item.uid));
    this.virtual.refresh(new Set(changed.map((item) => this.positions.get(item.uid))));
    if (changed.includes(this.current)) {
      this.#render();
      this.stage.update();
    }
  }

  #isDone(item) {
    const state = this.app.review.stateOf(item);
    if (this.step === "one") return state !== "open";
    return state !== "marked" || (this.step === "check" && this.checked.has(item.uid));
  }

  // The next item that is not done, from the beginning again at the end.
  #advance() {
    const order = [...this.list.keys()];
    const next = [...order.slice(this.at + 1), ...order.slice(0, this.at)].find((at) => !this.#isDone(this.list[at]));
    if (next !== undefined) this.goTo(next);
    else this.app.finished(this.step);
  }

  // A decision on one image of a group leaves the group under review.
  #decide(action, value = "", attribute = this.current.attribute) {
    const item = this.current;
    const { only } = this.stage;
    const target = only === null ? {} : { row: only };
    this.app.decide([{ item, action, value, attribute, ...target }]);
    if (only === null) this.#advance();
    else this.stage.update();
  }

  choose(attribute, value) {
    if (value === this.chooser.given && this.current.attribute) this.#decide("keep", "", attribute);
    else this.#decide("relabel", value, attribute);
    this.focus();
  }

  digit({ key }) {
    this.chooser.digit(key);
  }

  keep() {
    this.#decide("keep");
  }

  accept() {
    if (this.current.suggested) this.#decide("relabel", this.current.suggested);
  }

  unsure() {
    this.#decide("unsure");
  }

  delete() {
    this.#decide("delete");
  }

  mark() {
    if (this.app.review.stateOf(this.current) === "marked") this.app.withdraw(this.current);
    else this.#decide("marked");
  }

  confirm() {
    this.checked.add(this.current.uid);
    this.app.announce("Stays marked.");
    this.#advance();
  }

  next() {
    this.goTo(this.at + 1);
  }

  previous() {
    this.goTo(this.at - 1);
  }

  nextOpen() {
    this.#advance();
  }

  group() {
    this.stage.toggleGroup();
  }

  zoom() {
    this.stage.zoom();
  }

  heat() {
    this.stage.nextHeat();
  }

  findClass() {
    this.chooser.focus();
  }

  nextAttribute() {
    this.chooser.nextAttribute();
  }

  /** Shows an item that was undone. */
  undone(uid) {
    const at = this.positions.get(uid);
    if (at !== undefined && at !== this.at) this.goTo(at);
  }
}
