// Keys and what they do. The buttons, the help and the keyboard all read this table.

const DETAIL = ["one", "check", "class"];
const ALL = ["mark", ...DETAIL];

/** action, keys, views in which they work, text of the help. The first key is the one that buttons show. */
export const BINDINGS = [
  { action: "keep", keys: ["k"], views: ALL, text: "Label is right" },
  { action: "keep", keys: ["Enter"], views: ["one"], text: "Label is right" },
  { action: "confirm", keys: ["Enter"], views: ["check"], text: "Label is wrong indeed: next image" },
  { action: "digit", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"], views: DETAIL, text: "Right class, or first digit of a number" },
  { action: "accept", keys: ["s"], views: ALL, text: "Accept the suggestion" },
  { action: "unsure", keys: ["u"], views: ALL, text: "Unsure" },
  { action: "delete", keys: ["d"], views: ALL, text: "Delete: leave it out of training" },
  { action: "mark", keys: ["x", " "], views: ALL, text: "Mark as wrong, or withdraw the mark" },
  { action: "acceptRow", keys: ["Enter"], views: ["mark"], text: "Row: all labels that are not marked are right" },
  { action: "acceptPage", keys: ["Shift+Enter"], views: ["mark"], text: "Page: all labels that are not marked are right" },
  { action: "undo", keys: ["z", "Ctrl+z", "Meta+z"], views: ALL, text: "Undo" },
  { action: "next", keys: ["ArrowRight", "ArrowDown"], views: DETAIL, text: "Next" },
  { action: "previous", keys: ["ArrowLeft", "ArrowUp"], views: DETAIL, text: "Previous" },
  { action: "nextOpen", keys: ["n"], views: DETAIL, text: "Next open one" },
  { action: "group", keys: ["g"], views: DETAIL, text: "All images of the group side by side" },
  { action: "findClass", keys: ["f"], views: DETAIL, text: "Find a class by its letters, or type a number" },
  { action: "nextAttribute", keys: ["t"], views: DETAIL, text: "Next attribute, if several are reviewed at once" },
  { action: "zoom", keys: ["+", "="], views: ALL, text: "Zoom" },
  { action: "heat", keys: ["h"], views: DETAIL, text: "Heat map of the predicted class, then of the label, then the image" },
  { action: "move", keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"], views: ["mark"], text: "Move" },
  { action: "view-one", keys: ["o"], views: ALL, text: "One by one" },
  { action: "view-mark", keys: ["m"], views: ALL, text: "Step 1: mark" },
  { action: "view-check", keys: ["v"], views: ALL, text: "Step 2: look again at what is marked" },
  { action: "view-class", keys: ["c"], views: ALL, text: "Step 3: give the right class" },
  { action: "search", keys: ["/"], views: ALL, text: "Search" },
  { action: "help", keys: ["?"], views: ALL, text: "Keys" },
];

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", "Shift+Enter": "Shift+Enter" };

export const keyName = (key) => NAMES[key] ?? key;

const byKey = new Map();
for (const { action, keys, views } of BINDINGS) {
  for (const key of keys) for (const view of views) byKey.set(`${view} ${key}`, action);
}

/** Whether an action is possible in a review: heat maps need a model. */
export const isPossible = (action, session) => action !== "heat" || session.heat;

/** The action of a key in a view; null if there is none. */
export function actionOf(event, view) {
  let key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.altKey) return null;
  if (event.ctrlKey) key = `Ctrl+${key}`;
  else if (event.metaKey) key = `Meta+${key}`;
  else if (event.shiftKey && key === "Enter") key = `Shift+${key}`;
  return byKey.get(`${view} ${key}`) ?? null;
}

// Enter and Space press a focused button; texts are typed.
function isForElement(event) {
  const { target } = event;
  if (target.closest("dialog")) return true;
  if (target.matches("textarea, select, input:not([type=checkbox])")) return true;
  return (event.key === "Enter" || event.key === " ") && target.matches("button, a, summary, input");
}

/**
 * Performs actions by keyboard.
 * @param {() => string} view Name of the current view.
 * @param {(action: string, event: KeyboardEvent) => void} perform
 * @param {() => boolean} areSingleKeysOn Whether keys without Ctrl work.
 */
export function listen(view, perform, areSingleKeysOn) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || isForElement(event)) return;
    const action = actionOf(event, view());
    if (!action || (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !areSingleKeysOn())) return;
    if (event.repeat && !["move", "next", "previous"].includes(action)) return; // a held key decides once
    event.preventDefault();
    perform(action, event);
  });
}
