// A large image in a dialog: zoomed by keys, wheel and buttons, panned by dragging or by arrow keys.

import { imageDetails, imageUrl } from "./api.js";
import { byId } from "./dom.js";

const STEP = 1.5;
const LARGEST = 8;
const PAN = 80; // pixels per arrow key

export class Zoom {
  constructor() {
    this.dialog = byId("zoom");
    this.frame = byId("zoom-frame");
    this.image = byId("zoom-image");
    this.dialog.addEventListener("keydown", (event) => this.#pressed(event));
    this.frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#scaleBy(event.deltaY < 0 ? 1.2 : 1 / 1.2);
    }, { passive: false });
    this.frame.addEventListener("pointerdown", (event) => this.#grabbed(event));
    byId("zoom-in").addEventListener("click", () => this.#scaleBy(STEP));
    byId("zoom-out").addEventListener("click", () => this.#scaleBy(1 / STEP));
    byId("zoom-close").addEventListener("click", () => this.dialog.close());
    byId("zoom-previous").addEventListener("click", () => this.#step(-1));
    byId("zoom-next").addEventListener("click", () => this.#step(1));
  }

  /** Opens an image among others; `alt` is its text for screen readers. */
  open(rows, row, alt = "") {
    this.rows = rows;
    this.at = Math.max(rows.indexOf(row), 0);
    this.alt = alt;
    this.#load();
    if (!this.dialog.open) this.dialog.showModal();
    this.frame.focus();
  }

  async #load() {
    const row = this.rows[this.at];
    Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.#apply();
    this.image.src = imageUrl(row, "large");
    this.image.alt = this.alt;
    byId("zoom-previous").disabled = this.at === 0;
    byId("zoom-next").disabled = this.at === this.rows.length - 1;
    byId("zoom-title").textContent = `Image ${this.at + 1} of ${this.rows.length}`;
    byId("zoom-about").textContent = "";
    const details = await imageDetails(row).catch(() => null);
    if (!details || row !== this.rows[this.at]) return;
    const labels = Object.entries(details.labels).map(([name, value]) => `${name} ${value}`).join(", ");
    byId("zoom-title").textContent = details.path;
    byId("zoom-about").textContent = `${labels} · ${details.width} × ${details.height} pixels`;
    this.image.alt = `${details.path}: ${labels}`;
  }

  #step(by) {
    if (!(this.at + by in this.rows)) return;
    this.at += by;
    this.#load();
  }

  #scaleBy(factor) {
    this.scale = Math.min(Math.max(this.scale * factor, 1), LARGEST);
    if (this.scale === 1) Object.assign(this, { x: 0, y: 0 });
    this.#apply();
  }

  #apply() {
    this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.frame.classList.toggle("zoomed", this.scale > 1);
  }

  #pan(x, y) {
    this.x += x;
    this.y += y;
    this.#apply();
  }

  #grabbed(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.frame.focus();
    this.frame.setPointerCapture(event.pointerId);
    let [x, y] = [event.clientX, event.clientY];
    const moved = (now) => {
      this.#pan(now.clientX - x, now.clientY - y);
      [x, y] = [now.clientX, now.clientY];
    };
    this.frame.addEventListener("pointermove", moved);
    const released = () => this.frame.removeEventListener("pointermove", moved);
    this.frame.addEventListener("lostpointercapture", released, { once: true });
  }

  #pressed(event) {
    const pans = { ArrowLeft: [PAN, 0], ArrowRight: [-PAN, 0], ArrowUp: [0, PAN], ArrowDown: [0, -PAN] };
    if (event.target.matches("button") && (event.key === "Enter" || event.key === " ")) return;
    if (event.key === "+" || event.key === "=") this.#scaleBy(STEP);
    else if (event.key === "-") this.#scaleBy(1 / STEP);
    else if (event.key === "0") this.#scaleBy(0);
    else if (event.key in pans && this.scale > 1) this.#pan(...pans[event.key]);
    else if (event.key === "ArrowLeft") this.#step(-1);
    else if (event.key === "ArrowRight") this.#step(1);
    else return;
    event.preventDefault();
  }
}
