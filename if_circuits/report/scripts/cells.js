// What is said of one number, wherever it is drawn.

function cellFacts(view, cell, heading) {
  const unit = cell.unit || view.unit;
  const pairs = [[unit, number(cell.v)], ["95 % interval", interval(cell.lo, cell.hi)]];
  if (cell.n !== undefined && cell.n !== null) pairs.push(["n", `${cell.n} ${view.counted || "responses"}`]);
  for (const control of cell.controls || [])
    pairs.push([`control: ${control.name}`, number(control.mean) + (control.sd ? ` ± ${number(control.sd)} (s.d. of draws)` : "")]);
  for (const [name, value] of cell.facts || []) pairs.push([name, told(name, value)]);
  return [
    el("strong", {}, heading),
    facts(pairs),
    numberLine({ value: cell.v, low: cell.lo, high: cell.hi, controls: cell.drawn || cell.controls || [], mark: view.mid, markName: view.midName }),
    el("p", { class: "small" }, cell.why || (view.evidence ? "Press to see the prompts and answers behind it." : "")),
  ];
}

function spoken(view, cell, heading) {
  if (cell.v === null || cell.v === undefined) return `${heading}: not measured${cell.why ? `, ${cell.why}` : ""}`;
  return `${heading}: ${view.unit} ${number(cell.v)}, interval ${interval(cell.lo, cell.hi)}${cell.marked ? ", " + view.markedName : ""}`;
}

function told(name, value) {
  if (typeof value !== "number") return value;
  if (/^p\b/.test(name)) return value < 0.001 ? "< 0.001" : number(value);
  return number(value, Number.isInteger(value) ? 0 : 3);
}
