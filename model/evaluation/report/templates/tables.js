// Tables of a page: sorting, searching and unfolding, and the faded edge of a table that is wider than its region.
"use strict";
(() => {
  const element = (name, text, className) => {
    const created = document.createElement(name);
    created.textContent = text;
    if (className) created.className = className;
    return created;
  };

  // A sortable table: a button in each header, a search field, and the rows after the first of many are hidden.
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (one, other) => {
    if (typeof one === typeof other) return typeof one === "number" ? one - other : one.localeCompare(other);
    return typeof one === "number" ? 1 : -1;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const all = [...body.rows];
    const unfolded = Number(table.dataset.unfolded);
    const noun = table.dataset.noun;
    let isFolded = all.length > unfolded;
    const tools = element("div", "", "tools");
    const search = document.createElement("input");
    search.type = "search";
    const label = element("label", `Find among the ${all.length.toLocaleString("en")} ${noun} `);
    label.append(search);
    const status = element("span", "", "soft");
    status.setAttribute("role", "status");
    const more = element("button", `Show all ${all.length.toLocaleString("en")} ${noun}`, "close");
    more.type = "button";
    const refresh = () => {
      const words = search.value.trim().toLowerCase();
      let shown = 0;
      for (const row of body.rows) {
        const fits = !words || row.cells[0].textContent.toLowerCase().includes(words);
        row.classList.toggle("unfit", !fits);
        row.classList.toggle("folded", fits && isFolded && !words && shown >= unfolded);
        shown += fits;
      }
      status.textContent = words ? `${shown.toLocaleString("en")} found` : "";
      more.hidden = !isFolded || Boolean(words);
    };
    search.addEventListener("input", refresh);
    more.addEventListener("click", () => {
      isFolded = false;
      refresh();
    });
    if (all.length > 5) {
      tools.append(label, status);
      table.parentElement.before(tools);
      table.parentElement.after(more);
    }
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      if (header.classList.contains("scale")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      const name = button.textContent;
      button.addEventListener("click", () => {
        const isText = typeof value(all[0], column) === "string" && column === 0;
        const before = header.getAttribute("aria-sort");
        const ascending = before ? before === "descending" : isText;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        table.caption.textContent = `Sorted by ${name}, ${ascending ? "ascending" : "descending"}`;
        const sign = ascending ? 1 : -1;
        body.append(...all.toSorted((one, other) => sign * compare(value(one, column), value(other, column))));
        refresh();
      });
    });
    refresh();
  }

  // A table that is wider than its region fades out at the right edge.
  const fade = (region) => {
    region.classList.toggle("more", region.scrollLeft + region.clientWidth < region.scrollWidth - 1);
  };
  const watch = new ResizeObserver((entries) => entries.forEach((entry) => fade(entry.target)));
  for (const region of document.querySelectorAll(".scroll")) {
    region.addEventListener("scroll", () => fade(region), { passive: true });
    watch.observe(region);
    fade(region);
  }
})();
