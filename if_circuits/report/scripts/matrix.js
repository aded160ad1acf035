// A matrix as a table of buttons: colour, number, and behind each what it is made of.

function matrixTable(view, { rows, cols, rowTitle, colTitle, at }, onCell) {
  const table = el("table", { class: "matrix" });
  table.append(el("caption", {}, `Rows: ${rowTitle}. Columns: ${colTitle}.`));
  table.append(el("thead", {}, el("tr", {}, el("td", {}), ...cols.map((c) => el("th", { scope: "col" }, el("span", {}, c.label))))));
  const body = el("tbody");
  const grid = rows.map((row, i) => {
    const line = el("tr", {}, el("th", { scope: "row" }, familyDot(row.name), row.label));
    const nodes = cols.map((col, j) => {
      const cell = at(i, j);
      if (!cell) {
        line.append(el("td", { class: "none" }, el("span", { class: "absent", title: "no such cell" }, "")));
        return null;
      }
      const heading = `${row.label} → ${col.label}`;
      const known = cell.v !== null && cell.v !== undefined;
      const button = el("button", { type: "button", class: "cell", "aria-label": spoken(view, cell, heading) });
      button.append(known ? number(cell.v, 2) : "×", cell.marked ? el("sup", {}, "*") : "");
      if (known) paint(button, diverging(cell.v, view.low, view.mid, view.high));
      else button.classList.add("unknown");
      if (cell.frame) button.classList.add("frame");
      hoverable(button, () => cellFacts(view, cell, heading));
      button.addEventListener("click", () => onCell(i, j, cell, heading));
      line.append(el("td", {}, button));
      return button;
    });
    body.append(line);
    return nodes;
  });
  table.append(body);
  rove(grid);
  return el("div", { class: "wide", role: "region", "aria-label": view.title, tabindex: "0" }, table);
}

function familyDot(task) {
  const known = DATA.tasks[task];
  if (!known) return null;
  return el("span", { class: "family", "aria-hidden": "true", look: { "background-color": known.colour } });
}

function named(task) {
  return { name: task, label: label(task) };
}

// Which rows and columns of a choice have any cell.
function present(cells) {
  const places = (list) => list.map((_, i) => i);
  const rows = places(cells).filter((i) => cells[i].some(Boolean));
  const cols = places(cells[0] || []).filter((j) => cells.some((line) => line[j]));
  return { rows, cols };
}

function leftOut(names) {
  return names.length ? `Not measured here: ${names.join(", ")}; the notes say why.` : "";
}

function drawMatrix(view, place) {
  const state = { choice: 0 };
  const body = el("div");
  const tools = el("div", { class: "tools" });
  const draw = () => {
    const choice = view.choices[state.choice];
    const { rows, cols } = present(choice.cells);
    const absent = view.rows.filter((_, i) => !rows.includes(i)).map(label);
    body.replaceChildren(
      matrixTable(
        view,
        {
          rows: rows.map((i) => named(view.rows[i])),
          cols: cols.map((j) => (view.colLabels ? { name: view.cols[j], label: view.colLabels[view.cols[j]] || view.cols[j] } : named(view.cols[j]))),
          rowTitle: view.rowTitle,
          colTitle: view.colTitle,
          at: (i, j) => choice.cells[rows[i]][cols[j]],
        },
        (i, j, cell, heading) => openEvidence(view, { row: view.rows[rows[i]], col: view.cols[cols[j]], choice: choice.key, cell, heading }),
      ),
      scaleKey(view.low, view.mid, view.high, view.unit),
      el("p", { class: "small" }, [choice.note, rows.length ? leftOut(absent) : ""].filter(Boolean).join(" ")),
    );
  };
  if (view.choices.length > 1)
    tools.append(choose(view.choiceTitle || "show", view.choices.map((c, i) => [String(i), c.name]), "0", (v) => ((state.choice = Number(v)), draw())));
  tools.append(
    csvButton(view.title, () => [
      [view.rowTitle, view.colTitle, view.unit, "low", "high", "n"],
      ...view.rows.flatMap((row, i) => view.cols.map((col, j) => [row, col, ...cellValues(view.choices[state.choice].cells[i][j])])),
    ]),
  );
  place.append(tools, body);
  draw();
}

function cellValues(cell) {
  return cell ? [cell.v, cell.lo, cell.hi, cell.n] : ["", "", "", ""];
}
