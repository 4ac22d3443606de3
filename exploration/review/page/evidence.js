// Why an item is suspicious: its label, the suggestion, the reason, the nearest images, and what is known about it.

import { imageUrl } from "./api.js";
import { byId, count, element } from "./dom.js";
import { showPrediction } from "./prediction.js";
import { decisionText, wordsOf } from "./state.js";

const chip = (name, value, className) =>
  element("div", { class: `chip ${className}` }, element("span", { class: "soft", text: name }), element("strong", { text: value }));

export class Evidence {
  constructor(app) {
    this.app = app;
  }

  /** Shows an item and the decision that holds. `details` of its image are null until they are loaded. */
  show(item, decision, details) {
    const unit = this.app.review.attributes.get(item.attribute)?.unit;
    const value = (text) => (unit && text && Number.isFinite(Number(text)) ? `${text} ${unit}` : text);
    const words = wordsOf(this.app.review.session);
    byId("claim-attribute").textContent = item.attribute || "All labels";
    const chips = [];
    if (item.given) chips.push(chip(words.given, value(item.given), "given"));
    if (item.suggested) chips.push(element("span", { class: "arrow", text: "→", "aria-hidden": "true" }), chip(words.suggested, value(item.suggested), "suggested"));
    byId("claim").replaceChildren(...chips);
    byId("reason").textContent = item.reason;
    byId("score").textContent = item.score === null || item.score === undefined ? "" : `${words.score} ${item.score.toFixed(2)}`;
    byId("decided").textContent = decision ? `${decision.reviewer}: ${decisionText(decision)}` : "";
    byId("decided").className = decision ? `decided ${decision.action}` : "decided";
    showPrediction(item, details);
    this.#neighbours(item);
    byId("about").replaceChildren(...this.#facts(item, details));
  }

  #neighbours(item) {
    byId("neighbours-part").hidden = !item.neighbours.length;
    byId("neighbours").replaceChildren(
      ...item.neighbours.map(([row, value], index) => {
        const isLike = value === item.given ? "given" : value === item.suggested ? "suggested" : "";
        const image = element("img", { src: imageUrl(row, "thumb"), alt: `Nearest image ${index + 1}, ${item.attribute} ${value}`, draggable: "false" });
        const rows = item.neighbours.map(([other]) => other);
        const button = element("button", { type: "button", class: "zoomable", on: { click: () => this.app.zoom.open(rows, row) } }, image);
        return element("li", { class: isLike }, button, element("span", { class: "value", text: value }));
      }),
    );
  }

  #facts(item, details) {
    const facts = [];
    if (details) {
      facts.push(["image", details.path]);
      if (details.group) facts.push([this.app.review.session.grouped_by || "group", details.group]);
      facts.push(...Object.entries(details.labels), ...Object.entries(details.metadata ?? {}));
      facts.push(["size", `${count(details.width)} × ${count(details.height)} pixels`]);
    }
    return facts.map(([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: String(value) })));
  }
}
