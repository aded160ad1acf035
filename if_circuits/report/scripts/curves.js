// Lines with their bands; every point can be pointed at, reached by arrow keys, and pressed.

const DASHES = ["", "7 4", "2 4", "9 3 2 3", "4 4", "12 4"];

function drawCurves(view, place) {
  const state = { choice: 0 };
  const tools = el("div", { class: "tools" });
  const body = el("div");
  const draw = () => body.replaceChildren(...curveChart(view, view.choices[state.choice]));
  if (view.choices.length > 1)
    tools.append(choose(view.choiceTitle || "show", view.choices.map((c, i) => [String(i), c.name]), "0", (v) => ((state.choice = Number(v)), draw())));
  tools.append(
    csvButton(view.title, () => [
      ["series", view.xTitle, view.unit, "low", "high", "n"],
      ...view.choices[state.choice].series.flatMap((s) => s.points.map((p, i) => [s.name, view.x[i], ...cellValues(p)])),
    ]),
  );
  place.append(tools, body);
  draw();
}

function curveChart(view, choice) {
  const [width, height, left, bottom] = [680, 320, 58, 44];
  const all = choice.series.flatMap((s) => s.points).filter(Boolean).flatMap((p) => [p.v, p.lo, p.hi]).filter((v) => v !== null && v !== undefined);
  if (!all.length) return [el("p", {}, choice.note || "Nothing was measured.")];
  const [least, most] = [Math.min(view.mid, ...all), Math.max(view.mid, ...all)];
  const pad = (most - least || 1) * 0.06;
  const x = (i) => left + ((width - left - 14) * (view.x.length < 2 ? 0.5 : i / (view.x.length - 1)));
  const y = (v) => 10 + (height - bottom - 10) * (1 - (v - least + pad) / (most - least + 2 * pad));
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "group", "aria-label": `${view.title}: ${choice.name}` });
  for (const tick of ticks(least - pad, most + pad)) {
    drawn.append(svg("line", { x1: left, x2: width - 14, y1: y(tick), y2: y(tick), class: "grid" }));
    drawn.append(svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, number(tick, 2)));
  }
  drawn.append(svg("line", { x1: left, x2: width - 14, y1: y(view.mid), y2: y(view.mid), class: "zero" }));
  const every = Math.ceil(view.x.length / 13);
  view.x.forEach((name, i) => i % every || drawn.append(svg("text", { x: x(i), y: height - bottom + 18, "text-anchor": "middle" }, String(name))));
  drawn.append(svg("text", { x: (left + width) / 2, y: height - 6, "text-anchor": "middle" }, view.xTitle));
  drawn.append(svg("text", { x: 12, y: (height - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(height - bottom) / 2})` }, view.unit));
  for (const series of choice.series) {
    const known = series.points.map((p, i) => [p, i]).filter(([p]) => p && p.v !== null);
    const banded = known.filter(([p]) => p.lo !== null && p.hi !== null);
    if (banded.length > 1)
      drawn.append(svg("polygon", { points: [...banded.map(([p, i]) => `${x(i)},${y(p.hi)}`), ...banded.reverse().map(([p, i]) => `${x(i)},${y(p.lo)}`)].join(" "), class: choice.series.length > 3 ? "band many" : "band", fill: series.colour }));
    drawn.append(svg("polyline", { points: known.map(([p, i]) => `${x(i)},${y(p.v)}`).join(" "), fill: "none", stroke: series.colour, "stroke-width": 2, "stroke-dasharray": DASHES[series.dash % DASHES.length] }));
  }
  const grid = choice.series.map((series) =>
    series.points.map((p, i) => {
      if (!p || p.v === null) return null;
      const heading = `${series.name}, ${view.x[i]}`;
      const point = svg("circle", { cx: x(i), cy: y(p.v), r: 4.5, fill: series.colour, class: "point", role: view.evidence ? "button" : "img", "aria-label": spoken(view, p, heading) });
      hoverable(point, () => cellFacts(view, p, heading));
      if (view.evidence) point.addEventListener("click", () => openEvidence(view, { row: series.task, col: p.col, choice: choice.key, cell: p, heading }));
      drawn.append(point);
      return point;
    }),
  );
  rove(grid);
  const key = el("ul", { class: "legend" });
  for (const series of choice.series) {
    const line = svg("svg", { viewBox: "0 0 34 10", class: "sample", "aria-hidden": "true" }, svg("line", { x1: 1, x2: 33, y1: 5, y2: 5, stroke: series.colour, "stroke-width": 3, "stroke-dasharray": DASHES[series.dash % DASHES.length] }));
    key.append(el("li", {}, line, series.name));
  }
  return [el("div", { class: "wide", role: "region", tabindex: "0", "aria-label": view.title }, drawn), key, el("p", { class: "small" }, choice.note || "")];
}

function ticks(low, high) {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + 1e-9; tick += step) found.push(tick);
  return found;
}
