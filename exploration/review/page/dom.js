// Elements from data. Texts are always set as text, never as HTML.

export const byId = (id) => document.getElementById(id);

/**
 * Creates an element.
 * @param {string} name Tag.
 * @param {object} given `text`, `class`, `on` (listeners by event), `data` (data-* attributes); the rest are attributes.
 * @param {...(Node|string)} children
 */
export function element(name, { text, class: className, on = {}, data = {}, ...attributes } = {}, ...children) {
  const created = document.createElement(name);
  if (text !== undefined) created.textContent = text;
  if (className) created.className = className;
  for (const [event, listener] of Object.entries(on)) created.addEventListener(event, listener);
  Object.assign(created.dataset, data);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) created.setAttribute(key, value === true ? "" : value);
  }
  created.append(...children);
  return created;
}

export const count = (number) => number.toLocaleString("en");

/** "1 image", "7 images". */
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
