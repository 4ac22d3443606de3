// The images of the item under review: one large image, or all images of its group side by side.

import { heatUrl, imageUrl, rowsDetails, search } from "./api.js";
import { byId, element } from "./dom.js";
import { explained } from "./prediction.js";
import { labelText, wordsOf } from "./state.js";
import { stateBadge } from "./grid.js";

const LARGE_UNTIL = 12; // images side by side that are shown larger than thumbnails
const MOST = 60; // images of a group that are shown for an image of it

export class Stage {
  /**
   * @param {object} app
   * @param {() => void} onChange Called if the shown images or the chosen one changed.
   */
  constructor(app, onChange) {
    this.app = app;
    this.onChange = onChange;
    this.root = byId("stage-images");
    this.only = null; // the one image of a group that is decided on
    this.heat = null; // position among `explained` of the class whose heat map is shown
  }

  /** Shows an item; groups side by side. */
  show(item) {
    this.item = item;
    this.only = null;
    this.rows = item.images;
    this.isGroup = item.images.length > 1;
    this.#render();
  }

  /** Shows the same item as it is now. */
  update() {
    if (this.item) this.#render();
  }

  /** Switches between one image and the group. */
  async toggleGroup() {
    const { item } = this;
    if (!this.isGroup && item.images.length === 1 && item.group) this.rows = await this.#groupRows(item);
    if (item !== this.item) return;
    if (this.rows.length < 2) {
      this.app.announce("There is no other image in its group.");
      return;
    }
    this.isGroup = !this.isGroup;
    this.only = null;
    this.#render();
    this.onChange();
  }

  async #groupRows(item) {
    const { rows } = await search(item.group).catch(() => ({ rows: [] }));
    const details = await rowsDetails(rows).catch(() => []);
    const own = details.filter(({ row, group }) => group === item.group && row !== item.lead).map(({ row }) => row);
    return [item.lead, ...own.slice(0, MOST)];
  }

  /** The image that zoom opens. */
  get focused() {
    return this.only ?? this.item.lead;
  }

  zoom(row = this.focused) {
    this.app.zoom.open(this.isGroup ? this.rows : [this.item.lead], row, labelText(this.item));
  }

  /** Shows the heat map of the next class, after the last one the image. It stays for the next items. */
  nextHeat() {
    const classes = explained(this.item);
    if (!this.item.attribute || !classes.length) {
      this.app.announce("There is no heat map without a predicted attribute.");
      return;
    }
    this.heat = this.heat === null ? 0 : this.heat + 1;
    if (this.heat >= classes.length) this.heat = null;
    this.#render();
    this.app.announce(this.heat === null ? "Image." : byId("heat").textContent);
  }

  // The class whose heat map is shown; null for the image itself.
  get #explained() {
    const classes = this.item.attribute ? explained(this.item) : [];
    return this.heat === null || !classes.length ? null : classes[Math.min(this.heat, classes.length - 1)];
  }

  #showHeat() {
    const value = this.#explained;
    byId("heat").hidden = value === null;
    document.querySelector("#detail [data-action=heat]").setAttribute("aria-pressed", String(value !== null));
    if (value === null) return;
    const { suggested, given } = wordsOf(this.app.review.session);
    const role = value === this.item.suggested ? suggested : given;
    byId("heat").textContent = `Red: what speaks for ${this.item.attribute} ${value} (${role}).`;
  }

  #render() {
    this.#showHeat();
    const rows = this.isGroup ? this.rows : [this.item.lead];
    this.root.className = this.isGroup ? "images several" : "images";
    this.root.style.setProperty("--images", Math.ceil(Math.sqrt(rows.length * 1.4)));
    const figures = rows.map((row, index) => this.#figure(row, index, rows.length));
    const same = this.root.children.length === figures.length && [...this.root.children].every((figure, index) => figure.dataset.row === String(rows[index]) && figure.dataset.heat === figures[index].dataset.heat);
    // The images stay in the page, so that they do not flicker.
    if (same) figures.forEach((figure, index) => this.root.children[index].querySelector("figcaption")?.replaceWith(...figure.querySelectorAll("figcaption")));
    else this.root.replaceChildren(...figures);
  }

  #figure(row, index, number) {
    const size = number > LARGE_UNTIL ? "thumb" : "large";
    const value = this.#explained;
    const name = `${this.#name(row, index)}, ${labelText(this.item)}`;
    const src = value === null ? imageUrl(row, size) : heatUrl(row, this.item.attribute, value);
    const image = element("img", { src, alt: value === null ? name : `Heat map of ${value}: ${name}`, draggable: "false" });
    if (value !== null) image.addEventListener("error", () => this.app.announce("There is no heat map of this image."));
    const button = element("button", { type: "button", class: "zoomable", on: { click: () => this.zoom(row) } }, image);
    const figure = element("figure", { data: { row, heat: value ?? "" } }, button);
    if (number > 1) figure.append(this.#caption(row, index));
    return figure;
  }

  #name(row, index) {
    return row === this.item.lead ? this.item.path : `image ${index + 1} of ${this.rows.length}`;
  }

  #caption(row, index) {
    const decision = this.app.review.decisionFor(row, "", this.item.attribute);
    const toggle = element("button", {
      type: "button", class: "only", text: "Only this", "aria-pressed": String(this.only === row),
      "aria-label": `Decide only on image ${index + 1}`,
      on: { click: () => this.#choose(row) },
    });
    return element("figcaption", {}, stateBadge(decision), toggle);
  }

  #choose(row) {
    this.only = this.only === row ? null : row;
    this.#render();
    this.app.announce(this.only === null ? "Decisions are for all images again." : "The next decision is for this image only.");
    this.onChange();
  }
}
