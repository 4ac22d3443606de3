// What is reviewed and what was decided: the log of the server, and decisions of this window that are not saved yet.

const STATES = { keep: "decided", relabel: "decided", delete: "decided", marked: "marked", unsure: "unsure" };
const VERDICTS = new Set(["keep", "relabel", "delete"]);
const UNSAVED = 1e12; // order of decisions that have no sequence number yet

/** Key of what a decision is about: an image, or a whole group. Images that the channel lacks have a path only. */
export function targetOf({ row, group, path }) {
  if (typeof row === "number") return `row ${row}`;
  return path ? `path ${path}` : `group ${group}`;
}

/** Fires `change`, with the set of changed items as detail. */
export class Review extends EventTarget {
  constructor(session) {
    super();
    this.session = session;
    this.attributes = new Map(session.attributes.map((attribute) => [attribute.name, attribute]));
    this.seen = 0; // the last sequence number up to which all decisions are known
    this.logs = new Map(); // by target, decisions of the server in order
    this.sequences = new Set();
    this.pending = []; // posts that are not saved yet
    this.stacks = new Map(); // by target and attribute, decisions that were not undone
    this.related = new Map(); // by target, items whose state depends on it
    this.decisions = new Map(); // by item, the decision that holds
    this.counts = { open: 0, decided: 0, marked: 0, unsure: 0 };
    this.adHoc = new Map();
    this.items = session.items.map((item) => this.#prepare({ ...item, uid: String(item.id) }));
    this.counts.open = this.items.length;
  }

  #prepare(item) {
    item.lead = item.row ?? item.images[0]; // the image that stands for it
    item.row = item.level === "group" ? null : item.lead;
    item.target = targetOf({ row: item.row, group: item.group });
    for (const target of new Set([item.target, ...(item.group ? [`group ${item.group}`] : [])])) {
      if (!this.related.has(target)) this.related.set(target, []);
      this.related.get(target).push(item);
    }
    return item;
  }

  /** An item for an image that is not in the queue, for example a search result; `complete` adds its path and group. */
  itemOfRow(row) {
    if (!this.adHoc.has(row)) {
      const item = { id: null, uid: `row-${row}`, level: "image", attribute: "", given: "", suggested: "", reason: "" };
      Object.assign(item, { path: "", group: "", images: [row], neighbours: [], score: null });
      this.adHoc.set(row, this.#prepare(item));
      this.#update(item);
    }
    return this.adHoc.get(row);
  }

  complete(item, { path, group, labels }) {
    if (item.path) return;
    const given = Object.entries(labels).filter(([, value]) => value).map(([name, value]) => `${name} ${value}`).join(", ");
    Object.assign(item, { path, group, given });
    if (!group) return;
    this.related.set(`group ${group}`, [...(this.related.get(`group ${group}`) ?? []), item]);
    this.#update(item);
  }

  // Decisions by attribute of a target, without those undone; the last of each attribute holds.
  #stacksOf(target) {
    if (!this.stacks.has(target)) {
      const stacks = new Map();
      const unsaved = this.pending.filter((post) => post.target === target);
      for (const decision of [...(this.logs.get(target) ?? []), ...unsaved]) {
        const stack = stacks.get(decision.attribute) ?? [];
        stacks.set(decision.attribute, stack);
        if (decision.action !== "undo") stack.push(decision);
        else {
          const last = stack.findLastIndex((earlier) => earlier.reviewer === decision.reviewer);
          if (last >= 0) stack.splice(last, 1);
        }
      }
      this.stacks.set(target, stacks);
    }
    return this.stacks.get(target);
  }

