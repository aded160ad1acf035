// Colours that colour-blind readers tell apart, and ink that can be read on them.

const BELOW = [179, 88, 6];
const MIDDLE = [247, 247, 247];
const ABOVE = [33, 102, 172];

// From orange (low) over white (the middle) to blue (high).
function diverging(value, low, middle, high) {
  if (value === null || value === undefined) return null;
  const up = value >= middle;
  const reach = up ? high - middle : middle - low;
  const share = reach > 0 ? Math.min(1, Math.abs(value - middle) / reach) : 0;
  return MIDDLE.map((c, i) => Math.round(c + ((up ? ABOVE : BELOW)[i] - c) * share));
}

function css(rgb) {
  return `rgb(${rgb.join(", ")})`;
}

function ink(rgb) {
  const [r, g, b] = rgb.map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return (light + 0.05) / 0.05 > 1.05 / (light + 0.05) ? "#000000" : "#ffffff";
}

function paint(node, rgb) {
  node.style.backgroundColor = css(rgb);
  node.style.color = ink(rgb);
}

// The key to the colours: a strip with its numbers.
function scaleKey(low, middle, high, unit) {
  const strip = el("span", { class: "strip", "aria-hidden": "true" });
  for (let i = 0; i <= 10; i++) {
    const value = low + ((high - low) * i) / 10;
    strip.append(el("span", { look: { "background-color": css(diverging(value, low, middle, high)) } }));
  }
  return el("p", { class: "key" }, `${unit}: ${number(low, 2)} `, strip, ` ${number(high, 2)}; white at ${number(middle, 2)}`);
}
