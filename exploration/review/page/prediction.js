// What the model predicts for an item: the most probable classes as bars, and the class that heat maps explain.

import { byId, element } from "./dom.js";

const DECIMALS = 2;

/** The classes whose heat maps `h` shows one after the other: the predicted one, then that of the label. */
export const explained = (item) => [...new Set([item.suggested, item.given].filter(Boolean))];

/** Shows the probabilities of an item's attribute; nothing if there are none. */
export function showPrediction(item, details) {
  const rows = details?.probabilities?.[item.attribute] ?? [];
  byId("prediction-part").hidden = !rows.length;
  byId("prediction").replaceChildren(...rows.map(([value, probability]) => bar(item, value, probability)));
}

function bar(item, value, probability) {
  const kind = value === item.given ? "given" : value === item.suggested ? "suggested" : "";
  const filled = element("span", { class: "filled" });
  filled.style.width = `${(probability * 100).toFixed(1)}%`;
  const track = element("span", { class: "track", "aria-hidden": "true" }, filled);
  return element("li", { class: kind }, element("span", { class: "value", text: value }), track, element("span", { class: "number", text: probability.toFixed(DECIMALS) }));
}
