// A value with its interval on a line, above what its controls gave.

function numberLine({ value, low, high, controls = [], mark = null, markName = "" }) {
  const known = [value, low, high, mark, ...controls.flatMap((c) => [c.mean - 2 * (c.sd || 0), c.mean + 2 * (c.sd || 0)])].filter(
    (x) => x !== null && x !== undefined && Number.isFinite(x),
  );
  if (!known.length) return null;
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const pad = (most - least || 1) * 0.08;
  const width = 260;
  const x = (v) => 8 + ((v - least + pad) / (most - least + 2 * pad)) * (width - 16);
  const height = 30 + 16 * controls.length;
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "line", "aria-hidden": "true" });
  if (mark !== null && mark !== undefined) {
    drawn.append(svg("line", { x1: x(mark), x2: x(mark), y1: 2, y2: height - 12, class: "zero" }));
    drawn.append(svg("text", { x: x(mark), y: height - 2, "text-anchor": x(mark) < 60 ? "start" : x(mark) > width - 60 ? "end" : "middle" }, `${markName || number(mark, 2)}`));
  }
  if (low !== null && low !== undefined && high !== null && high !== undefined)
    drawn.append(svg("line", { x1: x(low), x2: x(high), y1: 10, y2: 10, class: "bar" }));
  if (value !== null && value !== undefined) drawn.append(svg("circle", { cx: x(value), cy: 10, r: 4, class: "dot" }));
  controls.forEach((control, i) => {
    const y = 25 + 16 * i;
    if (control.mean === null || control.mean === undefined) return;
    if (control.sd) drawn.append(svg("line", { x1: x(control.mean - 2 * control.sd), x2: x(control.mean + 2 * control.sd), y1: y, y2: y, class: "controlbar" }));
    drawn.append(svg("circle", { cx: x(control.mean), cy: y, r: 3, class: "controldot" }));
  });
  return drawn;
}
