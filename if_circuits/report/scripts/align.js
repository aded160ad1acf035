// Answers under several conditions to one prompt, aligned at their first difference.

function answersTo(keep, removed) {
  const groups = new Map();
  for (const a of DATA.answers) {
    if (!keep(a)) continue;
    const group = groups.get(a.prompt_id) || { prompt: a.prompt, prompt_id: a.prompt_id, controls: [] };
    groups.set(a.prompt_id, group);
    if (a.ablated === "") group.intact = a;
    else if (a.ablated === removed) group.removed = a;
    else if (a.control) group.controls.push(a);
  }
  return [...groups.values()].filter((g) => g.intact && g.removed);
}

function pieces(text) {
  return text.match(/\s+|[^\s]+/g) || [];
}

function sharedPieces(a, b) {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n += 1;
  return n;
}

function sideBySide(group) {
  const intact = pieces(group.intact.response);
  const lines = [["intact", group.intact], [`without ${label(group.removed.ablated)}`, group.removed], ...group.controls.map((c) => [`control: ${label(c.ablated)}`, c])];
  const table = el("table", { class: "answers" });
  table.append(el("caption", { class: "small" }, "Where an answer leaves the intact one is marked; what comes before is the same."));
  const body = el("tbody");
  for (const [name, answer] of lines) {
    const own = pieces(answer.response);
    const same = sharedPieces(intact, own);
    const rest = own.slice(same).join("");
    const differs = answer !== group.intact && (rest || same < intact.length);
    body.append(
      el(
        "tr",
        {},
        el("th", { scope: "row" }, name),
        el("td", {}, badge(answer.verdict), " ", el("span", { class: "small" }, said(answer.reason || ""))),
        el("td", {}, said(own.slice(0, same).join(""), { class: "said same" }), differs ? el("mark", {}, rest ? said(rest) : "(ends here)") : said(rest), answer !== group.intact && !differs ? el("span", { class: "small" }, " (the same)") : null),
      ),
    );
  }
  table.append(body);
  return el("article", { class: "example" }, el("p", {}, el("strong", {}, longText(group.prompt))), el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "answers side by side" }, table));
}
