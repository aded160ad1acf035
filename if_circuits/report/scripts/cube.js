// Scores by task, layer and position: choose one of the two, and the matrix goes along the other.

function drawCube(view, place) {
  const columns = view.columns;
  const count = columns.task.length;
  const distinct = (name) => [...new Set(columns[name].filter((v) => v !== null))];
  const state = { labels: distinct("labels")[0], probe: view.probe, along: "layer", layer: null, position: null };
  const probes = distinct("probe").filter((p) => columns.probe.some((q, k) => q === p && columns.layer[k] !== null));
  const layers = distinct("layer").sort((a, b) => a - b);
  const positions = DATA.positions.filter((p) => columns.position.includes(p));
  state.position = positions.includes("last") ? "last" : positions[0];
  state.layer = layers[layers.length - 1];
  const tasks = view.rows;
  const body = el("div");
  const tools = el("div", { class: "tools" });
  const find = (task, layer, position, probe) => {
    for (let k = 0; k < count; k++)
      if (columns.task[k] === task && columns.layer[k] === layer && columns.position[k] === position && columns.probe[k] === probe && columns.labels[k] === state.labels)
        return k;
    return -1;
  };
  const cell = (task, layer, position) => {
    const k = find(task, layer, position, state.probe);
    if (k < 0) return null;
    const words = find(task, null, position, "text");
    const found = { v: columns.auroc[k], lo: columns.low[k], hi: columns.high[k], n: columns.n[k], why: columns.reason[k] || undefined, controls: [], facts: [] };
    if (words >= 0) found.controls.push({ name: "words alone", mean: columns.auroc[words] });
    if (columns.n_satisfied[k] !== null) found.facts.push(["satisfied, violated", `${columns.n_satisfied[k]}, ${columns.n_violated[k]}`]);
    if (columns.n_over_d[k] !== null) found.facts.push(["training rows per dimension", columns.n_over_d[k]]);
    return found;
  };
  const draw = () => {
    const byLayer = state.along === "layer";
    const columnsShown = byLayer
      ? layers.filter((l) => tasks.some((t) => find(t, l, state.position, state.probe) >= 0))
      : positions.filter((p) => tasks.some((t) => find(t, state.layer, p, state.probe) >= 0));
    const at = (task, column) => (byLayer ? cell(task, column, state.position) : cell(task, state.layer, column));
    const measured = tasks.filter((t) => columnsShown.some((c) => at(t, c)));
    const shape = {
      rows: measured.map(named),
      cols: columnsShown.map((c) => ({ name: c, label: byLayer ? layerName(c) : label(c) })),
      rowTitle: "task",
      colTitle: byLayer ? `layer, at ${label(state.position)}` : `position, at layer ${layerName(state.layer)}`,
      at: (i, j) => at(measured[i], columnsShown[j]),
    };
    const notes = columnsShown.length ? leftOut(tasks.filter((t) => !measured.includes(t)).map(label)) : "Nothing was measured there. Choose another layer or position.";
    body.replaceChildren(
      matrixTable(view, shape, (i, j, found, heading) =>
        openEvidence(view, { row: measured[i], col: columnsShown[j], choice: state.labels, cell: found, heading: `${heading}${byLayer ? ` at ${label(state.position)}` : ` at layer ${layerName(state.layer)}`}` }),
      ),
      scaleKey(view.low, view.mid, view.high, view.unit),
      el("p", { class: "small" }, notes),
    );
    layerTool.hidden = byLayer;
    positionTool.hidden = !byLayer;
  };
  const set = (name) => (value) => ((state[name] = name === "layer" ? Number(value) : value), draw());
  const pairs = (values, text = label) => values.map((v) => [String(v), text(v)]);
  const layerTool = choose("layer", pairs(layers, layerName), String(state.layer), set("layer"));
  const positionTool = choose("position", pairs(positions), state.position, set("position"));
  tools.append(
    choose("columns", [["layer", "every layer"], ["position", "every position"]], "layer", set("along")),
    positionTool,
    layerTool,
    choose("probe", pairs(probes), state.probe, set("probe")),
    choose("labels", pairs(distinct("labels")), state.labels, set("labels")),
    csvButton(view.title, () => [Object.keys(columns), ...columns.task.map((_, k) => Object.values(columns).map((c) => c[k]))]),
  );
  place.append(tools, body);
  draw();
}
