// Why a number is what it is: the prompts and answers that it counts, in a dialog.

const MOST_LISTED = 40;

function openEvidence(view, { row, col, choice, cell, heading }) {
  if (!view.evidence) return;
  hideHover();
  const content = { scores: scoreEvidence, answers: answerEvidence, task: taskEvidence, pair: pairEvidence }[view.evidence];
  const found = content(view, { row, col, choice, cell });
  const close = el("button", { type: "button", class: "close" }, "Close");
  const dialog = el(
    "dialog",
    { class: "evidence", "aria-label": `Behind ${heading}` },
    el("header", {}, el("h2", {}, `${heading}: `, `${view.unit} ${number(cell.v, 2)}`), close),
    el("div", { class: "evidencebody", tabindex: "0", role: "region", "aria-label": "prompts and answers" }, ...cellSummary(view, cell), ...found),
  );
  close.addEventListener("click", () => dialog.close());
  const back = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (back && back.focus) back.focus();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

function cellSummary(view, cell) {
  return cellFacts({ ...view, evidence: "" }, cell, "").slice(1);
}

// What an AUROC is made of: every response of the task with its place under the probe.
function scoreEvidence(view, { row, col, choice }) {
  const task = view.task === "row" ? row : col;
  const by = view.task === "row" ? col : row;
  const group = (DATA.scores[view.scored] || []).find((g) => g.task === task && g.labels === choice);
  const ranks = group ? group.ranks[by] || [] : [];
  const rows = ranks.map((rank, k) => ({ ...response(group.responses[k]), rank: rank / 1000, fold: group.folds[k] })).filter((r) => r.rank >= 0);
  if (!rows.length) return [el("p", { class: "note" }, "Scores of single responses are not in this study; it was made by an older version."), ...taskEvidence(view, { row, col, choice })];
  const good = rows.filter((r) => r.verdict === "satisfied");
  const bad = rows.filter((r) => r.verdict === "violated");
  rows.forEach((r) => (r.against = r.verdict === "satisfied" ? 1 - r.rank : r.rank));
  let pairs = 0;
  let won = 0;
  for (const g of good)
    for (const b of bad)
      if (g.fold === b.fold) {
        pairs += 1;
        won += g.rank > b.rank ? 1 : g.rank === b.rank ? 0.5 : 0;
      }
  const told = `${good.length} responses satisfy and ${bad.length} violate. Of all ${pairs} pairs of one and the other in a fold, the probe puts the satisfied one higher in ${Math.round(won)} (${pairs ? ((100 * won) / pairs).toFixed(0) : "–"} %), where 50 % is chance. Below, the responses that it puts on the wrong side come first.`;
  return [el("p", {}, told), rankStrip(good, bad), ...listResponses(rows.sort((a, b) => b.against - a.against), (r) => `rank ${number(r.rank, 2)} of 1 in its fold`)];
}

function rankStrip(good, bad) {
  const width = Math.max(270, Math.min(640, window.innerWidth - 90));
  const x = (rank) => 80 + rank * (width - 90);
  const drawn = svg("svg", { viewBox: `0 0 ${width} 88`, class: "ranks", role: "img", "aria-label": "ranks of satisfied and of violated responses under the probe" });
  [["satisfied", good, 14, "goodtick"], ["violated", bad, 42, "badtick"]].forEach(([name, rows, y, style]) => {
    drawn.append(svg("text", { x: 0, y: y + 6 }, name));
    for (const r of rows) drawn.append(svg("line", { x1: x(r.rank), x2: x(r.rank), y1: y - 9, y2: y + 9, class: style }));
  });
  drawn.append(svg("text", { x: 80, y: 68 }, "probe says violated"), svg("text", { x: x(1), y: 84, "text-anchor": "end" }, "probe says satisfied"));
  return drawn;
}

// Answers of the intact model, under the removal and under controls, to the same prompts.
function answerEvidence(view, { row, col, choice, cell }) {
  const matrix = view.choices.find((c) => c.key === choice);
  if (!matrix || !matrix.behaviour) return taskEvidence(view, { row: col, col, choice: "natural", cell });
  const groups = answersTo((a) => a.task === col, row);
  if (!groups.length) return [el("p", { class: "note" }, "The ablated answers were not kept by this study."), ...taskEvidence(view, { row: col, col, choice: "natural" })];
  const changed = groups.filter((g) => g.intact && g.removed && g.intact.verdict !== g.removed.verdict);
  const ordered = [...changed, ...groups.filter((g) => !changed.includes(g))];
  return [
    el("p", {}, `${groups.length} prompts of ${label(col)} were answered without and with the subspace of ${label(row)} removed. The label changed in ${changed.length}; those come first.`),
    ...more(ordered, (g) => sideBySide(g), 6),
  ];
}

function taskEvidence(view, { row, col, choice }) {
  const task = view.task === "col" ? col : row;
  const kind = choice === "counterfactual" ? "counterfactual" : "sampled";
  const rows = DATA.responses.filter((r) => r.task === task && r.kind === kind);
  if (!rows.length) return [el("p", { class: "note" }, `This page holds no ${kind} responses of ${label(task)}.`)];
  return [el("p", {}, `The ${rows.length} responses of ${label(task)} behind it (${kind} labels, as far as this page holds them).`), ...listResponses(rows)];
}

// Two tasks on the same base queries.
function pairEvidence(view, { row, col }) {
  const of = (task) => new Map(DATA.responses.filter((r) => r.task === task && r.kind === "sampled").map((r) => [r.base_query, r]));
  const [a, b] = [of(row), of(col)];
  const both = [...a.keys()].filter((q) => b.has(q));
  return [
    el("p", {}, `${both.length} base queries have responses of both tasks; one of each is shown.`),
    ...more(both, (q) => el("div", { class: "pair" }, responseCard(a.get(q)), responseCard(b.get(q))), 10),
  ];
}

function listResponses(rows, extra = null) {
  const buttons = el("div", { class: "tools", role: "group", "aria-label": "labels" });
  const list = el("div");
  const draw = (verdict) => {
    list.replaceChildren(...more(rows.filter((r) => !verdict || r.verdict === verdict), (r) => responseCard(r, extra ? extra(r) : ""), MOST_LISTED));
    for (const b of buttons.children) b.setAttribute("aria-pressed", String(b.value === verdict));
  };
  for (const [value, text] of [["", "all"], ["satisfied", "satisfied"], ["violated", "violated"]]) {
    const count = rows.filter((r) => !value || r.verdict === value).length;
    buttons.append(el("button", { type: "button", value, on: { click: () => draw(value) } }, `${text} (${count})`));
  }
  draw("");
  return [buttons, list];
}

function more(items, node, step) {
  const box = el("div");
  let at = 0;
  const button = el("button", { type: "button", class: "quiet" });
  const add = () => {
    for (const item of items.slice(at, at + step)) box.insertBefore(node(item), button);
    at += step;
    button.textContent = `Show ${Math.min(step, items.length - at)} more of ${items.length}`;
    if (at >= items.length) button.remove();
  };
  box.append(button);
  add();
  return [box];
}

function responseCard(r, extra = "") {
  return el(
    "article",
    { class: "example" },
    el("p", { class: "small" }, label(r.task), " · ", badge(r.verdict), " · ", said(r.reason || ""), r.truncated ? " · cut at the greatest length" : "", extra ? ` · ${extra}` : ""),
    el("p", {}, el("strong", {}, longText(r.prompt))),
    el("p", {}, longText(r.response)),
    r.cut ? el("p", { class: "small" }, `Cut in this page after ${r.response.length.toLocaleString("en")} of ${r.cut.toLocaleString("en")} characters; responses.parquet has all of it.`) : null,
  );
}
