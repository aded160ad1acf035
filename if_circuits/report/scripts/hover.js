// One box beside whatever is pointed at or has the focus; Escape closes it.

const hoverBox = el("div", { id: "hover", role: "tooltip", hidden: true });
let pointedAt = null; // what the box is about

function placeHover(target) {
  pointedAt = target;
  const at = target.getBoundingClientRect();
  const room = { width: document.documentElement.clientWidth, height: window.innerHeight };
  hoverBox.hidden = false;
  const box = hoverBox.getBoundingClientRect();
  const below = at.bottom + 8 + box.height < room.height;
  hoverBox.style.left = `${Math.max(4, Math.min(at.left, room.width - box.width - 4))}px`;
  hoverBox.style.top = `${Math.max(4, below ? at.bottom + 8 : at.top - box.height - 8)}px`;
}

function hideHover() {
  pointedAt = null;
  hoverBox.hidden = true;
}

// Scrolling takes the box along, as long as what it is about is in sight: a focus that comes from
// the keyboard scrolls by itself, and the event comes after the box.
function followHover() {
  if (!pointedAt) return;
  const at = pointedAt.getBoundingClientRect();
  const inSight = at.bottom > 0 && at.top < window.innerHeight;
  if (inSight && (pointedAt.matches(":hover") || pointedAt === document.activeElement)) placeHover(pointedAt);
  else hideHover();
}

// `content` makes the nodes when they are asked for.
function hoverable(target, content) {
  const show = () => {
    hoverBox.replaceChildren(...[content()].flat());
    target.setAttribute("aria-describedby", "hover");
    placeHover(target);
  };
  const hide = () => {
    target.removeAttribute("aria-describedby");
    hideHover();
  };
  target.addEventListener("mouseenter", show);
  target.addEventListener("focus", show);
  target.addEventListener("mouseleave", hide);
  target.addEventListener("blur", hide);
  return target;
}

function facts(pairs) {
  const list = el("dl", { class: "facts" });
  for (const [name, value] of pairs) list.append(el("dt", {}, name), el("dd", {}, String(value)));
  return list;
}

// One element of a grid is in the tab order; arrow keys go to its neighbours.
function rove(grid) {
  const places = new Map();
  grid.forEach((row, i) => row.forEach((node, j) => node && places.set(node, [i, j])));
  const nodes = [...places.keys()];
  nodes.forEach((node, k) => node.setAttribute("tabindex", k === 0 ? "0" : "-1"));
  const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  nodes.forEach((node) =>
    node.addEventListener("keydown", (event) => {
      if ((event.key === "Enter" || event.key === " ") && node.tagName !== "BUTTON") {
        event.preventDefault();
        node.dispatchEvent(new MouseEvent("click"));
      }
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      let [i, j] = places.get(node);
      for (;;) {
        i += move[0];
        j += move[1];
        if (!grid[i] || j < 0 || j >= grid[i].length) return;
        if (grid[i][j]) break;
      }
      node.setAttribute("tabindex", "-1");
      grid[i][j].setAttribute("tabindex", "0");
      grid[i][j].focus();
    }),
  );
}
