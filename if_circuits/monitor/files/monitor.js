// The monitor: a question, one or two answers that grow, and the events kept for replay and saving.
// While an answer is being written, pause and step hold the model itself; afterwards they are of the replay.

const SUBJECT = JSON.parse(document.getElementById("subject").textContent);
const byId = (id) => document.getElementById(id);
const switches = { ablate: new Set(), control: "", steer: "", strength: 0 };
const state = { events: [], shown: 0, held: false, asking: null, answer: null, views: [], timer: null };
const EVERY = 80; // milliseconds between two tokens of a replay
const WORDS = "words";

function beginMonitor() {
  document.body.append(hoverBox);
  drawSwitches(byId("switches"));
  byId("question").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  byId("stop").addEventListener("click", () => state.asking && state.asking.abort());
  byId("pause").addEventListener("click", () => (state.held ? goOn() : hold()));
  byId("step").addEventListener("click", step);
  byId("replay").addEventListener("click", replay);
  byId("save").addEventListener("click", save);
  if (!SUBJECT.tasks.length) say("No study was given: answers are written without readings. Name one with --study.");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const set = (name) => {
    document.documentElement.dataset.theme = name;
    byId("theme").textContent = name === "dark" ? "Light" : "Dark";
  };
  set(dark.matches ? "dark" : "light");
  byId("theme").addEventListener("click", () => set(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
}

function drawSwitches(place) {
  const missing = Object.entries(SUBJECT.not_ablatable).map(([task, why]) => `${label(task)}: ${why}`).join("; ");
  if (!SUBJECT.ablatable.length) {
    if (missing) place.append(el("p", { class: "small" }, `Nothing can be removed or added: too few labels in half of the base queries. ${missing}.`));
    return;
  }
  const box = el("fieldset", { class: "ablate" }, el("legend", {}, `remove, from layer ${layerName(SUBJECT.start)} up`));
  for (const task of SUBJECT.ablatable) {
    const input = el("input", { type: "checkbox", value: task });
    input.addEventListener("change", () => (input.checked ? switches.ablate.add(task) : switches.ablate.delete(task)));
    box.append(el("label", {}, input, label(task)));
  }
  const strength = el("input", { type: "number", step: "0.5", value: "0", min: -SUBJECT.longest_steer, max: SUBJECT.longest_steer, id: "strength" });
  strength.addEventListener("input", () => (switches.strength = Number(strength.value)));
  place.append(
    box,
    choose("random control", [["", "off"], ...SUBJECT.controls.map((c) => [c, label(c)])], "", (v) => (switches.control = v)),
    choose("steer along", [["", "off"], ...SUBJECT.ablatable.map((t) => [t, label(t)])], "", (v) => (switches.steer = v)),
    el("label", { class: "chooser" }, el("span", {}, "strength"), strength),
    ...SUBJECT.notes.map((note) => el("p", { class: "small" }, note)),
    missing ? el("p", { class: "small" }, `Nothing was fitted for ${missing}.`) : "",
  );
}

function say(text, error = false) {
  byId("said").textContent = shown(text);
  byId("said").classList.toggle("error", error);
}

function enable(...names) {
  for (const name of ["ask", "stop", "pause", "step", "replay", "save"]) byId(name).disabled = !names.includes(name);
}

async function ask() {
  state.asking = new AbortController();
  clearInterval(state.timer);
  Object.assign(state, { events: [], shown: 0, answer: null });
  heldIs(false);
  enable("stop");
  say("…");
  const question = { prompt: byId("prompt").value, switches: { ...switches, ablate: [...switches.ablate] } };
  const begun = (answer) => {
    state.answer = answer;
    if (answer) enable("stop", "pause", "step");
  };
  try {
    for await (const event of askModel(question, state.asking.signal, begun)) {
      if (event.event === "waiting") say(event.message);
      else if (event.event === "error") say(event.message, true);
      else state.events.push(...single(event));
      showAll();
      if (event.event === "end") event.why ? say(`Ended after ${written()} tokens: ${event.why}.`, true) : sayConstraint();
      else if (state.held) sayHeld();
    }
  } catch (error) {
    if (error.name === "AbortError") say(`Stopped after ${written()} tokens.`);
    else say(`The monitor does not answer: ${error.message}`, true);
  }
  state.asking = state.answer = null;
  heldIs(false);
  enableAfter();
}

function enableAfter() {
  const left = state.shown < state.events.length;
  enable("ask", ...(state.events.length ? ["replay", "save"] : []), ...(left ? ["pause", "step"] : []));
}

// An event holds all tokens since the last; here each step is one of its own.
function single(event) {
  if (event.event !== "tokens") return [event];
  const steps = Math.max(...event.rows.map((row) => row.length));
  return Array.from({ length: steps }, (_, i) => ({ event: "tokens", rows: event.rows.map((row) => row.slice(i, i + 1)), verdicts: i === steps - 1 ? event.verdicts : null }));
}

// Tokens of the longest answer so far; the first reading is of the prompt's end.
function written() {
  return Math.max(0, state.events.slice(0, state.shown).filter((event) => event.event === "tokens").length - 1);
}

function showAll() {
  while (state.shown < state.events.length) show(state.events[state.shown++]);
  redraw();
}

function showNext() {
  if (state.shown >= state.events.length) return;
  show(state.events[state.shown++]);
  redraw();
}

function heldIs(held) {
  state.held = held;
  byId("pause").textContent = held ? "Go on" : "Pause";
}

function sayHeld() {
  const asked = (state.events.find((event) => event.event === "start") || {}).asked;
  if (asked) say(`Held after ${written()} tokens: the model waits.`);
}

// Orders the model while it writes; false when there is nothing at work any more.
async function order(what) {
  if (!state.answer) return false;
  try {
    return await orderAnswer(state.answer, what);
  } catch (error) {
    say(`The monitor does not answer: ${error.message}`, true);
    return false;
  }
}

async function hold() {
  heldIs(true);
  if (state.asking) {
    if (await order("hold")) sayHeld();
  } else clearInterval(state.timer);
}

async function goOn() {
  heldIs(false);
  if (state.asking) {
    await order("go");
    sayConstraint();
  } else play();
}

async function step() {
  heldIs(true);
  if (state.asking) await order("step");
  else {
    clearInterval(state.timer);
    showNext();
    enableAfter();
  }
}

function replay() {
  state.shown = 0;
  heldIs(false);
  showNext();
  enableAfter();
  play();
}

function play() {
  clearInterval(state.timer);
  state.timer = setInterval(() => {
    showNext();
    if (state.shown < state.events.length) return;
    clearInterval(state.timer);
    enableAfter();
  }, EVERY);
}

function sayConstraint() {
  const start = state.events.find((event) => event.event === "start");
  if (start) say(start.task ? `Constraint: ${label(start.task)} ${JSON.stringify(start.parameters)}` : "No task words such a constraint, so there is no verdict.");
}

function show(event) {
  if (event.event === "start") {
    sayConstraint();
    state.views = event.answers.map((name) => answerView(name, event.task));
    byId("answers").replaceChildren(...state.views.map((view) => view.node));
  } else if (event.event === "tokens") {
    event.rows.forEach((row, r) => row.forEach((token) => state.views[r].add(token)));
    if (event.verdicts) event.verdicts.forEach((verdict, r) => state.views[r].verdict(verdict, false));
  } else if (event.event === "end") {
    event.answers.forEach((answer, r) => state.views[r].verdict(answer.verdict, true, answer));
  }
}

function redraw() {
  for (const view of state.views) view.redraw();
}

function answerView(name, task) {
  const along = {};
  const tokens = [];
  for (const t of SUBJECT.tasks) for (const spot of [WORDS, ...SUBJECT.layers]) along[`${t} ${spot}`] = [];
  const verdict = el("p", { class: "small" });
  const text = said("");
  const first = SUBJECT.tasks.includes(task) ? task : SUBJECT.tasks[0];
  const layers = SUBJECT.layers;
  const best = bestOf(first);
  const view = first ? tokenView({ tokens, along, calibration: SUBJECT.calibration, aurocs: SUBJECT.aurocs, tasks: SUBJECT.tasks, layers, task: first, layer: best, everyToken: true, name: name }) : null;
  const now = el("tbody");
  const all = first ? el("table", { class: "now" }, el("caption", {}, "All probes at the newest token, each at the layer that reads held-out responses best"), el("thead", {}, el("tr", {}, ...["task", "layer", "probe", "satisfied among held-out responses so read", "words"].map((h) => el("th", { scope: "col" }, h)))), now) : null;
  const body = el("section", { class: "answer", "aria-label": `${name} answer` }, el("h2", {}, name === "changed" ? "Changed" : "Intact"), verdict, el("p", {}, text), view, all && el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `all probes, ${name} answer` }, all));
  return {
    node: body,
    add(token) {
      tokens.push(token.text);
      text.textContent += shown(token.text);
      SUBJECT.tasks.forEach((t, j) => {
        along[`${t} ${WORDS}`].push(token.words[j]);
        layers.forEach((l, i) => along[`${t} ${l}`].push(token.readings ? token.readings[i][j] : null));
      });
    },
    verdict(found, final, answer) {
      if (!found) return;
      verdict.replaceChildren(badge(found.label), ` ${final ? "" : "so far: "}`, said(found.reason), answer && answer.truncated ? " · cut at the greatest length" : "");
    },
    redraw() {
      if (!view) return;
      view.redraw();
      const at = tokens.length - 1;
      now.replaceChildren(
        ...SUBJECT.tasks.map((t) => {
          const layer = bestOf(t);
          const value = along[`${t} ${layer}`][at] ?? null;
          const reading = el("td", {}, number(value, 2));
          if (value !== null) paint(reading, diverging(value, 0, 0.5, 1));
          return el("tr", {}, el("th", { scope: "row" }, label(t)), el("td", {}, layerName(layer)), reading, el("td", {}, worth(SUBJECT.calibration, t, layer, value)), el("td", {}, number(along[`${t} ${WORDS}`][at] ?? null, 2)));
        }),
      );
    },
  };
}

function bestOf(task) {
  const score = (layer) => SUBJECT.aurocs[`${task} ${layer}`] ?? -1;
  return SUBJECT.layers.reduce((a, b) => (score(b) > score(a) ? b : a), SUBJECT.layers[0]);
}

function save() {
  const { calibration, aurocs, tasks, layers, model } = SUBJECT;
  const text = JSON.stringify({ format: 1, model, tasks, layers, calibration, aurocs, events: state.events });
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  el("a", { href: url, download: "answer.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

beginMonitor();
