// Step 1: a dense grid of images in which one marks what does not fit its label.

import { imageUrl } from "./api.js";
import { byId, count, element, plural } from "./dom.js";
import { decisionText, labelText } from "./state.js";
import { VirtualRows } from "./virtual.js";

const TILE = 150; // least width in pixels
const SMALL_TILE = 110; // on a narrow screen
const NARROW = 600;
const GAP = 8;
const CAPTION = 64;
const HEADING = 48;

export const SYMBOLS = { keep: "✓", relabel: "✎", delete: "✕", marked: "●", unsure: "?" };

/** A badge of the decision that holds; its text is read by screen readers. */
export function stateBadge(decision) {
  if (!decision) return element("span", { class: "state" });
  const badge = element("span", { class: `state ${decision.action}` });
  badge.append(element("span", { text: SYMBOLS[decision.action], "aria-hidden": "true" }));
  badge.append(element("span", { class: "unseen", text: decisionText(decision) }));
  return badge;
}

export class Grid {
  constructor(app) {
    this.app = app;
    this.root = byId("grid");
    this.list = [];
    this.at = 0;
    this.rows = [];
    this.columns = 1;
    this.virtual = new VirtualRows(this.root, (index) => this.#row(index), "rowgroup");
    this.root.addEventListener("click", (event) => this.#clicked(event));
    new ResizeObserver(() => this.#layout()).observe(this.root);
  }

  /** Shows items, from the given one or the first open one. */
  show(list, { byClass = false, uid = null } = {}) {
    this.list = byClass ? this.#sorted(list) : list;
    this.byClass = byClass;
    this.positions = new Map(this.list.map((item, index) => [item.uid, index]));
    const open = this.list.findIndex((item) => this.app.review.stateOf(item) === "open");
    this.at = this.positions.get(uid) ?? Math.max(open, 0);
    this.width = null;
    this.#layout();
  }

  #sorted(list) {
    const names = [...this.app.review.attributes.keys()];
    const rank = ({ attribute, given }) => {
      const { number, values } = this.app.review.attributes.get(attribute) ?? { values: [] };
      return names.indexOf(attribute) * 1e6 + (number ? Number(given) || 0 : values.indexOf(given));
    };
    const ranks = new Map(list.map((item) => [item, rank(item)]));
    const text = (one, other) => (one.attribute ? 0 : one.given.localeCompare(other.given, "en", { numeric: true }));
    return [...list].sort((one, other) => ranks.get(one) - ranks.get(other) || text(one, other));
  }

  #layout() {
    const width = this.root.clientWidth;
    if (!width || width === this.width) return;
    this.width = width;
    const least = width < NARROW ? SMALL_TILE : TILE;
    this.columns = Math.max(2, Math.floor((width - GAP) / (least + GAP)));
    const tile = (width - GAP * (this.columns + 1)) / this.columns;
    this.rows = [];
    let heading = null;
    for (let from = 0; from < this.list.length; ) {
      const label = labelText(this.list[from]);
      if (this.byClass && label !== heading) {
        heading = label;
        this.rows.push({ heading, from, to: from });
      }
      let to = from;
      while (to < this.list.length && to < from + this.columns && (!this.byClass || labelText(this.list[to]) === heading)) to += 1;
      this.rows.push({ from, to });
      from = to;
    }
    this.root.style.setProperty("--columns", this.columns);
    this.root.setAttribute("aria-rowcount", this.rows.length);
    this.root.setAttribute("aria-colcount", this.columns);
    byId("grid-empty").hidden = this.list.length > 0;
    this.virtual.setHeights(this.rows.map((row) => (row.heading ? HEADING : tile + CAPTION + GAP)));
    if (this.list.length) this.#reveal();
  }

  #rowOf(at) {
    let [low, high] = [0, this.rows.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].to > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #row(index) {
    const { heading, from, to } = this.rows[index];
    const row = element("div", { class: heading ? "row heading" : "row", role: "row", "aria-rowindex": index + 1 });
    if (heading) {
      const number = this.list.filter((item) => labelText(item) === heading).length;
      row.append(element("div", { role: "gridcell", class: "class-name" }, element("strong", { text: heading }), ` ${plural(number, "item")}`));
    }
    for (let at = from; at < to; at += 1) row.append(this.#cell(at, at - from));
    return row;
  }

  #cell(at, column) {
    const item = this.list[at];
    const decision = this.app.review.decisionOf(item);
    const image = element("img", { alt: `${item.path}, ${labelText(item)}`, draggable: "false", decoding: "async" });
    this.virtual.load(image, imageUrl(item.lead, "thumb"));
    const frame = element("span", { class: "frame" }, image, stateBadge(decision));
    if (item.row === null && item.images.length > 1) frame.append(element("span", { class: "stack", text: `${item.images.length}`, title: plural(item.images.length, "image") }));
    const cell = element("div", { id: `cell-${item.uid}`, class: `cell ${decision?.action ?? ""} ${at === this.at ? "at" : ""}`, role: "gridcell", "aria-colindex": column + 1, "aria-selected": String(decision?.action === "marked"), data: { at } });
    const subject = item.attribute || (item.row === null ? item.group : item.path);
    const changed = decision?.action === "relabel" ? decisionText(decision) : item.suggested ? `→ ${item.suggested}` : "";
    const given = item.given || "no label";
    const lines = changed ? [["soft", subject], ["given", given], ["soft", changed]] : [["given three-lines", given]];
    cell.append(frame, ...lines.map(([name, text]) => element("span", { class: name, text, title: text })));
    return cell;
  }

