// Which items are shown: by attribute, label, suggestion and state, or by a search.

import { rowsDetails, search } from "./api.js";
import { byId, count, element, plural } from "./dom.js";
import { wordsOf } from "./state.js";

const FIELDS = ["attribute", "given", "suggested", "state", "score"];

export class Filters {
  /** @param {() => void} onChange Called if other items are to be shown. */
  constructor(app, onChange) {
    this.app = app;
    this.onChange = onChange;
    this.found = null; // rows of a search
    for (const name of FIELDS) byId(`filter-${name}`).addEventListener("change", () => this.#changed(name));
    byId("order").addEventListener("change", onChange);
    byId("clear").addEventListener("click", () => this.clear());
    byId("search-form").addEventListener("submit", (event) => this.#search(event));
    byId("query").addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.preventDefault();
        app.focusView();
      }
    });
    byId("filters-toggle").addEventListener("click", (event) => {
      const isOpen = byId("filters").classList.toggle("open");
      event.currentTarget.setAttribute("aria-expanded", String(isOpen));
    });
    const { source } = app.review.session;
    const { filters, score } = wordsOf(app.review.session);
    byId("filter-given-name").textContent = filters[0];
    byId("filter-suggested-name").textContent = filters[1];
    byId("filter-score-name").textContent = `${score} at least`;
    byId("filter-score").parentElement.hidden = source !== "errors";
    this.#fill();
  }

  get values() {
    return Object.fromEntries(FIELDS.map((name) => [name, byId(`filter-${name}`).value]));
  }

  get isByClass() {
    return byId("order").value === "class";
  }

  /** The items to show. */
  list() {
    if (this.found) return this.found.rows.map((row) => this.app.review.itemOfRow(row));
    return this.app.review.list(this.values);
  }

  clear() {
    for (const name of FIELDS) byId(`filter-${name}`).value = "";
    this.found = null;
    byId("query").value = "";
    this.#fill();
    this.onChange();
  }

  // Only values that occur can be chosen.
  #fill() {
    const { attribute } = this.values;
    const items = this.app.review.list({ attribute });
    const names = this.app.review.session.attributes.map(({ name }) => name);
    this.#options("attribute", names.filter((name) => this.app.review.items.some((item) => item.attribute === name)));
    for (const name of ["given", "suggested"]) {
      const values = [...new Set(items.map((item) => item[name]).filter(Boolean))];
      this.#options(name, values.sort((one, other) => one.localeCompare(other, "en", { numeric: true })));
    }
    const isFiltered = this.found || Object.values(this.values).some(Boolean);
    byId("clear").hidden = !isFiltered;
    const number = this.list().length;
    byId("matching").textContent = this.found
      ? `${plural(number, "image")} found${this.found.total > number ? ` of ${count(this.found.total)}` : ""}`
      : isFiltered ? `${plural(number, "item")} shown` : "";
  }

  #options(name, values) {
    const select = byId(`filter-${name}`);
    const before = select.value;
    const options = values.map((value) => element("option", { text: value, value }));
    select.replaceChildren(element("option", { text: "all", value: "" }), ...options);
    select.value = values.includes(before) ? before : "";
  }

  #changed(name) {
    if (name === "attribute") for (const other of ["given", "suggested"]) byId(`filter-${other}`).value = "";
    this.found = null;
    this.#fill();
    this.onChange();
  }

  async #search(event) {
    event.preventDefault();
    const text = byId("query").value.trim();
    if (!text) {
      this.clear();
      return;
    }
    try {
      const found = await search(text);
      for (const details of await rowsDetails(found.rows)) this.app.review.complete(this.app.review.itemOfRow(details.row), details);
      this.found = found;
    } catch (error) {
      this.app.announce(`The search failed: ${error.message}`);
      return;
    }
    this.#fill();
    this.app.announce(byId("matching").textContent);
    this.onChange();
    this.app.focusView();
  }
}
