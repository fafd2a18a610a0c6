"use strict";
// Puts the parts' layouts into each other (as draw/arrange.py does), draws them, and lets one look
// around: pan, zoom, open, close, search, cards, and a walk forward and backward.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const paper = byId("paper"), world = byId("world"), card = byId("card");
  const open = new Set(data.open);
  const first = data.gates.findIndex((gate) => !gate.leaf);
  let step = null; // null: everything is shown; else how many steps were walked
  let view = { x: 0, y: 0, scale: 1 };
  let drawing = null;
  let touched = false; // whether somebody looks at something: then the view stays

  // ---- layout: the plan of a part, with open parts inside --------------------------------------
  function block(key) {
    const plan = data.parts[key], inner = new Map();
    plan.items.forEach((item, i) => { if (item.part && open.has(item.key)) inner.set(i, block(item.key)); });
    const sizes = plan.nodes.map(([, low, high, deep]) => [low, high, deep]);
    for (const [i, each] of inner) sizes[i] = [each.anchor - each.low, each.high - each.anchor, each.deep];
    const made = { key, plan, inner, sizes, xs: pushed(plan, sizes, inner), tops: [], thick: [] };
    for (const edge of plan.edges) dockStraight(made, edge);
    stack(made);
    frame(made);
    return made;
  }

  function pushed(plan, sizes, inner) {
    const xs = plan.nodes.map((node) => node[0]);
    for (const row of plan.rows) {
      row.forEach((i, k) => {
        if (!inner.has(i)) return;
        for (const j of row.slice(0, k)) xs[j] -= sizes[i][0] - plan.nodes[i][1];
        for (const j of row.slice(k + 1)) xs[j] += sizes[i][1] - plan.nodes[i][2];
      });
    }
    return xs;
  }

  const isPort = (plan, i) => plan.items[i] !== undefined && plan.items[i].port !== undefined;
  const docks = (made, gate, enters) =>
    made.xs[made.plan.items.findIndex((item) => item.port === gate && item.enters === enters)] - made.anchor;
  const leaves = (made, edge) => {
    const inner = made.inner.get(edge.path[0]);
    return inner ? docks(inner, edge.source, false) : edge.out;
  };
  const arrives = (made, edge) => {
    const inner = made.inner.get(edge.path.at(-1));
    return inner ? docks(inner, edge.source, true) : edge.in;
  };

  function dockStraight(made, edge) {
    const { rows, nodes } = made.plan, path = edge.path;
    if (!path.slice(1, -1).every((i) => rows[nodes[i][4]].length === 1)) return;
    if (isPort(made.plan, path.at(-1)) && rows.at(-1).length === 1) {
      for (const i of path.slice(1)) made.xs[i] = made.xs[path[0]] + leaves(made, edge);
    } else if (isPort(made.plan, path[0]) && rows[0].length === 1) {
      for (const i of path.slice(0, -1)) made.xs[i] = made.xs[path.at(-1)] + arrives(made, edge);
    }
  }

  function pads(plan) {
    const { strip, pad, margin } = data.sizes;
    if (plan.kind === "graph") return [margin, margin, margin, margin];
    return data.right ? [pad, pad, strip, pad] : [strip, pad, pad, pad];
  }

  function stack(made) {
    const { plan, sizes, tops, thick } = made;
    const ports = plan.items.filter((item) => item.port !== undefined);
    const enters = ports.some((port) => port.enters), exits = ports.some((port) => !port.enters);
    const [before, after] = pads(plan);
    let along = enters ? 0 : before;
    plan.rows.forEach((row, r) => {
      if (r) along = r === 1 && enters ? before : along + plan.gaps[r];
      tops.push(along);
      thick.push(Math.max(0, ...row.map((i) => sizes[i][2])));
      along += thick.at(-1);
    });
    made.deep = along + (exits ? 0 : after);
    if (exits) made.deep = tops[tops.length - 1] = tops.at(-2) + thick.at(-2) + after;
  }

  function frame(made) {
    const { plan, xs, sizes } = made;
    const [, , low, high] = pads(plan);
    made.low = Math.min(...xs.map((x, i) => x - sizes[i][0])) - low;
    made.high = Math.max(...xs.map((x, i) => x + sizes[i][1])) + high;
    if (data.right) {
      made.deep = Math.max(made.deep, plan.wide);
      if (isPort(plan, plan.items.length - 1)) made.tops[made.tops.length - 1] = made.deep;
    } else if (made.high - made.low < plan.wide) {
      const short = plan.wide - (made.high - made.low);
      made.low -= short / 2;
      made.high += short / 2;
    }
    const at = xs.filter((_, i) => isPort(plan, i));
    made.anchor = at.length ? (at[0] + at.at(-1)) / 2 : (made.low + made.high) / 2;
  }

  // ---- drawing: shapes as text, put into the world at once ---------------------------------------
  const n = (number) => Math.round(number * 10) / 10;
  const rect = (across, along, wide, deep) => data.right ? [along, across, deep, wide] : [across, along, wide, deep];
  const escaped = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

  function top(made, i) {
    const row = made.plan.nodes[i][4], room = made.thick[row] - made.sizes[i][2];
    const item = made.plan.items[i];
    return made.tops[row] + (item && item.leaf ? room : room / 2);
  }

  function put(made, across, along, out) {
    const { plan, inner, sizes, xs } = made;
    plan.items.forEach((item, i) => {
      if (item.port !== undefined) return;
      const [low, high, deep] = sizes[i];
      const place = rect(across + xs[i] - low, along + top(made, i), low + high, deep);
      if (inner.has(i)) {
        out.frames.push({ key: item.key, place });
        put(inner.get(i), across + xs[i] - inner.get(i).anchor, along + top(made, i), out);
      } else out.boxes.push({ key: item.key, place, svg: item.svg, part: item.part, wide: item.wide, leaf: item.leaf });
    });
    plan.edges.forEach((edge) => connect(made, edge, across, along, out));
  }

  function connect(made, edge, across, along, out) {
    const last = edge.path.length - 1, end = edge.path[last];
    const stations = edge.path.map((i, k) => {
      const row = made.plan.nodes[i][4];
      let above = made.tops[row], below = above + made.thick[row];
      if (k === 0) above = top(made, i) + made.sizes[i][2];
      else if (k === last) below = top(made, i);
      const x = across + made.xs[i] + (k === 0 ? leaves(made, edge) : k === last ? arrives(made, edge) : 0);
      return data.right ? [along + above, x, along + below, x] : [x, along + above, x, along + below];
    });
    out.lines.push({ stations: stations.slice(edge.begin), arrow: edge.arrow && !made.inner.has(end), edge });
    if (edge.label === undefined) return;
    const [low, high, deep] = made.sizes[edge.label];
    const place = rect(across + made.xs[edge.label] - low, along + top(made, edge.label), low + high, deep);
    out.labels.push({ place, edge });
  }

  function way(stations) {
    let [x1, y1, x, y] = stations[0];
    let text = `M${n(x1)} ${n(y1)}L${n(x)} ${n(y)}`;
    for (const [a, b, c, d] of stations.slice(1)) {
      const bend = data.right
        ? `${n((x + a) / 2)} ${n(y)} ${n((x + a) / 2)} ${n(b)}`
        : `${n(x)} ${n((y + b) / 2)} ${n(a)} ${n((y + b) / 2)}`;
      text += `C${bend} ${n(a)} ${n(b)}`;
      if (a !== c || b !== d) text += `L${n(c)} ${n(d)}`;
      [x, y] = [c, d];
    }
    return text;
  }

  function framed({ key, place: [x, y, wide, high] }) {
    const plan = data.parts[key], [fill, stroke, dashed] = data.looks[plan.kind];
    return `<g class="frame" data-key="${key}"><rect x="${n(x)}" y="${n(y)}" width="${n(wide)}" height="${n(high)}"` +
      ` rx="8" fill="${fill}" fill-opacity=".45" stroke="${stroke}" stroke-opacity=".7"${dashed ? ' stroke-dasharray="5 3"' : ""}/></g>`;
  }

  const titled = ({ key, place: [x, y] }) =>
    `<g class="frame title" data-key="${key}" data-toggle="1" tabindex="0" role="button"><text class="f" x="${n(x + 10)}" y="${n(y + 17)}">` +
    `⊟ ${escaped(data.parts[key].title)}</text></g>`;

  const boxed = ({ key, place: [x, y, wide], svg, part }) =>
    `<g class="box" data-key="${key}" tabindex="0" role="button" transform="translate(${n(x)} ${n(y)})">${svg}` +
    (part ? `<text class="fold" data-toggle="1" x="${n(wide - 13)}" y="13">⊞</text>` : "") + "</g>";

  function draw() {
    const root = block(data.root);
    drawing = { boxes: [], frames: [], lines: [], labels: [] };
    put(root, -root.low, 0, drawing);
    const [, , wide, high] = rect(0, 0, root.high - root.low, root.deep);
    Object.assign(drawing, { wide, high });
    const line = ({ stations, arrow, edge }) =>
      `<path class="e${edge.flows ? "" : " n"}" d="${way(stations)}"${arrow ? ' marker-end="url(#a)"' : ""}><title>${escaped(edge.hint)}</title></path>`;
    const label = ({ place: [x, y], edge }) =>
      `<g class="label" transform="translate(${n(x)} ${n(y)})">${edge.svg}<title>${escaped(edge.hint)}</title></g>`;
    world.innerHTML = [
      `<style>${data.style}</style>`, ...drawing.frames.map(framed), ...drawing.lines.map(line), ...drawing.boxes.map(boxed),
      ...drawing.frames.map(titled), ...drawing.labels.map(label),
    ].join("");
    reveal();
  }

  // ---- the walk: leaves are known, then values box by box, then gradients back ------------------
  // A gate that is inside a closed part is walked with that part.
  const seen = (number) => data.gates[number].parts.find((key) => !open.has(key)) || `gate ${number}`;

  function order() {
    const found = [...new Set(data.gates.map((_, i) => i).filter((i) => i >= first).map(seen))];
    return { found, place: new Map(found.map((key, i) => [key, i])) };
  }

  function reveal() {
    const { found, place } = order(), count = found.length;
    const forward = step === null ? count : Math.min(step, count);
    const backward = step === null ? count + 1 : Math.max(0, step - count);
    const nodes = world.querySelectorAll(".label");
    drawing.labels.forEach(({ edge }, i) => {
      const made = place.has(seen(edge.source)) ? place.get(seen(edge.source)) : -1;
      const used = edge.first === null ? count : place.get(seen(edge.first));
      const [value, gradient] = nodes[i].querySelectorAll("text");
      value.classList.toggle("hidden", made >= forward);
      if (gradient) gradient.classList.toggle("hidden", count - used >= backward);
    });
    world.querySelectorAll(".box").forEach((each) => {
      const at = place.get(each.dataset.key);
      each.classList.toggle("later", at !== undefined && at >= forward);
    });
    byId("state").textContent = step === null ? "" : said(found, count);
  }

  function current(found, count) {
    if (!step) return null;
    return step <= count ? found[step - 1] : step === count + 1 ? null : found[2 * count + 1 - step];
  }

  function said(found, count) {
    if (step === 0) return "the leaves are known";
    if (step === count + 1) return "backward: the output's own gradient";
    return `${step <= count ? `forward ${step}` : `backward ${step - count - 1}`} of ${count}`;
  }

  function walk(to) {
    const { found } = order(), count = found.length;
    step = to === null ? null : Math.max(0, Math.min(2 * count + 1, to));
    reveal();
    const key = step === null ? null : current(found, count);
    if (key) choose(key, true);
  }

  const advance = (by) => {
    const { found } = order();
    walk(step === null ? (by > 0 ? 0 : 2 * found.length) : step + by);
  };

  // ---- cards, opening, closing, searching ---------------------------------------------------------
  function choose(key, follow) {
    touched = touched || key !== null;
    world.querySelectorAll(".chosen").forEach((each) => each.classList.remove("chosen"));
    const node = key && world.querySelector(`.box[data-key="${key}"], .frame[data-key="${key}"]`);
    if (node) node.classList.add("chosen");
    const part = data.parts[key];
    card.innerHTML = !key ? "" : part ? part.card : data.gates[Number(key.slice(5))].card;
    if (part && key !== data.root) card.append(toggler(key));
    if (node && follow) look(key);
  }

  function toggler(key) {
    const button = document.createElement("button");
    button.className = "toggle";
    button.textContent = open.has(key) ? "close" : "open";
    button.onclick = () => toggle(key);
    return button;
  }

  function toggle(key) {
    const before = where(key);
    if (open.has(key)) open.delete(key); else open.add(key);
    step = null;
    draw();
    const after = where(key);
    if (before && after) { // what was clicked stays under the pointer
      view.x += (before[0] - after[0]) * view.scale;
      view.y += (before[1] - after[1]) * view.scale;
    }
    move();
    choose(key, false);
  }

  const where = (key) => ([...drawing.boxes, ...drawing.frames].find((each) => each.key === key) || {}).place;

  function setAll(keys) {
    open.clear();
    [data.root, ...keys].forEach((key) => open.add(key));
    step = null;
    draw();
    fit();
    choose(null);
  }

  function find(text) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return null;
    const names = [
      ...data.gates.map((gate, i) => [gate.name, `gate ${i}`, gate.parts]),
      ...Object.entries(data.parts).filter(([key]) => key !== data.root).map(([key, part]) => [part.name || part.title, key, above(part.parent)]),
    ];
    const rank = ([name]) => { const at = name.toLowerCase(); return at === wanted ? 0 : at.startsWith(wanted) ? 1 : at.includes(wanted) ? 2 : 3; };
    const best = names.map((each, i) => [rank(each), i, each]).sort((a, b) => a[0] - b[0] || a[1] - b[1])[0];
    if (!best || best[0] === 3) return null;
    const [, key, around] = best[2];
    if (around.some((part) => !open.has(part))) { around.forEach((part) => open.add(part)); draw(); }
    choose(key, true);
    return key;
  }

  function above(key) {
    const found = [];
    for (let at = key; at; at = data.parts[at].parent) found.unshift(at);
    return found;
  }

  // ---- looking around -----------------------------------------------------------------------------
  const move = () => world.setAttribute("transform", `translate(${n(view.x)} ${n(view.y)}) scale(${view.scale})`);

  function fit() {
    const wide = paper.clientWidth || 800, high = paper.clientHeight || 600;
    const whole = Math.min(wide / drawing.wide, high / drawing.high);
    const scale = Math.min(1.5, Math.max(whole, Math.min(0.7, wide / drawing.wide)));
    view = { scale, x: Math.max(0, (wide - drawing.wide * scale) / 2), y: Math.max(0, (high - drawing.high * scale) / 2) };
    move();
  }

  function look(key) {
    const place = where(key);
    if (!place) return;
    const [x, y, wide, high] = place;
    if (view.scale < 0.5) view.scale = 0.8;
    const left = view.x + x * view.scale, up = view.y + y * view.scale;
    const inside = left > 0 && up > 0 && left + wide * view.scale < paper.clientWidth && up + high * view.scale < paper.clientHeight;
    if (!inside) {
      view.x = paper.clientWidth / 2 - (x + wide / 2) * view.scale;
      view.y = paper.clientHeight / 2 - (y + Math.min(high, paper.clientHeight / view.scale) / 2) * view.scale;
    }
    move();
  }

  function zoom(by, x, y) {
    const scale = Math.max(0.02, Math.min(6, view.scale * by)), true_ = scale / view.scale;
    view = { scale, x: x - (x - view.x) * true_, y: y - (y - view.y) * true_ };
    move();
  }

  function listen() {
    let from = null, moved = false;
    paper.addEventListener("pointerdown", (event) => { from = [event.clientX - view.x, event.clientY - view.y]; moved = false; });
    window.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [x, y] = [event.clientX - from[0], event.clientY - from[1]];
      if (Math.abs(x - view.x) + Math.abs(y - view.y) > 3) moved = true;
      if (!moved) return;
      touched = true;
      paper.classList.add("moving");
      Object.assign(view, { x, y });
      move();
    });
    window.addEventListener("pointerup", () => { from = null; paper.classList.remove("moving"); });
    paper.addEventListener("wheel", (event) => {
      touched = true;
      event.preventDefault();
      const box = paper.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    const pressed = (event, twice) => {
      if (moved) return;
      const node = event.target.closest("[data-key]");
      if (!node) return choose(null);
      const key = node.dataset.key;
      if (data.parts[key] && (twice || event.target.closest("[data-toggle]"))) toggle(key); else choose(key, false);
    };
    paper.addEventListener("click", (event) => pressed(event, false));
    paper.addEventListener("dblclick", (event) => pressed(event, true));
    paper.addEventListener("keydown", (event) => { if (event.key === "Enter") pressed(event, true); });
    const search = byId("search");
    search.addEventListener("change", () => find(search.value));
    byId("names").append(...[...new Set(data.gates.map((gate) => gate.name))].map((name) => new Option(name)));
    const keys = {
      ArrowRight: () => advance(1), ArrowLeft: () => advance(-1), Home: () => walk(0), Escape: () => walk(null),
      "/": () => search.focus(), 0: fit, "+": () => zoom(1.25, paper.clientWidth / 2, paper.clientHeight / 2),
      "-": () => zoom(0.8, paper.clientWidth / 2, paper.clientHeight / 2),
    };
    window.addEventListener("keydown", (event) => {
      if (event.target === search || !(event.key in keys)) return;
      event.preventDefault();
      keys[event.key]();
    });
    byId("next").onclick = () => advance(1);
    byId("back").onclick = () => advance(-1);
    byId("start").onclick = () => walk(0);
    byId("end").onclick = () => walk(null);
    byId("fit").onclick = fit;
    byId("open").onclick = () => setAll(Object.keys(data.parts));
    byId("close").onclick = () => setAll([]);
    window.addEventListener("resize", () => { if (!touched) fit(); });
  }

  listen();
  draw();
  fit();
  // What a test drives: the same functions that the buttons call.
  window.chainrule = { data, open, draw, walk, advance, find, toggle, setAll, zoom, choose, drawing: () => drawing, view: () => view };
})();
