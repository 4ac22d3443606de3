// The classes of an attribute as numbered buttons, with a filter box if there are many; a number is typed.

import { element } from "./dom.js";

const NUMBERED = 9;

/** The band of a number: as model.attributes, a cut is the first number of the band above it. */
const bandOf = (attribute, number) => attribute.values[attribute.cuts.filter((cut) => cut <= number).length];

export class Chooser {
  /**
   * @param {HTMLElement} root
   * @param {{given: string, suggested: string}} words What the two labels of an item are called.
   * @param {(attribute: string, value: string) => void} onChoose
   * @param {() => void} onLeave Called by Escape, to move the focus.
   */
  constructor(root, attributes, words, onChoose, onLeave) {
    Object.assign(this, { root, attributes, words, onChoose, onLeave });
    this.active = null;
    this.shown = [];
  }

  /**
   * Shows the classes for an item.
   * @param {object} item
   * @param {Record<string, string>} labels Labels of the image by attribute, if they are known.
   * @param {object|null} decision The decision that holds.
   */
  show(item, labels, decision) {
    // Details that arrive later, or another window's decision, must not take away what is being typed.
    const isSame = this.item === item;
    const isTyping = isSame && this.input && (this.input === document.activeElement || this.input.value !== "");
    Object.assign(this, { item, labels, decision });
    if (isTyping) return;
    const focused = isSame ? [...this.root.querySelectorAll("button")].indexOf(document.activeElement) : -1;
    const names = item.attribute ? [item.attribute] : [...this.attributes.keys()];
    if (!names.includes(this.active)) this.active = names[0];
    this.#render(names);
    if (focused >= 0) this.root.querySelectorAll("button")[focused]?.focus();
  }

  #render(names) {
    this.attribute = this.attributes.get(this.active);
    const parts = [];
    if (names.length > 1) {
      const buttons = names.map((name) =>
        element("button", { type: "button", text: name, "aria-pressed": String(name === this.active), on: { click: () => this.#activate(name) } }),
      );
      parts.push(element("div", { class: "attributes", role: "group", "aria-label": "Attribute" }, ...buttons));
    }
    this.input = null;
    this.list = element("ol", { class: "classes" });
    if (!this.attribute) this.shown = [];
    else if (this.attribute.number) parts.push(this.#numberBox());
    else {
      if (this.attribute.values.length > NUMBERED) parts.push(this.#filterBox());
      parts.push(this.list);
      this.#fill("");
    }
    this.root.replaceChildren(...parts);
  }

  #activate(name) {
    this.active = name;
    this.#render([...this.attributes.keys()]);
    this.root.querySelector("[aria-pressed=true]")?.focus();
  }

  nextAttribute() {
    if (this.item.attribute) return;
    const names = [...this.attributes.keys()];
    this.active = names[(names.indexOf(this.active) + 1) % names.length];
    this.#render(names);
  }

  get given() {
    return this.item.given || this.labels[this.active] || "";
  }

  // Few classes keep their numbers. Among many, the likely ones come first.
  #ordered() {
    const { values } = this.attribute;
    if (values.length <= NUMBERED) return values;
    const likely = [this.item.suggested, this.given, ...this.item.neighbours.map(([, value]) => value)];
    return [...new Set([...likely.filter((value) => values.includes(value)), ...values])];
  }

  #fill(text) {
    const wanted = text.trim().toLowerCase();
    const matching = this.#ordered().filter((value) => value.toLowerCase().includes(wanted));
    const startsWith = (value) => (value.toLowerCase().startsWith(wanted) ? 0 : 1);
    this.shown = wanted ? matching.sort((one, other) => startsWith(one) - startsWith(other)) : matching;
    this.list.replaceChildren(...this.shown.map((value, index) => this.#option(value, index)));
    if (!this.shown.length) this.list.append(element("li", { class: "soft", text: "No class contains these letters." }));
  }

  #option(value, index) {
    const number = index < NUMBERED ? String(index + 1) : "";
    const isChosen = this.decision?.action === "relabel" && this.decision.value === value;
    const button = element("button", { type: "button", "aria-pressed": String(isChosen), on: { click: () => this.onChoose(this.active, value) } });
    if (number) button.append(element("kbd", { text: number, "aria-hidden": "true" }));
    button.append(element("span", { class: "value", text: value }));
    if (value === this.given) button.append(element("span", { class: "tag", text: this.words.given }));
    if (value === this.item.suggested) button.append(element("span", { class: "tag suggested", text: this.words.suggested }));
    return element("li", {}, button);
  }

  #filterBox() {
    const label = element("label", { class: "field" }, element("span", { text: `Find among ${this.attribute.values.length} classes` }));
    this.input = element("input", { type: "search", autocomplete: "off", on: { input: () => this.#fill(this.input.value), keydown: (event) => this.#typed(event) } });
    label.append(this.input);
    return label;
  }

  #numberBox() {
    const { name, unit } = this.attribute;
    const band = element("output", { class: "soft" });
    const showBand = () => {
      const number = this.#number();
      band.textContent = number === null ? "" : `in the band ${bandOf(this.attribute, number)}`;
    };
    this.input = element("input", { type: "text", inputmode: "decimal", autocomplete: "off", size: 6, on: { input: showBand, keydown: (event) => this.#typed(event) } });
    const save = element("button", { type: "button", text: "Set", on: { click: () => this.#enter() } });
    const label = element("label", { class: "field" }, element("span", { text: `Right ${name}${unit ? ` in ${unit}` : ""}` }), this.input);
    return element("div", { class: "number" }, label, save, band);
  }

  #number() {
    const text = this.input.value.trim().replace(",", ".");
    return text && Number.isFinite(Number(text)) ? Number(text) : null;
  }

  #typed(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      this.#enter();
    } else if (event.key === "Escape") {
      this.onLeave();
    }
  }

  #enter() {
    const number = this.attribute.number ? this.#number() : null;
    const value = this.attribute.number ? number === null ? null : String(number) : this.shown[0] ?? null;
    this.input.setAttribute("aria-invalid", String(value === null));
    if (value === null) return;
    this.input.value = "";
    this.onLeave();
    this.onChoose(this.active, value);
  }

  /** Chooses by a digit; begins a number. */
  digit(digit) {
    if (this.attribute?.number) {
      this.input.value = digit;
      this.input.focus();
      this.input.dispatchEvent(new Event("input"));
    } else if (digit !== "0" && this.shown[digit - 1] !== undefined) {
      this.onChoose(this.active, this.shown[digit - 1]);
    }
  }

  focus() {
    (this.input ?? this.list.querySelector("button"))?.focus();
  }
}
