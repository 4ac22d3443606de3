// A scrolled list of which only the visible rows are in the page.

const OVERSCAN = 400; // pixels above and below
const FAST = 120; // pixels per frame above which nobody sees the images
const PAUSE = 80; // milliseconds without scrolling until images load that flew past

export class VirtualRows {
  /**
   * @param {HTMLElement} scroller The element that scrolls.
   * @param {(index: number) => HTMLElement} make Creates a row.
   * @param {string} role Role of the element around the rows.
   */
  constructor(scroller, make, role) {
    this.scroller = scroller;
    this.make = make;
    this.offsets = [0]; // tops of the rows, and the end
    this.shown = new Map();
    this.body = document.createElement("div");
    this.body.className = "virtual";
    this.body.setAttribute("role", role);
    scroller.append(this.body);
    let isAsked = false;
    scroller.addEventListener("scroll", () => {
      if (isAsked) return;
      isAsked = true;
      requestAnimationFrame(() => {
        isAsked = false;
        this.#measure();
        this.render();
      });
    }, { passive: true });
  }

  #measure() {
    const { scrollTop } = this.scroller;
    this.isFast = Math.abs(scrollTop - (this.position ?? 0)) > FAST;
    this.position = scrollTop;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.isFast = false;
      for (const image of this.body.querySelectorAll("img[data-src]")) {
        image.src = image.dataset.src;
        delete image.dataset.src;
      }
    }, PAUSE);
  }

  /** Sets the address of a row's image; during fast scrolling it loads after a pause. */
  load(image, url) {
    if (this.isFast) image.dataset.src = url;
    else image.src = url;
  }

  /** Replaces all rows. */
  setHeights(heights) {
    this.offsets = [0];
    for (const height of heights) this.offsets.push(this.offsets.at(-1) + height);
    this.body.style.height = `${this.offsets.at(-1)}px`;
    this.clear();
    this.render();
  }

  clear() {
    for (const row of this.shown.values()) this.#remove(row);
    this.shown.clear();
  }

  /** The first row that ends below a position. */
  at(position) {
    let [low, high] = [0, this.offsets.length - 2];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.offsets[middle + 1] > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  render() {
    const rows = this.offsets.length - 1;
    const { scrollTop, clientHeight } = this.scroller;
    if (!rows || !clientHeight) return this.clear();
    const first = this.at(scrollTop - OVERSCAN);
    const last = this.at(scrollTop + clientHeight + OVERSCAN);
    for (const [index, row] of this.shown) {
      if (index >= first && index <= last) continue;
      this.#remove(row);
      this.shown.delete(index);
    }
    for (let index = first; index <= last; index += 1) {
      if (!this.shown.has(index)) this.#insert(index);
    }
  }

  #insert(index) {
    const row = this.make(index);
    row.style.transform = `translateY(${this.offsets[index]}px)`;
    row.style.height = `${this.offsets[index + 1] - this.offsets[index]}px`;
    this.shown.set(index, row);
    this.body.append(row);
  }

  #remove(row) {
    for (const image of row.querySelectorAll("img")) image.removeAttribute("src"); // cancels its request
    row.remove();
  }

  /** Makes rows anew that are in the page. */
  refresh(indices) {
    for (const index of indices) {
      const row = this.shown.get(index);
      if (!row) continue;
      row.remove();
      this.#insert(index);
    }
  }

  /** Rows that are wholly visible: [first, last]. */
  visible() {
    const { scrollTop, clientHeight } = this.scroller;
    const first = this.at(scrollTop + 1);
    const from = this.offsets[first] >= scrollTop - 1 ? first : first + 1;
    let last = this.at(scrollTop + clientHeight - 1);
    if (this.offsets[last + 1] > scrollTop + clientHeight + 1) last -= 1;
    return [Math.min(from, Math.max(last, first)), Math.max(last, first)];
  }

  /** Scrolls as little as needed to show a row. */
  reveal(index) {
    const [top, bottom] = [this.offsets[index], this.offsets[index + 1]];
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (bottom > scrollTop + clientHeight) this.scroller.scrollTop = bottom - clientHeight;
    this.render();
  }
}
