// The page comes alive: views in their places, the theme, what print needs.

const DRAW = { matrix: drawMatrix, cube: drawCube, curves: drawCurves, forest: drawForest };

function begin() {
  document.body.append(hoverBox);
  for (const place of document.querySelectorAll("[data-views]")) {
    for (const view of DATA.views[place.dataset.views] || []) {
      const box = el("section", { class: "view" }, el(place.closest("article") ? "h4" : "h3", {}, view.title));
      if (view.note) box.append(el("p", { class: "small" }, view.note));
      place.append(box);
      DRAW[view.kind](view, box);
    }
  }
  const browser = document.getElementById("browser");
  if (browser) drawBrowser(browser);
  for (const place of document.querySelectorAll("[data-effect]")) {
    const given = JSON.parse(place.dataset.effect);
    const line = numberLine(given);
    if (line) place.append(line);
  }
  theme();
  document.addEventListener("keydown", (event) => event.key === "Escape" && hideHover());
  document.addEventListener("scroll", followHover, { passive: true, capture: true });
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((d) => (d.open = true));
  });
  window.addEventListener("afterprint", () => closed.forEach((d) => (d.open = false)));
}

function theme() {
  const button = document.getElementById("theme");
  if (!button) return;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const set = (name) => {
    document.documentElement.dataset.theme = name;
    button.textContent = name === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `use the ${name === "dark" ? "light" : "dark"} theme`);
  };
  set(dark.matches ? "dark" : "light");
  button.addEventListener("click", () => set(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
}

begin();
