// The response browser: filters, a list, and one response in full.

const PAGE = 15;
const SHORT = 110; // characters of a prompt in the list

function drawBrowser(place) {
  const state = { task: "", verdict: "", grade: "", kind: "sampled", text: "", only: "", page: 0 };
  const count = el("p", { "aria-live": "polite", class: "small" });
  const list = el("ol", { class: "responses" });
  const detail = el("div", { id: "response", "aria-live": "polite" });
  const pages = el("div", { class: "tools" });
  const gradePlace = el("span");
  const matches = (r) =>
    (!state.task || r.task === state.task) &&
    (!state.verdict || r.verdict === state.verdict) &&
    (!state.kind || r.kind === state.kind) &&
    (!state.grade || gradeOf(r) === state.grade) &&
    (state.only !== "tokens" || DATA.readings.along[r.id]) &&
    (state.only !== "ablated" || answersOf(r).length) &&
    (!state.text || `${r.prompt}\n${r.response}`.toLowerCase().includes(state.text.toLowerCase()));
  const draw = () => {
    const found = DATA.responses.filter(matches);
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    state.page = Math.min(state.page, last);
    count.textContent = `${found.length} of ${DATA.responses.length} responses in this page; page ${state.page + 1} of ${last + 1}.`;
    list.replaceChildren(...found.slice(state.page * PAGE, state.page * PAGE + PAGE).map(item));
    const step = (by, text) => el("button", { type: "button", disabled: state.page + by < 0 || state.page + by > last, on: { click: () => ((state.page += by), draw()) } }, text);
    pages.replaceChildren(step(-1, "Previous"), step(1, "Next"));
  };
  const item = (r) => {
    const button = el("button", { type: "button", class: "response" }, badge(r.verdict), " ", el("span", { class: "small" }, `${label(r.task)}${gradeOf(r) ? `, ${gradeOf(r)}` : ""} `), said(r.prompt.length > SHORT ? `${r.prompt.slice(0, SHORT)}…` : r.prompt), DATA.readings.along[r.id] ? el("span", { class: "small" }, " · tokens read") : null);
    button.addEventListener("click", () => {
      for (const other of list.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
      button.setAttribute("aria-current", "true");
      detail.replaceChildren(responseDetail(r));
      if (window.innerWidth < 1000) detail.scrollIntoView({ block: "start" });
    });
    return el("li", {}, button);
  };
  const grades = () => {
    const of = [...new Set(DATA.responses.filter((r) => !state.task || r.task === state.task).map(gradeOf))].filter(Boolean).sort();
    state.grade = "";
    gradePlace.replaceChildren(choose("grade", [["", "any"], ...of.map((g) => [g, g])], "", set("grade")));
  };
  const set = (name) => (value) => {
    state[name] = value;
    state.page = 0;
    if (name === "task") grades();
    draw();
  };
  const kinds = { sampled: "natural, sampled", greedy: "natural, greedy", unconstrained: "unconstrained twins", counterfactual: "counterfactual" };
  const present = [...new Set(DATA.responses.map((r) => r.kind))];
  const search = el("input", { type: "search", "aria-label": "text" });
  search.addEventListener("input", () => set("text")(search.value));
  const only = [["", "all"]];
  if (Object.keys(DATA.readings.along).length) only.push(["tokens", "with token readings"]);
  if (DATA.answers.length) only.push(["ablated", "with ablated answers"]);
  grades();
  place.append(
    el(
      "div",
      { class: "tools" },
      choose("task", [["", "any"], ...Object.keys(DATA.tasks).map((t) => [t, label(t)])], "", set("task")),
      choose("label", [["", "any"], ["satisfied", "satisfied"], ["violated", "violated"], ["undecided", "undecided"]], "", set("verdict")),
      gradePlace,
      choose("kind of label", [["", "any"], ...present.map((k) => [k, kinds[k]])], "sampled", set("kind")),
      choose("which", only, "", set("only")),
      el("label", { class: "chooser" }, el("span", {}, "text"), search),
    ),
    count,
    el("div", { class: "split" }, el("div", {}, list, pages), detail),
  );
  draw();
  const first = DATA.responses.find((r) => DATA.readings.along[r.id]) || DATA.responses[0];
  if (first) detail.replaceChildren(responseDetail(first));
}

function gradeOf(r) {
  return r.grade || (r.parameters === "{}" ? "" : r.parameters.replace(/^\{|\}$|"/g, ""));
}

function answersOf(r) {
  return DATA.answers.length ? answersTo((a) => a.prompt_id === r.prompt_id, r.task) : [];
}

function responseDetail(r) {
  const read = DATA.readings.along[r.id];
  const parts = [responseCard(r, r.kind)];
  if (read) {
    const layers = DATA.readings.layers;
    parts.push(
      el("h3", {}, "Token by token"),
      tokenView({ ...DATA.readings, tokens: read.tokens, along: read.along, task: DATA.readings.tasks.includes(r.task) ? r.task : DATA.readings.tasks[0], layer: bestLayer(r.task, layers) }),
    );
  } else if (r.kind === "sampled") parts.push(el("p", { class: "small" }, "The tokens of this response were not read: the study reads a few of each task."));
  const groups = answersOf(r);
  if (groups.length) parts.push(el("h3", {}, "Greedy answers to the same prompt: intact, ablated, random control"), ...groups.map(sideBySide));
  return el("div", {}, ...parts);
}

// The layer whose probe reads held-out responses best, where the view begins.
function bestLayer(task, layers) {
  const scored = layers.map((l) => [DATA.readings.aurocs[`${task} ${l}`] ?? -1, l]);
  return scored.reduce((a, b) => (b[0] > a[0] ? b : a))[1];
}
