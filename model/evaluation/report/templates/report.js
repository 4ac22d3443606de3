"use strict";
(() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const dialog = document.querySelector("dialog.pictures");
  const title = document.getElementById("list-title");
  const order = document.getElementById("list-order");
  const gallery = dialog.querySelector("ul");

  const element = (name, text, className) => {
    const created = document.createElement(name);
    created.textContent = text;
    if (className) created.className = className;
    return created;
  };
  const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
  const source = (row) => {
    const shown = document.querySelector(`main img[data-picture="${row}"]`);
    return (shown && shown.src) || content.thumbnails[row];
  };

  // An enlarged image with its most probable classes. Previous and Next go through the gallery it was opened from.
  const enlarged = document.querySelector("dialog.picture");
  const large = document.createElement("img"); // in the page once an image is opened
  large.alt = "";
  let neighbours = [];
  let at = 0;
  const show = (position) => {
    at = position;
    const row = neighbours[at];
    const [name, , truth, classes] = content.pictures[row];
    document.getElementById("picture-name").textContent = name;
    document.getElementById("picture-truth").textContent = `true: ${content.classes[truth]}`;
    large.src = source(row);
    enlarged.querySelector(".enlarged").prepend(large);
    document.getElementById("picture-classes").replaceChildren(
      ...classes.map(([code, share]) => element(code === truth ? "strong" : "span", `${content.classes[code]} ${percent(share)}`))
        .map((text) => {
          const item = document.createElement("li");
          item.append(text);
          return item;
        }),
    );
    for (const button of enlarged.querySelectorAll("[data-step]")) {
      button.disabled = !(at + Number(button.dataset.step) in neighbours);
    }
  };
  const step = (by) => {
    if (at + by in neighbours) show(at + by);
  };
  for (const button of enlarged.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => step(Number(button.dataset.step)));
  }
  enlarged.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  const enlargeable = (image, row) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.setAttribute("aria-label", `Enlarge ${content.pictures[row][0]}`);
    image.replaceWith(button);
    button.append(image);
    button.dataset.row = row;
    button.addEventListener("click", () => {
      neighbours = [...button.closest("ul, tbody").querySelectorAll("button.enlarge")].map((other) => other.dataset.row);
      show(neighbours.indexOf(String(row)));
      enlarged.showModal();
    });
  };
  for (const image of document.querySelectorAll("main img[data-picture]")) enlargeable(image, image.dataset.picture);

  const picture = (row) => {
    const [name, confidence] = content.pictures[row];
    const item = document.createElement("li");
    if (source(row)) {
      const image = document.createElement("img");
      image.src = source(row);
      image.alt = "";
      item.append(image);
      enlargeable(image, row);
    }
    item.append(element("p", name, "file"));
    if (confidence !== null) item.append(element("p", `probability ${percent(confidence)}`, "sure"));
    return item;
  };

  const open = (key) => {
    const [heading, total, sorting, rows] = content.lists[key];
    title.textContent = heading;
    const number = rows.length < total ? `${rows.length} of ${total.toLocaleString("en")} images` : `${total} image${total > 1 ? "s" : ""}`;
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

  // The Tab key reaches a matrix once; the arrow keys move to the next cell that has images.
  const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  for (const matrix of document.querySelectorAll("table.matrix")) {
    const buttons = [...matrix.querySelectorAll("button")];
    buttons.forEach((button, at) => (button.tabIndex = at ? -1 : 0));
    matrix.addEventListener("focusin", (event) => {
      buttons.forEach((button) => (button.tabIndex = button === event.target ? 0 : -1));
    });
    matrix.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      const from = document.activeElement.closest("td");
      if (!move || !from) return;
      event.preventDefault();
      const rows = [...matrix.tBodies[0].rows];
      let row = rows.indexOf(from.parentElement) + move[0];
      let column = from.cellIndex + move[1];
      while (rows[row] && rows[row].cells[column]) {
        const next = rows[row].cells[column].querySelector("button");
        if (next) {
          next.focus();
          return;
        }
        row += move[0];
        column += move[1];
      }
    });
  }

  for (const each of [dialog, enlarged]) {
    each.querySelector(".close").addEventListener("click", () => each.close());
    each.addEventListener("click", (event) => {
      if (event.target === each) each.close();
    });
  }

  for (const hint of document.querySelectorAll(".opens")) hint.hidden = false;
})();