  #latest(target, attribute) {
    let latest = null;
    for (const [name, stack] of this.#stacksOf(target)) {
      if (attribute !== "" && name !== "" && name !== attribute) continue;
      const last = stack.at(-1);
      if (last && (!latest || last.order > latest.order)) latest = last;
    }
    return latest;
  }

  /** The decision that holds for a target: an image's own, otherwise its group's. */
  decisionFor(row, group, attribute) {
    const own = row === null ? null : this.#latest(`row ${row}`, attribute);
    return own ?? (group ? this.#latest(`group ${group}`, attribute) : null);
  }

  decisionOf(item) {
    return this.decisions.get(item.uid) ?? null;
  }

  stateOf(item) {
    const decision = this.decisionOf(item);
    return decision ? STATES[decision.action] : "open";
  }

  #update(item) {
    const before = this.stateOf(item);
    const decision = item.row === null ? this.#latest(item.target, item.attribute) : this.decisionFor(item.row, item.group, item.attribute);
    this.decisions.set(item.uid, decision);
    if (item.id !== null) {
      this.counts[before] -= 1;
      this.counts[this.stateOf(item)] += 1;
    }
  }

  #changed(targets) {
    const items = new Set();
    for (const target of targets) {
      this.stacks.delete(target);
      for (const item of this.related.get(target) ?? []) items.add(item);
    }
    for (const item of items) this.#update(item);
    if (targets.size) this.dispatchEvent(new CustomEvent("change", { detail: items }));
  }

  /** Shows posts as decided before they are saved. */
  addPending(posts) {
    for (const [index, post] of posts.entries()) {
      post.target = targetOf(post);
      post.order = UNSAVED + Date.now() + index / 1e4;
    }
    this.pending.push(...posts);
    this.#changed(new Set(posts.map((post) => post.target)));
  }

  /** Removes a post that was saved (the decision follows by addDecisions) or refused. */
  removePending(post) {
    this.pending = this.pending.filter((other) => other !== post);
    this.#changed(new Set([post.target]));
  }

  /** Adds decisions of the server; those known already are skipped. Returns the new ones. */
  addDecisions(decisions) {
    const added = decisions.filter((decision) => !this.sequences.has(decision.sequence));
    const targets = new Set();
    for (const decision of added) {
      this.sequences.add(decision.sequence);
      decision.target = targetOf(decision);
      decision.order = decision.sequence;
      const log = this.logs.get(decision.target) ?? [];
      log.push(decision);
      if (log.length > 1 && log.at(-2).order > decision.order) log.sort((one, other) => one.order - other.order);
      this.logs.set(decision.target, log);
      targets.add(decision.target);
    }
    this.#changed(targets);
    return added;
  }

  /** Forgets the decisions of the server. */
  forget() {
    const targets = new Set(this.logs.keys());
    this.logs.clear();
    this.sequences.clear();
    this.#changed(targets);
  }

  /** Items that match a filter, in the order of the queue. An empty value matches all. */
  list({ attribute = "", given = "", suggested = "", state = "" } = {}) {
    return this.items.filter(
      (item) =>
        (!attribute || item.attribute === attribute) &&
        (!given || item.given === given) &&
        (!suggested || item.suggested === suggested) &&
        (!state || this.stateOf(item) === state),
    );
  }

  /** Items that are marked, and images that were marked outside of the queue. */
  marked(filter) {
    // A mark on all labels of an image needs the classes of all attributes, which a suspect of one does not offer.
    const isOfAll = (item) => item.attribute && typeof this.decisionOf(item).row === "number" && !this.decisionOf(item).attribute;
    const listed = this.list({ ...filter, state: "marked" }).filter((item) => !isOfAll(item));
    const ofOne = new Map(this.items.map((item) => [item.target, Boolean(item.attribute)]));
    const rows = new Map([...this.pending, ...[...this.logs.values()].flat()].map(({ target, row }) => [target, row]));
    for (const [target, row] of rows) {
      if (typeof row !== "number") continue;
      if (ofOne.has(target) && !(ofOne.get(target) && this.#latest(target, "")?.attribute === "")) continue;
      const item = this.itemOfRow(row);
      if (this.stateOf(item) === "marked") listed.push(item);
    }
    return listed;
  }

  /** Targets on which reviewers disagree: [{target, row, group, attribute, verdicts: [decision of each reviewer]}]. */
  disagreements() {
    const found = [];
    for (const target of this.logs.keys()) {
      for (const [attribute, stack] of this.#stacksOf(target)) {
        const verdicts = new Map();
        for (const decision of stack) if (VERDICTS.has(decision.action)) verdicts.set(decision.reviewer, decision);
        const distinct = new Set([...verdicts.values()].map(({ action, value }) => `${action} ${value}`));
        if (distinct.size > 1) {
          const { row, group } = stack[0];
          found.push({ target, row, group, attribute, verdicts: [...verdicts.values()] });
        }
      }
    }
    return found;
  }

  /** The item of the queue about a target and attribute, if there is one. */
  find(target, attribute) {
    const items = this.related.get(target) ?? [];
    return items.find((item) => item.target === target && item.attribute === attribute) ?? items[0] ?? null;
  }
}

/** "gender: male"; all labels if no attribute is in doubt. */
export const labelText = (item) => (item.attribute ? `${item.attribute}: ${item.given}` : item.given || item.path || `image ${item.lead}`);

/** What a decision on an item is about: "person 000012", or the path of the image. */
export const subjectText = (item, groupedBy) => (item.row === null ? `${groupedBy || "group"} ${item.group}` : item.path);

/** A decision as a short text. */
export function decisionText({ action, value }) {
  const texts = { keep: "label is right", delete: "delete", marked: "marked as wrong", unsure: "unsure", undo: "undo" };
  return action === "relabel" ? `→ ${value}` : texts[action];
}
