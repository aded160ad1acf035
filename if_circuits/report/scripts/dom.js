// Elements. Whatever a model or a user wrote goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else if (key === "look") {
      for (const [property, given] of Object.entries(value)) node.style.setProperty(property, given);
    } else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// Control characters are drawn as symbols: a NUL shows as ␀, and none can hide or move other text.
function shown(text) {
  return String(text).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (c) =>
    String.fromCharCode(0x2400 + c.charCodeAt(0)),
  ).replace(/[\u202a-\u202e\u2066-\u2069\u007f]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

// Text of a model: isolated, so that its direction of writing is its own affair.
function said(text, attributes = {}) {
  return el("bdi", { dir: "auto", class: "said", ...attributes }, shown(text));
}

const LONG = 700;

// The beginning of a long text, and a button for the rest.
function longText(text, attributes = {}) {
  if (text.length <= LONG) return said(text, attributes);
  const body = said(text.slice(0, LONG) + "…", attributes);
  const more = el("button", { type: "button", class: "quiet" }, `Show all ${text.length.toLocaleString("en")} characters`);
  more.addEventListener("click", () => {
    body.textContent = shown(text);
    more.remove();
  });
  return el("span", {}, body, " ", more);
}

function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = Math.abs(value) < 100 ? value.toFixed(digits) : Math.round(value).toLocaleString("en");
  return /^-[0.]*$/.test(text) ? text.slice(1) : text.replace("-", "−");
}

function interval(low, high) {
  return low === null || high === null || low === undefined || high === undefined ? "no interval" : `[${number(low)}, ${number(high)}]`;
}

function label(name) {
  return String(name).replaceAll("_", " ");
}

function choose(title, options, value, onChange) {
  const select = el("select", { "aria-label": title });
  for (const [key, text] of options) select.append(el("option", { value: key, selected: key === value }, text));
  select.addEventListener("change", () => onChange(select.value));
  return el("label", { class: "chooser" }, el("span", {}, title), select);
}

function badge(verdict) {
  const mark = { satisfied: "✓ ", violated: "✗ ", undecided: "? " }[verdict] || "";
  return el("span", { class: `badge ${verdict}` }, mark + verdict);
}

function layerName(layer) {
  return Number(layer) === -1 ? "embed" : String(layer);
}
