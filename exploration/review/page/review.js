// The review page: keys and buttons perform actions of the current view; decisions are saved at once.

import { getProgress, getSession } from "./api.js";
import { Detail } from "./detail.js";
import { byId, element } from "./dom.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Header } from "./header.js";
import { BINDINGS, keyName, listen } from "./keys.js";
import { Saves } from "./saves.js";
import { Review, decisionText, labelText, subjectText } from "./state.js";
import { Zoom } from "./zoom.js";

const PROGRESS = 10000; // milliseconds between requests for progress, which decisions ask for at once
const RATE_OF = 5; // minutes over which the rate is computed
const UNDONE_AT_MOST = 500;
const VIEW_NAMES = { one: "One by one", mark: "Step 1: mark", check: "Step 2: check", class: "Step 3: class" };

class App {
  constructor(session) {
    this.review = new Review(session);
    this.storage = `rarebird ${session.corrections} ${session.images.version}`;
    this.saves = new Saves(this.review, `${this.storage} unsaved`);
    this.reviewer = localStorage.getItem("rarebird reviewer") || session.reviewer;
    this.done = JSON.parse(sessionStorage.getItem(`${this.storage} undo`) ?? "[]"); // batches of posts that undo
    this.times = []; // of own decisions
    this.zoom = new Zoom();
    this.header = new Header(this);
    this.grid = new Grid(this);
    this.detail = new Detail(this);
    this.filters = new Filters(this, () => this.show());
    this.view = "one";
    byId("title").textContent = session.title;
    document.title = session.title;
    byId("file").textContent = session.corrections;
    this.#showReviewer();
    this.#listen();
  }

