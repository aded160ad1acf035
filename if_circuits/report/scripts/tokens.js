// Tokens coloured by what a probe reads there, over what the words alone say.

// `along` has for each spot ("task layer", and "task words") the readings, one a token; null where none.
function tokenView({ name = "", tokens, along, calibration, aurocs, tasks, layers, task, layer, everyToken }) {
  const state = { task, layer };
  const body = el("div", { class: "tokenview" });
  const draw = () => {
    const values = along[`${state.task} ${state.layer}`] || [];
    const words = along[`${state.task} words`] || [];
    const line = el("div", { class: "tokens", role: "group", "aria-label": `tokens, coloured by the probe of ${label(state.task)} at layer ${layerName(state.layer)}` });
    const turn = turningPoint(values);
    const nodes = tokens.map((text, i) => {
      const value = values[i] ?? null;
      const piece = el("span", { class: "token", role: "img" });
      const top = el("span", { class: "top", "aria-hidden": "true" }, visible(text, i, everyToken));
      if (value !== null) paint(top, diverging(value, 0, 0.5, 1));
      const under = el("span", { class: "under", "aria-hidden": "true" });
      if (words[i] !== undefined && words[i] !== null) under.style.backgroundColor = css(diverging(words[i], 0, 0.5, 1));
      piece.append(top, under);
      if (i === turn) piece.classList.add("turn");
      piece.setAttribute("aria-label", `${i === 0 ? "end of the prompt" : shown(text)}: probe ${number(value, 2)}, words ${number(words[i], 2)}${i === turn ? ", it turns here" : ""}`);
      hoverable(piece, () => [
        el("strong", {}, i === 0 ? "end of the prompt" : everyToken ? `token ${i}` : label(text)),
        facts([
          [`probe of ${label(state.task)}, layer ${layerName(state.layer)}`, number(value, 2)],
          ["worth, on held-out responses", worth(calibration, state.task, state.layer, value)],
          ["words alone", number(words[i] ?? null, 2)],
          ["all layers", layers.map((l) => `${layerName(l)}: ${number((along[`${state.task} ${l}`] || [])[i] ?? null, 2)}`).join(", ")],
        ]),
      ]);
      return piece;
    });
    line.append(...nodes);
    rove([nodes]);
    const told = !values.length ? "No probe reads this." : turn === null ? "The reading never changes sides." : `It turns to ${values[values.length - 1] >= 0.5 ? "satisfied" : "violated"} ${turn === 0 ? "before the first token" : everyToken ? `at token ${turn} of ${tokens.length - 1}` : `at ${label(tokens[turn])}`} and stays there.`;
    const held = aurocs[`${state.task} ${state.layer}`];
    const heldWords = aurocs[`${state.task} words`];
    body.replaceChildren(
      line,
      el("p", { class: "small" }, `${told} Held-out AUROC at the last token: probe ${number(held, 2)}, words ${number(heldWords, 2)}. The strip under each token is what the words so far say.`),
      scaleKey(0, 0.5, 1, "probability of satisfied"),
      heatMap({ name, tokens, along, layers, task: state.task, everyToken }),
    );
  };
  const tools = el(
    "div",
    { class: "tools" },
    choose("probe of", tasks.map((t) => [t, label(t)]), task, (v) => ((state.task = v), draw())),
    choose("layer", layers.map((l) => [String(l), layerName(l)]), String(layer), (v) => ((state.layer = Number(v)), draw())),
  );
  draw();
  const view = el("div", {}, tools, everyToken ? null : el("p", { class: "note" }, "The model was not at hand when this page was made: only the stored positions are read."), body);
  view.redraw = draw;
  return view;
}

function visible(text, i, everyToken) {
  if (i === 0) return "▸";
  return everyToken ? shown(text).replace(/\n/g, "⏎").replace(/^ /, "\u00a0") || "∅" : label(text);
}

// The first token from which on the reading stays on the side where it ends; null if it never changes.
function turningPoint(values) {
  const known = values.filter((v) => v !== null && v !== undefined);
  if (!known.length) return null;
  const last = known[known.length - 1] >= 0.5;
  let turn = null;
  for (let i = values.length - 1; i >= 0; i--) {
    if (values[i] === null || values[i] === undefined) continue;
    if (values[i] >= 0.5 !== last) return turn;
    turn = i;
  }
  return null;
}

// Share of held-out responses with such a reading that satisfy, with its interval.
function worth(calibration, task, layer, value) {
  const bins = calibration[`${task} ${layer}`];
  if (!bins || value === null) return "not known";
  const bin = [...bins].reverse().find((b) => value >= b.bin);
  if (!bin || !bin.n) return "no such reading among them";
  return `${(100 * bin.share).toFixed(0)} % of ${bin.n} satisfied ${interval(bin.low, bin.high)}`;
}

function heatMap({ name: view, tokens, along, layers, task, everyToken }) {
  const [cell, left, top] = [16, 56, 8];
  const rows = [...layers].reverse().map((l) => [layerName(l), along[`${task} ${l}`] || []]);
  rows.push(["words", along[`${task} words`] || []]);
  const width = left + Math.max(tokens.length * cell, 170) + 8; // room for the line below
  const height = top + rows.length * cell + 22;
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "heat", role: "img", "aria-label": `layers by tokens, probe of ${label(task)}` });
  rows.forEach(([name, values], r) => {
    drawn.append(svg("text", { x: left - 6, y: top + r * cell + 12, "text-anchor": "end" }, name));
    tokens.forEach((text, i) => {
      const value = values[i] ?? null;
      if (value === null) return;
      const box = svg("rect", { x: left + i * cell, y: top + r * cell + (name === "words" ? 3 : 0), width: cell - 1, height: cell - 1, fill: css(diverging(value, 0, 0.5, 1)) });
      box.append(svg("title", {}, `${i === 0 ? "end of the prompt" : shown(text)}, ${name === "words" ? "words" : `layer ${name}`}: ${number(value, 2)}`));
      drawn.append(box);
    });
  });
  drawn.append(svg("text", { x: left, y: height - 6 }, everyToken ? "tokens →, layers upwards" : "stored positions →, layers upwards"));
  return el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `heat map of layers by tokens ${view}`.trim() }, drawn);
}
