// The map of a data report: a canvas of points that can be zoomed, moved, coloured and filtered, by mouse, touch and keyboard.
(() => {
  const map = JSON.parse(document.getElementById("content").textContent).map;
  const root = document.querySelector(".map");
  if (!map || !map.x.length || !root) return;
  root.hidden = false;
  const count = map.x.length;
  const canvas = root.querySelector("canvas");
  const context = canvas.getContext("2d");
  const card = root.querySelector(".map-card");
  const status = document.getElementById("map-status");
  const chooser = document.getElementById("map-colour");
  const legend = root.querySelector(".map-legend");
  const MARGIN = 18; // pixels around the whole map
  const CLOSE = 14; // pixels from a point within which it is meant
  const MOST_ZOOM = 80;
  const IMAGES_FROM = 30; // mean distance of visible points in pixels from which points are drawn as images
  const IMAGE_SIDE = 144; // pixels of the image of the card
  const PALETTE = [
    "#3f83dd", "#e2733a", "#2f9e74", "#c2479e", "#8a6fd6", "#b07d0c",
    "#d64f57", "#3196ab", "#7d8f2c", "#a9694d", "#64789b", "#c4709a",
  ];
  const colourOf = (code) => {
    if (colouring && code === colouring.none) return "#8a929b";
    const at = colouring && colouring.none >= 0 && code > colouring.none ? code - 1 : code;
    return PALETTE[at] || `hsl(${Math.round(at * 137.5) % 360} 45% 52%)`;
  };

  // Sheets of small images
  let ready = 0;
  const sheets = map.sheets.map((uri) => {
    const sheet = new Image();
    sheet.onload = () => {
      ready += 1;
      draw();
    };
    sheet.src = uri;
    return sheet;
  });
  const perSheet = map.columns * map.columns;
  const tileOf = (point) => {
    const at = point % perSheet;
    const [own, high] = [map.sizes[2 * point], map.sizes[2 * point + 1]]; // the image is in the middle of its tile
    const left = (at % map.columns) * map.tile + Math.floor((map.tile - own) / 2);
    const top = Math.floor(at / map.columns) * map.tile + Math.floor((map.tile - high) / 2);
    return [Math.floor(point / perSheet), left, top, own, high];
  };

  // View: position of the map's corner on the canvas, and pixels per step of the positions
  const view = { x: 0, y: 0, scale: 1 };
  let fitted = 1;
  let width = 0;
  let height = 0;
  let colouring = map.colours[0];
  let hidden = new Set(); // values that the legend leaves out
  let selected = -1;
  const isShown = (point) => !colouring || !hidden.has(colouring.codes[point]);
  const onX = (point) => view.x + map.x[point] * view.scale;
  const onY = (point) => view.y + map.y[point] * view.scale;
  const isVisible = (point) => {
    const x = onX(point);
    const y = onY(point);
    return x >= 0 && y >= 0 && x <= width && y <= height && isShown(point);
  };

  const draw = () => {
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const visible = [];
    for (let point = 0; point < count; point += 1) if (isVisible(point)) visible.push(point);
    const distance = Math.sqrt((width * height) / Math.max(visible.length, 1));
    const asImages = sheets.length && ready === sheets.length && distance > IMAGES_FROM && view.scale > 2 * fitted;
    const side = Math.min(Math.max(distance * 0.6, 20), 96);
    const radius = Math.min(2.2 + Math.log2(view.scale / fitted + 1) * 0.8, 6);
    for (const point of visible) {
      const code = colouring ? colouring.codes[point] : 0;
      context.fillStyle = colourOf(code);
      if (asImages) {
        const [sheet, left, top, own, high] = tileOf(point);
        const [wide, tall] = [(side * own) / map.tile, (side * high) / map.tile];
        const [x, y] = [onX(point) - wide / 2, onY(point) - tall / 2];
        context.fillRect(x - 2, y - 2, wide + 4, tall + 4);
        if (own) context.drawImage(sheets[sheet], left, top, own, high, x, y, wide, tall);
      } else {
        context.beginPath();
        context.arc(onX(point), onY(point), radius, 0, 2 * Math.PI);
        context.fill();
      }
    }
    if (selected >= 0 && isVisible(selected)) {
      context.strokeStyle = getComputedStyle(canvas).color;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(onX(selected), onY(selected), asImages ? side * 0.75 : radius + 4, 0, 2 * Math.PI);
      context.stroke();
    }
    canvas.dataset.points = visible.length;
    canvas.dataset.zoom = (view.scale / fitted).toFixed(2);
  };
  let isWaiting = false;
  const redraw = () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      draw();
      place();
    });
  };

  // The card of a point
  const element = (name, text) => {
    const created = document.createElement(name);
    created.textContent = text;
    return created;
  };
  const lines = (point) => [
    ...(map.groups.length ? [[map.grouped, map.groups[point]]] : []),
    ...map.colours.filter((one) => one.in_card).map((one) => [one.name, one.values[one.codes[point]]]).filter((line) => line[1]),
  ];
  const place = () => {
    card.hidden = selected < 0 || !isVisible(selected);
    if (card.hidden) return;
    const x = onX(selected);
    const left = x + 14 + card.offsetWidth > width ? x - 14 - card.offsetWidth : x + 14;
    card.style.left = `${Math.max(0, left)}px`;
    card.style.top = `${Math.min(Math.max(0, onY(selected) - 40), Math.max(0, height - card.offsetHeight))}px`;
  };
  const select = (point, isSpoken) => {
    if (point === selected) return;
    selected = point;
    if (point >= 0) {
      const picture = card.querySelector(".map-image");
      picture.hidden = !sheets.length;
      if (sheets.length) {
        const [sheet, left, top, own, high] = tileOf(point);
        const zoom = IMAGE_SIDE / Math.max(own, high, 1);
        picture.style.width = `${own * zoom}px`;
        picture.style.height = `${high * zoom}px`;
        picture.style.backgroundImage = `url(${map.sheets[sheet]})`;
        picture.style.backgroundSize = `${map.columns * map.tile * zoom}px auto`;
        picture.style.backgroundPosition = `${-left * zoom}px ${-top * zoom}px`;
      }
      card.querySelector(".file").textContent = map.paths[point];
      card.querySelector("dl").replaceChildren(
        ...lines(point).slice(0, 8).map(([name, value]) => {
          const line = document.createElement("div");
          line.append(element("dt", name), element("dd", value));
          return line;
        }),
      );
      if (isSpoken) status.textContent = `${map.paths[point]}: ${lines(point).map((line) => line.join(" ")).join(", ")}`;
    }
    redraw();
  };
  const nearest = (x, y, most) => {
    let best = -1;
    let least = most * most;
    for (let point = 0; point < count; point += 1) {
      const away = (onX(point) - x) ** 2 + (onY(point) - y) ** 2;
      if (away < least && isVisible(point)) {
        best = point;
        least = away;
      }
    }
    return best;
  };

  // Zoom and move
  const zoom = (factor, x = width / 2, y = height / 2) => {
    const scale = Math.min(Math.max(view.scale * factor, fitted * 0.8), fitted * MOST_ZOOM);
    view.x = x - ((x - view.x) * scale) / view.scale;
    view.y = y - ((y - view.y) * scale) / view.scale;
    view.scale = scale;
    redraw();
  };
  const move = (x, y) => {
    view.x += x;
    view.y += y;
    redraw();
  };
  const fit = () => {
    const widest = Math.max(...map.x) || 1;
    const highest = Math.max(...map.y) || 1;
    fitted = Math.min((width - 2 * MARGIN) / widest, (height - 2 * MARGIN) / highest);
    view.scale = fitted;
    view.x = (width - widest * fitted) / 2;
    view.y = (height - highest * fitted) / 2;
    redraw();
  };
  for (const button of root.querySelectorAll("[data-zoom]")) {
    const how = button.dataset.zoom;
    button.addEventListener("click", () => (how === "all" ? fit() : zoom(how === "in" ? 1.6 : 1 / 1.6)));
  }
  canvas.addEventListener(
    "wheel",
    (event) => {
      // without the focus the wheel scrolls the page
      if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), event.offsetX, event.offsetY);
    },
    { passive: false },
  );

  // Pointers: one moves the map, two zoom it
  const pointers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    canvas.classList.add("moving");
    if (event.pointerType !== "mouse") select(nearest(event.offsetX, event.offsetY, 2 * CLOSE));
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = [event.offsetX, event.offsetY];
    const before = pointers.get(event.pointerId);
    if (!before) {
      select(nearest(...now, CLOSE));
      return;
    }
    const other = [...pointers].find(([id]) => id !== event.pointerId);
    if (other) {
      const away = (from) => Math.hypot(from[0] - other[1][0], from[1] - other[1][1]);
      zoom(away(now) / Math.max(away(before), 1), ...other[1]);
    } else {
      move(now[0] - before[0], now[1] - before[1]);
    }
    pointers.set(event.pointerId, now);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => {
      pointers.delete(event.pointerId);
      canvas.classList.toggle("moving", pointers.size > 0);
    });
  }
  canvas.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && !pointers.size) select(-1);
  });

  // Keyboard
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const next = (direction) => {
    const from = selected >= 0 && isVisible(selected) ? [onX(selected), onY(selected)] : [width / 2, height / 2];
    if (selected < 0 || !isVisible(selected)) return nearest(...from, Infinity);
    let best = selected;
    let least = Infinity;
    for (let point = 0; point < count; point += 1) {
      if (point === selected || !isVisible(point)) continue;
      const along = (onX(point) - from[0]) * direction[0] + (onY(point) - from[1]) * direction[1];
      const across = Math.abs((onX(point) - from[0]) * direction[1] - (onY(point) - from[1]) * direction[0]);
      if (along > 0 && across <= along && along + 2 * across < least) {
        best = point;
        least = along + 2 * across;
      }
    }
    return best;
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = arrows[event.key];
    if (arrow && event.shiftKey) move(-60 * arrow[0], -60 * arrow[1]);
    else if (arrow) select(next(arrow), true);
    else if (event.key === "+" || event.key === "=") zoom(1.6, ...centre());
    else if (event.key === "-") zoom(1 / 1.6, ...centre());
    else if (event.key === "0") fit();
    else if (event.key === "Escape") select(-1);
    else return;
    event.preventDefault();
  });
  const centre = () => (selected >= 0 && isVisible(selected) ? [onX(selected), onY(selected)] : [width / 2, height / 2]);

  // Colours and legend
  const values = legend.querySelector(".map-values");
  const showLegend = () => {
    legend.querySelector("legend").textContent = colouring ? colouring.name : "";
    const counts = colouring ? colouring.values.map(() => 0) : [];
    if (colouring) for (const code of colouring.codes) counts[code] += 1;
    values.replaceChildren(
      ...counts.map((number, code) => {
        const label = document.createElement("label");
        const box = document.createElement("input");
        box.type = "checkbox";
        box.checked = !hidden.has(code);
        box.addEventListener("change", () => {
          if (box.checked) hidden.delete(code);
          else hidden.add(code);
          redraw();
        });
        const swatch = document.createElement("span");
        swatch.className = "swatch";
        swatch.style.background = colourOf(code);
        const name = element("span", colouring.values[code] || "(empty)");
        name.className = "name";
        const total = element("span", number.toLocaleString("en"));
        total.className = "number";
        label.append(box, swatch, name, total);
        return label;
      }),
    );
  };
  for (const button of legend.querySelectorAll("[data-choose]")) {
    button.addEventListener("click", () => {
      hidden = new Set(button.dataset.choose === "none" ? colouring.values.keys() : []);
      showLegend();
      redraw();
    });
  }
  chooser.replaceChildren(...map.colours.map((one) => element("option", one.name)));
  chooser.addEventListener("change", () => {
    colouring = map.colours[chooser.selectedIndex];
    hidden = new Set();
    showLegend();
    redraw();
  });
  showLegend();

  let isFitted = false;
  new ResizeObserver(() => {
    const before = [width, height];
    width = canvas.clientWidth;
    height = canvas.clientHeight;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    if (!isFitted || before[0] !== width) fit();
    isFitted = true;
    draw();
  }).observe(canvas);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