  async start() {
    await this.saves.start();
    const kept = sessionStorage.getItem(`${this.storage} view`);
    this.setView(VIEW_NAMES[kept] ? kept : this.review.session.source === "all" ? "mark" : "one");
    this.#askProgress();
    setInterval(() => this.#askProgress(), PROGRESS);
  }

  #listen() {
    this.review.addEventListener("change", ({ detail: items }) => {
      (this.view === "mark" ? this.grid : this.detail).update(items);
      this.#later(() => this.header.showCounts());
    });
    this.saves.addEventListener("status", () => this.header.showSaves());
    this.saves.addEventListener("refused", ({ detail }) => {
      if (detail.post.action === "undo") this.announce(`Not undone: ${detail.message}.`); // another window has decided since
      else this.header.refused(detail.message);
    });
    byId("refused-close").addEventListener("click", () => {
      byId("refused").hidden = true;
    });
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-action]");
      if (!button) return;
      this.perform(button.dataset.action, event);
      // After a click, the keys are for the images and not for the button.
      if (event.detail && !document.querySelector("dialog[open]") && button.dataset.action !== "search") this.focusView();
    });
    listen(() => this.view, (action, event) => this.perform(action, event), () => byId("single-keys").checked);
    byId("single-keys").checked = localStorage.getItem("rarebird single keys") !== "off";
    byId("single-keys").addEventListener("change", (event) => localStorage.setItem("rarebird single keys", event.target.checked ? "on" : "off"));
    byId("reviewer-form").addEventListener("submit", () => this.#setReviewer(byId("reviewer-name").value.trim()));
  }

  // Once per frame, however many changes there are.
  #later(work) {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      work();
    });
  }

  perform(action, event) {
    const own = { undo: () => this.undo(), help: () => this.#help(), search: () => this.#toSearch(), disagreements: () => this.header.openDisagreements(), reviewer: () => this.#askReviewer() };
    const view = this.view === "mark" ? this.grid : this.detail;
    if (action.startsWith("view-")) this.setView(action.slice(5));
    else if (own[action]) own[action]();
    else if (action in view && (view.current || action === "acceptPage")) view[action](event);
  }

  #toSearch() {
    byId("query").focus();
    byId("query").select();
  }

  setView(view, uid = null) {
    this.view = view;
    sessionStorage.setItem(`${this.storage} view`, view);
    document.body.dataset.view = view;
    for (const tab of document.querySelectorAll("nav [data-action]")) {
      const isCurrent = tab.dataset.action === `view-${view}`;
      if (isCurrent) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    byId("mark").hidden = view !== "mark";
    byId("detail").hidden = view === "mark";
    byId("detail-name").textContent = VIEW_NAMES[view];
    this.show(uid);
    this.focusView();
    this.announce(`${VIEW_NAMES[view]}.`);
  }

  /** Shows the items of the view, by the filters. */
  show(uid = null) {
    if (this.view === "mark") this.grid.show(this.filters.list(), { byClass: this.filters.isByClass, uid });
    else if (this.view === "one") this.detail.show("one", this.filters.list(), { uid });
    else this.detail.show(this.view, this.review.marked(this.filters.values), { uid });
  }

  /** Shows one item. */
  open(item) {
    if (!this.filters.list().includes(item)) this.filters.clear();
    this.setView("one", item.uid);
  }

  focusView() {
    (this.view === "mark" ? this.grid.root : byId("stage")).focus({ preventScroll: true });
  }

  announce(text) {
    this.header.announce(text);
  }

  nameOf(item) {
    return subjectText(item, this.review.session.grouped_by) || `image ${item.lead}`;
  }

  /**
   * Saves decisions, which one undo withdraws together.
   * @param {{item: object, action: string, value?: string, attribute?: string, row?: number}[]} entries
   * @param {string} text What is announced; without it, the decision.
   */
  decide(entries, text = "") {
    const posts = entries.map(({ item, action, value = "", attribute = item.attribute, row = item.row }) => ({
      item: item.id, row, group: item.group || null, attribute: action === "delete" ? "" : attribute, action, value, reviewer: this.reviewer,
      ...(item.id === null ? { source: "search" } : {}),
    }));
    this.#remember(posts.map((post) => ({ ...post, action: "undo", value: "" })), entries[0].item);
    this.times.push(...posts.map(() => Date.now()));
    this.saves.add(posts);
    this.announce(text || `${this.nameOf(entries[0].item)}, ${labelText(entries[0].item)}: ${decisionText(posts[0])}.`);
    this.#progressSoon();
  }

  /** Withdraws a mark. */
  withdraw(item) {
    const decision = this.review.decisionOf(item);
    if (decision.reviewer !== this.reviewer) {
      this.decide([{ item, action: "keep" }]);
      return;
    }
    const { row, group, attribute } = decision;
    const post = { item: item.id, row, group, attribute, action: "undo", value: "", reviewer: this.reviewer };
    this.#remember([{ ...post, action: "marked" }], item);
    this.saves.add([post]);
    this.announce(`${this.nameOf(item)}: mark withdrawn.`);
  }

  #remember(posts, item) {
    this.done.push({ posts, uid: item.uid, name: this.nameOf(item) });
    this.done = this.done.slice(-UNDONE_AT_MOST);
    sessionStorage.setItem(`${this.storage} undo`, JSON.stringify(this.done));
  }

  undo() {
    const last = this.done.pop();
    if (!last) {
      this.announce("There is nothing to undo.");
      return;
    }
    sessionStorage.setItem(`${this.storage} undo`, JSON.stringify(this.done));
    this.times.splice(-last.posts.length);
    this.saves.add(last.posts);
    this.announce(`Undone: ${last.name}${last.posts.length > 1 ? ` and ${last.posts.length - 1} more` : ""}.`);
    if (this.view !== "mark") this.detail.undone(last.uid);
    this.#progressSoon();
  }

  resolve(conflict, isOwn) {
    this.saves.resolve(conflict, isOwn);
    this.focusView();
  }

  /** Called if nothing in the list is left to do. */
  finished(step) {
    const texts = { one: "All items of the list are decided.", check: "All marked items were looked at: step 3 gives them the right class.", class: "No marked item is left." };
    this.announce(texts[step]);
    if (step !== "check") this.detail.update(this.detail.list);
  }

  /** Own decisions per minute in the last minutes; 0 if there are too few. */
  rate() {
    const recent = this.times.filter((time) => time > Date.now() - RATE_OF * 60000);
    if (recent.length < 3) return 0;
    return (recent.length - 1) / Math.max((Date.now() - recent[0]) / 60000, 1 / 60);
  }

  #progressSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#askProgress(), 1000);
  }

  async #askProgress() {
    const progress = await getProgress().catch(() => null);
    if (progress) this.header.showProgress(progress);
  }

  #showReviewer() {
    byId("reviewer-shown").textContent = this.reviewer || "nobody";
  }

  #askReviewer() {
    byId("reviewer-name").value = this.reviewer;
    byId("reviewer-dialog").showModal();
  }

  #setReviewer(name) {
    if (!name) return;
    this.reviewer = name;
    localStorage.setItem("rarebird reviewer", name);
    this.#showReviewer();
    this.announce(`${name} reviews.`);
  }

  #help() {
    const rows = BINDINGS.filter(({ views }) => views.includes(this.view)).map(({ keys, text }) => {
      const names = keys.length > 8 ? ["1 … 9"] : keys.filter((key) => key !== "Meta+z" && key !== "=").map(keyName);
      return element("tr", {}, element("td", {}, ...names.map((name) => element("kbd", { text: name }))), element("td", { text }));
    });
    byId("help-view").textContent = VIEW_NAMES[this.view];
    byId("help-rows").replaceChildren(...rows);
    byId("help").showModal();
  }
}

try {
  const app = new App(await getSession());
  await app.start();
} catch (error) {
  byId("failed").hidden = false;
  byId("failed-text").textContent = `The review cannot be loaded: ${error.message}`;
  throw error;
} finally {
  document.body.classList.remove("loading");
}
