// Points with intervals, one a row, and beside them what they are compared with.

function drawForest(view, place) {
  const state = { choice: 0 };
  const tools = el("div", { class: "tools" });
  const body = el("div");
  const draw = () => body.replaceChildren(...forestChart(view, view.choices[state.choice]));
  if (view.choices.length > 1)
    tools.append(choose(view.choiceTitle || "show", view.choices.map((c, i) => [String(i), c.name]), "0", (v) => ((state.choice = Number(v)), draw())));
  tools.append(csvButton(view.title, () => [["row", view.unit, "low", "high", "n"], ...view.choices[state.choice].rows.map((r) => [r.name, ...cellValues(r.cell)])]));
  place.append(tools, body);
  draw();
}

function forestChart(view, choice) {
  const rows = choice.rows;
  const values = rows.flatMap(({ cell }) => [cell.v, cell.lo, cell.hi, ...(cell.controls || []).map((c) => c.mean)]).filter((v) => v !== null && v !== undefined && Number.isFinite(v));
  if (!values.length) return [el("p", {}, choice.note || "Nothing was measured.")];
  const [least, most] = [Math.min(view.mid, ...values), Math.max(view.mid, ...values)];
  const pad = (most - least || 1) * 0.05;
  const [width, left, step] = [680, 170, 26];
  const height = rows.length * step + 44;
  const x = (v) => left + ((v - least + pad) / (most - least + 2 * pad)) * (width - left - 14);
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "group", "aria-label": `${view.title}: ${choice.name}` });
  for (const tick of ticks(least - pad, most + pad)) {
    drawn.append(svg("line", { x1: x(tick), x2: x(tick), y1: 4, y2: height - 38, class: "grid" }));
    drawn.append(svg("text", { x: x(tick), y: height - 22, "text-anchor": "middle" }, number(tick, 2)));
  }
  drawn.append(svg("line", { x1: x(view.mid), x2: x(view.mid), y1: 4, y2: height - 38, class: "zero" }));
  drawn.append(svg("text", { x: (left + width) / 2, y: height - 5, "text-anchor": "middle" }, view.unit));
  const grid = rows.map((row, i) => {
    const y = 18 + i * step;
    const colour = (DATA.tasks[row.task] || {}).colour || "#0072B2";
    drawn.append(svg("text", { x: left - 12, y: y + 4, "text-anchor": "end" }, row.name));
    for (const control of row.cell.controls || [])
      if (control.mean !== null && control.mean !== undefined) drawn.append(svg("path", { d: `M${x(control.mean)} ${y - 6} l5 6 l-5 6 l-5 -6 z`, class: "controlmark" }));
    if (row.cell.v === null || row.cell.v === undefined) {
      drawn.append(svg("text", { x: left, y: y + 4, class: "mute" }, "not measured"));
      return [];
    }
    if (row.cell.lo !== null && row.cell.hi !== null) drawn.append(svg("line", { x1: x(row.cell.lo), x2: x(row.cell.hi), y1: y, y2: y, stroke: colour, "stroke-width": 3 }));
    const point = svg("circle", { cx: x(row.cell.v), cy: y, r: 6, fill: colour, class: "point", role: view.evidence ? "button" : "img", "aria-label": spoken(view, row.cell, row.name) });
    hoverable(point, () => cellFacts(view, row.cell, row.name));
    if (view.evidence) point.addEventListener("click", () => openEvidence(view, { row: row.task, col: row.task, choice: choice.key, cell: row.cell, heading: row.name }));
    drawn.append(point);
    return [point];
  });
  rove(grid.filter((line) => line.length));
  const notes = [view.controlName ? `Diamonds: ${view.controlName}. ` : "", choice.note || ""].join("");
  return [el("div", { class: "wide", role: "region", tabindex: "0", "aria-label": view.title }, drawn), el("p", { class: "small" }, notes)];
}