  /** Shows items as they are now. */
  update(items) {
    if (!this.root.clientWidth) return;
    this.virtual.refresh(new Set([...items].filter((item) => this.positions?.has(item.uid)).map((item) => this.#rowOf(this.positions.get(item.uid)))));
  }

  #reveal() {
    const row = this.#rowOf(this.at);
    if (this.rows[row - 1]?.heading) this.virtual.reveal(row - 1);
    this.virtual.reveal(row);
    this.root.setAttribute("aria-activedescendant", `cell-${this.current.uid}`);
  }

  get current() {
    return this.list[this.at];
  }

  goTo(at) {
    const before = this.at;
    this.at = Math.min(Math.max(at, 0), this.list.length - 1);
    this.virtual.refresh(new Set([this.#rowOf(before), this.#rowOf(this.at)]));
    this.#reveal();
  }

  #clicked(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    this.goTo(Number(cell.dataset.at));
    this.root.focus({ preventScroll: true });
    this.mark();
  }

  move({ key }) {
    const rows = this.rows.map((row, index) => index).filter((index) => !this.rows[index].heading);
    const place = rows.indexOf(this.#rowOf(this.at));
    const column = this.at - this.rows[rows[place]].from;
    const page = Math.max(1, Math.floor(this.root.clientHeight / (this.width / this.columns + CAPTION)));
    const by = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page }[key];
    if (by) {
      const row = this.rows[rows[Math.min(Math.max(place + by, 0), rows.length - 1)]];
      this.goTo(Math.min(row.from + column, row.to - 1));
    } else this.goTo({ ArrowLeft: this.at - 1, ArrowRight: this.at + 1, Home: 0, End: this.list.length - 1 }[key]);
  }

  #decide(action, value) {
    if (this.current) this.app.decide([{ item: this.current, action, value }]);
  }

  mark() {
    if (!this.current) return;
    if (this.app.review.stateOf(this.current) === "marked") this.app.withdraw(this.current);
    else this.#decide("marked");
  }

  keep() {
    this.#decide("keep");
  }

  unsure() {
    this.#decide("unsure");
  }

  delete() {
    this.#decide("delete");
  }

  accept() {
    if (this.current?.suggested) this.#decide("relabel", this.current.suggested);
  }

  zoom() {
    if (this.current) this.app.zoom.open(this.current.images, this.current.lead, labelText(this.current));
  }

  acceptRow() {
    if (!this.current) return;
    const row = this.#rowOf(this.at);
    this.#acceptRows(row, row);
  }

  acceptPage() {
    if (this.current) this.#acceptRows(...this.virtual.visible());
  }

  // The unmarked ones are right; the focus moves to the first item after them.
  #acceptRows(first, last) {
    const { to } = this.rows[last];
    const items = this.list.slice(this.rows[first].from, to);
    const open = items.filter((item) => this.app.review.stateOf(item) === "open");
    const marked = items.filter((item) => this.app.review.stateOf(item) === "marked").length;
    const where = first === last ? "Row" : "Page";
    const text = `${where}: ${count(open.length)} right${marked ? `, ${count(marked)} marked` : ""}.`;
    if (open.length) this.app.decide(open.map((item) => ({ item, action: "keep" })), text);
    if (to < this.list.length) {
      this.goTo(to);
      if (first !== last) this.root.scrollTop = this.virtual.offsets[this.#rowOf(to)];
    }
  }
}
