"use strict";
(() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const dialog = document.querySelector("dialog");
  const title = document.getElementById("list-title");
  const order = document.getElementById("list-order");
  const gallery = dialog.querySelector("ul");

  const element = (name, text, className) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const picture = (row) => {
    const [name, confidence] = content.pictures[row];
    const item = document.createElement("li");
    const shown = document.querySelector(`main img[data-picture="${row}"]`);
    const source = content.thumbnails[row] || (shown && shown.src);
    if (source) {
      const image = document.createElement("img");
      image.src = source;
      image.alt = "";
      item.append(image);
    }
    item.append(element("p", name, "file"));
    if (confidence !== null) item.append(element("p", `${(100 * confidence).toFixed(1)}\u00a0% sure`, "sure"));
    return item;
  };

  const open = (key) => {
    const [heading, total, sorting, rows] = content.lists[key];
    title.textContent = heading;
    const number = rows.length < total ? `${rows.length} of ${total.toLocaleString("en")} pictures` : `${total} picture${total > 1 ? "s" : ""}`;
    order.textContent = sorting && total > 1 ? `${number}, ${sorting}` : number;
    gallery.replaceChildren(...rows.map(picture));
    gallery.classList.toggle("names", !gallery.querySelector("img"));
    dialog.showModal();
  };

  for (const cell of document.querySelectorAll("[data-list]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    button.append(element("span", `: show ${content.lists[cell.dataset.list][0]}`, "unseen"));
    button.addEventListener("click", () => open(cell.dataset.list));
    cell.append(button);
  }

  // A matrix is one stop of the Tab key; the arrow keys go to the next cell that opens.
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  for (const matrix of document.querySelectorAll("table.matrix")) {
    const buttons = [...matrix.querySelectorAll("button")];
    buttons.forEach((button, at) => (button.tabIndex = at ? -1 : 0));
    matrix.addEventListener("focusin", (event) => {
      buttons.forEach((button) => (button.tabIndex = button === event.target ? 0 : -1));
    });
    matrix.addEventListener("keydown", (event) => {
      const step = steps[event.key];
      const from = document.activeElement.closest("td");
      if (!step || !from) return;
      event.preventDefault();
      const rows = [...matrix.tBodies[0].rows];
      let row = rows.indexOf(from.parentElement) + step[0];
      let column = from.cellIndex + step[1];
      while (rows[row] && rows[row].cells[column]) {
        const next = rows[row].cells[column].querySelector("button");
        if (next) {
          next.focus();
          return;
        }
        row += step[0];
        column += step[1];
      }
    });
  }

  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  for (const hint of document.querySelectorAll(".opens")) hint.hidden = false;
})();
