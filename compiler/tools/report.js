/* report.js: draws what the tables of a report cannot show, from the report's own data. */
(function () {
  "use strict";
  var D = JSON.parse(document.getElementById("data").textContent);
  var SVG = "http://www.w3.org/2000/svg";
  var $ = function (id) { return document.getElementById(id); };
  document.documentElement.className = "live";

  function el(parent, name, attributes, text) {
    var e = document.createElementNS(SVG, name);
    for (var k in attributes) e.setAttribute(k, attributes[k]);
    if (text !== undefined) e.textContent = text;
    parent.appendChild(e);
    return e;
  }
  function bytes(n) {
    return n >= 1048576 ? (n / 1048576).toFixed(1) + " MiB" : n >= 1024 ? (n / 1024).toFixed(1) + " KiB" : n + " B";
  }
  function cut(s, n) { return s.length <= n ? s : "\u2026" + s.slice(s.length - n + 1); }

  /* ---- the graph: layers as they run, or nodes as imported ---- */

  var layers = D.layers || [], imported = D.imported || [], slowest = 0,
      shown = "layers", zoom = 1, picked = -1;
  var size_of = {};
  layers.forEach(function (l) { slowest = Math.max(slowest, l.ms || 0); });
  (D.buffers || []).forEach(function (v) { size_of[v.value] = v.bytes; });
  imported.forEach(function (n) { /* f32, as far as is known */
    (n.outputs || []).forEach(function (v) { if (!size_of[v]) size_of[v] = 4 * (n.what.match(/\d+/g) || []).reduce(function (a, d) { return a * d; }, 1); });
  });

  function hue(word) {
    var h = 7;
    for (var i = 0; i < word.length; i++) h = (h * 31 + word.charCodeAt(i)) % 360;
    return h;
  }
  function fill(n) {
    var dark = matchMedia("(prefers-color-scheme: dark)").matches;
    if ($("colour").value === "time" && slowest) {
      var t = Math.sqrt((n.ms || 0) / slowest);
      return "hsl(" + (210 - 195 * t) + " " + (25 + 55 * t) + "% " + (dark ? 22 + 18 * t : 92 - 22 * t) + "%)";
    }
    return "hsl(" + hue(n.operator) + " 45% " + (dark ? 26 : 86) + "%)";
  }
  function title(n) { return n.node + " (" + n.operator + ")"; }

  var W = 330, X = 20, GAP = 16;
  function draw() {
    var list = shown === "layers" ? layers : imported, maker = {}, at = [], y = 14;
    var svg = document.createElementNS(SVG, "svg"), edges = el(svg, "g", {}), nodes = el(svg, "g", {}), widest = X + W;
    list.forEach(function (n, i) {
      var steps = n.steps || [];
      at[i] = { y: y, h: 34 + 13 * steps.length };
      y += at[i].h + GAP;
      (n.outputs || []).forEach(function (v) { maker[v] = i; });
    });
    list.forEach(function (n, i) {
      (n.inputs || []).forEach(function (v) {
        var from = maker[v];
        if (from === undefined || from >= i) return;
        var size = size_of[v] || 1;
        var width = Math.max(1, Math.min(9, Math.log2(size / 16384 + 1) * 0.9)), y0 = at[from].y + at[from].h, y1 = at[i].y;
        var d, x = X + 40;
        if (from === i - 1) d = "M" + x + " " + y0 + "L" + x + " " + y1;
        else {
          var out = X + W + Math.min(150, 14 + 9 * (i - from));
          widest = Math.max(widest, out);
          y0 = at[from].y + at[from].h / 2; y1 = at[i].y + at[i].h / 2;
          d = "M" + (X + W) + " " + y0 + "C" + out + " " + y0 + " " + out + " " + y1 + " " + (X + W) + " " + y1;
        }
        el(el(edges, "path", { class: "edge", d: d, "stroke-width": width.toFixed(1) }), "title", {}, v + ": " + bytes(size));
      });
    });
    list.forEach(function (n, i) {
      var g = el(nodes, "g", { class: "node", tabindex: 0, role: "button", "data-node": i, "aria-label": title(n), transform: "translate(" + X + " " + at[i].y + ")" });
      el(g, "rect", { width: W, height: at[i].h, rx: 5, fill: fill(n) });
      el(g, "text", { x: 8, y: 14 }, cut(n.operator + "  " + (n.what || ""), 46));
      el(g, "text", { x: 8, y: 28, class: "small" }, cut(n.node, 44));
      if (n.ms !== undefined) el(g, "text", { x: W - 8, y: 14, "text-anchor": "end" }, n.ms.toFixed(3) + " ms");
      (n.steps || []).forEach(function (s, k) { el(g, "text", { x: 18, y: 41 + 13 * k, class: "small" }, "+ " + s); });
      el(g, "title", {}, title(n));
    });
    var width = widest + 30;
    svg.setAttribute("viewBox", "0 0 " + width + " " + (y + 10));
    svg.setAttribute("width", width * zoom);
    svg.setAttribute("height", (y + 10) * zoom);
    svg.setAttribute("id", "drawing");
    $("view").replaceChildren(svg);
    narrow();
  }

  function row(dl, name, value) {
    if (value === undefined || value === null || value === "") return;
    dl.appendChild(document.createElement("dt")).textContent = name;
    dl.appendChild(document.createElement("dd")).textContent = value;
  }
  function pick(i) {
    var n = (shown === "layers" ? layers : imported)[i], box = $("detail"), dl = document.createElement("dl");
    if (!n) return;
    picked = i;
    box.replaceChildren();
    box.appendChild(document.createElement("strong")).textContent = title(n);
    row(dl, "number", i);
    row(dl, "shape", n.what);
    row(dl, "result", n.type && n.type + " [" + n.shape.join(", ") + "]");
    row(dl, "algorithm", n.algorithm);
    row(dl, "fused", (n.steps || []).join(", "));
    row(dl, "reads", (n.inputs || []).join(", "));
    row(dl, "makes", (n.outputs || []).join(", "));
    row(dl, "GFLOP", n.gflop ? n.gflop.toFixed(4) : undefined);
    row(dl, "moves", n.bytes && bytes(n.bytes));
    row(dl, "weights", n.weights && bytes(n.weights) + ", packed " + bytes(n.packed));
    row(dl, "ms", n.ms !== undefined ? n.ms.toFixed(4) : undefined);
    row(dl, "GFLOP/s", n.ms && n.gflop ? (n.gflop / n.ms * 1e3).toFixed(1) : undefined);
    row(dl, "error", n.error);
    row(dl, "became", n.fate);
    (n.candidates || []).forEach(function (c) {
      row(dl, c.chosen ? "chosen" : "instead", c.name + ", " + c.ms.toFixed(4) + " ms " + (c.measured ? "measured" : "estimated"));
    });
    box.appendChild(dl);
    document.querySelectorAll(".picked").forEach(function (e) { e.classList.remove("picked"); });
    var node = document.querySelector('#view [data-node="' + i + '"]'), line = document.querySelector('tr[data-layer="' + i + '"]');
    if (node) node.classList.add("picked");
    if (line && shown === "layers") line.classList.add("picked");
  }

  /* ---- search: name, operator, shape; the drawing and the table narrow ---- */

  function matches(n, words) {
    var text = (n.node + " " + n.operator + " " + (n.what || "") + " " + (n.algorithm || "") + " " + (n.shape || []).join("x")).toLowerCase();
    return words.every(function (w) { return text.indexOf(w) >= 0; });
  }
  function narrow() {
    var words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean), list = shown === "layers" ? layers : imported, first = null;
    document.querySelectorAll("#view .node").forEach(function (g) {
      var hit = matches(list[+g.dataset.node], words);
      g.classList.toggle("away", !hit);
      if (hit && words.length && !first) first = g;
    });
    document.querySelectorAll("tr[data-layer]").forEach(function (tr) { tr.hidden = !matches(layers[+tr.dataset.layer], words); });
    if (first) $("view").scrollTop = Math.max(0, first.getBoundingClientRect().top - $("drawing").getBoundingClientRect().top - 60);
  }

  function resize(by) {
    zoom = Math.max(0.15, Math.min(4, zoom * by));
    var svg = $("drawing"), box = svg.viewBox.baseVal;
    svg.setAttribute("width", box.width * zoom);
    svg.setAttribute("height", box.height * zoom);
  }

  if (layers.length) {
    draw();
    $("search").addEventListener("input", narrow);
    $("colour").addEventListener("change", draw);
    $("which").addEventListener("click", function () {
      shown = shown === "layers" ? "imported" : "layers";
      $("which").textContent = shown === "layers" ? "as imported" : "as it runs";
      $("which").setAttribute("aria-pressed", shown === "imported");
      draw();
    });
    $("closer").addEventListener("click", function () { resize(1.25); });
    $("farther").addEventListener("click", function () { resize(0.8); });
    $("view").addEventListener("wheel", function (e) {
      if (!e.ctrlKey) return;
      e.preventDefault();
      resize(e.deltaY < 0 ? 1.1 : 0.9);
    }, { passive: false });
    $("view").addEventListener("click", function (e) {
      var g = e.target.closest(".node");
      if (g) pick(+g.dataset.node);
    });
    $("view").addEventListener("keydown", function (e) {
      var g = e.target.closest(".node");
      if (g && (e.key === "Enter" || e.key === " ")) { e.preventDefault(); pick(+g.dataset.node); }
      if (e.key === "+") resize(1.25);
      if (e.key === "-") resize(0.8);
    });
    var from = null;
    $("view").addEventListener("pointerdown", function (e) { if (e.pointerType === "mouse") from = { x: e.clientX + $("view").scrollLeft, y: e.clientY + $("view").scrollTop }; });
    window.addEventListener("pointermove", function (e) { if (from) $("view").scrollTo(from.x - e.clientX, from.y - e.clientY); });
    window.addEventListener("pointerup", function () { from = null; });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    document.querySelectorAll("tr[data-layer]").forEach(function (tr) {
      tr.tabIndex = 0;
      function go() {
        if (shown !== "layers") $("which").click();
        pick(+tr.dataset.layer);
      }
      tr.addEventListener("click", go);
      tr.addEventListener("keydown", function (e) { if (e.key === "Enter") go(); });
    });
    pick(0);
  }

  /* ---- tables that sort ---- */

  document.querySelectorAll("table.sorts").forEach(function (table) {
    table.querySelectorAll("th").forEach(function (th, k) {
      var b = document.createElement("button");
      b.textContent = th.textContent;
      th.replaceChildren(b);
      b.addEventListener("click", function () {
        var up = th.getAttribute("aria-sort") !== "ascending", body = table.tBodies[0];
        var value = function (tr) { var v = tr.cells[k].dataset.v || tr.cells[k].textContent, n = parseFloat(v); return isNaN(n) || th.className !== "n" ? v : n; };
        table.querySelectorAll("th").forEach(function (h) { h.removeAttribute("aria-sort"); });
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        Array.from(body.rows).sort(function (a, c) {
          var x = value(a), y = value(c), d = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
          return up ? d : -d;
        }).forEach(function (tr) { body.appendChild(tr); });
      });
    });
  });

  /* ---- roofline ---- */

  function roofline() {
    var box = $("roof"), p = D.profile, w = 860, h = 400, l = 60, b = 40;
    if (!box || !p || !p.bandwidth_gbs) return;
    var dots = layers.filter(function (n) { return n.ms > 0 && n.gflop > 0 && n.bytes > 0; });
    if (!dots.length) return;
    var svg = el(box, "svg", { viewBox: "0 0 " + w + " " + h, class: "plot", role: "img", "aria-label": "GFLOP/s over FLOP a byte" });
    var xs = dots.map(function (n) { return n.gflop * 1e9 / n.bytes; }), ys = dots.map(function (n) { return n.gflop / n.ms * 1e3; });
    var ridge = p.peak_gflops / p.bandwidth_gbs;
    var x0 = Math.floor(Math.log10(Math.min.apply(null, xs.concat(ridge / 4)))), x1 = Math.ceil(Math.log10(Math.max.apply(null, xs.concat(ridge * 4))));
    var y0 = Math.floor(Math.log10(Math.min.apply(null, ys.concat(p.peak_gflops / 20)))), y1 = Math.ceil(Math.log10(Math.max.apply(null, ys.concat(p.peak_gflops * 1.1))));
    var sx = function (v) { return l + (Math.log10(v) - x0) / (x1 - x0) * (w - l - 20); }, sy = function (v) { return h - b - (Math.log10(v) - y0) / (y1 - y0) * (h - b - 20); };
    var k;
    for (k = x0; k <= x1; k++) {
      el(svg, "line", { class: "axis", x1: sx(Math.pow(10, k)), x2: sx(Math.pow(10, k)), y1: 20, y2: h - b });
      el(svg, "text", { class: "small", x: sx(Math.pow(10, k)), y: h - b + 15, "text-anchor": "middle" }, +Math.pow(10, k).toPrecision(1));
    }
    for (k = y0; k <= y1; k++) {
      el(svg, "line", { class: "axis", x1: l, x2: w - 20, y1: sy(Math.pow(10, k)), y2: sy(Math.pow(10, k)) });
      el(svg, "text", { class: "small", x: l - 6, y: sy(Math.pow(10, k)) + 4, "text-anchor": "end" }, +Math.pow(10, k).toPrecision(1));
    }
    var left = Math.max(Math.pow(10, x0), Math.pow(10, y0) / p.bandwidth_gbs);
    el(svg, "path", { class: "roof", d: "M" + sx(left) + " " + sy(left * p.bandwidth_gbs) + "L" + sx(ridge) + " " + sy(p.peak_gflops) + "L" + sx(Math.pow(10, x1)) + " " + sy(p.peak_gflops) });
    el(svg, "text", { x: w - 24, y: sy(p.peak_gflops) - 6, "text-anchor": "end" }, p.peak_gflops.toFixed(0) + " GFLOP/s");
    el(svg, "text", { x: sx(left) + 24, y: sy(left * p.bandwidth_gbs) - 4 }, p.bandwidth_gbs.toFixed(1) + " GB/s");
    el(svg, "text", { class: "small", x: w - 20, y: h - 6, "text-anchor": "end" }, "FLOP a byte");
    el(svg, "text", { class: "small", x: 4, y: 12 }, "GFLOP/s");
    dots.forEach(function (n, i) {
      var c = el(svg, "circle", { class: "dot", cx: sx(xs[i]), cy: sy(ys[i]), r: (3 + 14 * Math.sqrt(n.ms / slowest)).toFixed(1) });
      el(c, "title", {}, title(n) + "\n" + n.what + "\n" + n.ms.toFixed(3) + " ms, " + ys[i].toFixed(0) + " GFLOP/s");
      c.addEventListener("click", function () { pick(layers.indexOf(n)); });
    });
  }

  /* ---- memory: what lies where, and from which layer to which ---- */

  function memory() {
    var box = $("places"), w = 860, h = 320, l = 70, b = 30, n = layers.length;
    var list = (D.buffers || []).filter(function (v) { return v.place === "workspace" && v.bytes > 0 && v.last >= v.first; });
    if (!box || !list.length) return;
    var svg = el(box, "svg", { viewBox: "0 0 " + w + " " + h, class: "plot", role: "img", "aria-label": "bytes of the workspace over layers" }), top = 0, live = [];
    list.forEach(function (v) {
      top = Math.max(top, v.offset + v.bytes);
      for (var i = v.first; i <= v.last; i++) live[i] = Math.max(live[i] || 0, v.offset + v.bytes);
    });
    var sx = function (i) { return l + i / n * (w - l - 10); }, sy = function (o) { return h - b - o / top * (h - b - 16); };
    list.forEach(function (v) {
      var r = el(svg, "rect", { x: sx(v.first), y: sy(v.offset + v.bytes), width: Math.max(1.5, sx(v.last + 1) - sx(v.first) - 1), height: Math.max(1, sy(v.offset) - sy(v.offset + v.bytes) - 1), rx: 2, fill: "hsl(" + hue(v.alias || v.value) + " 45% 55%)", "fill-opacity": v.alias ? 0.45 : 0.8 });
      el(r, "title", {}, v.value + (v.alias ? " in the place of " + v.alias : "") + "\n" + bytes(v.bytes) + " at " + v.offset + ", layers " + v.first + " to " + v.last);
    });
    var most = live.indexOf(Math.max.apply(null, live.map(function (v) { return v || 0; })));
    el(svg, "line", { class: "peak", x1: sx(most + 0.5), x2: sx(most + 0.5), y1: 12, y2: h - b });
    el(svg, "text", { x: Math.min(sx(most + 0.5) + 5, w - 150), y: 12 }, "peak: layer " + most);
    el(svg, "text", { class: "small", x: l - 6, y: sy(top) + 9, "text-anchor": "end" }, bytes(top));
    el(svg, "text", { class: "small", x: l - 6, y: sy(0), "text-anchor": "end" }, "0");
    el(svg, "text", { class: "small", x: w - 10, y: h - 10, "text-anchor": "end" }, "layers 0 to " + (n - 1));
    el(svg, "line", { class: "axis", x1: l, x2: w - 10, y1: sy(0), y2: sy(0) });
  }

  roofline();
  memory();
})();
