// The study, out of the page itself: tables by columns become what the views ask for.

const RAW = JSON.parse(document.getElementById("study").textContent);
const DATA = unpack(RAW);

function unpack(raw) {
  const rows = (columns, names) =>
    columns.prompt.map((_, k) => {
      const one = {};
      for (const name of names) one[name] = raw.texts[columns[name][k]];
      return one;
    });
  const responses = rows(raw.responses, ["task", "base_query", "grade", "parameters", "kind", "verdict", "prompt_id", "prompt", "response", "reason"]);
  responses.forEach((one, k) => {
    for (const name of ["id", "truncated", "cut"]) one[name] = raw.responses[name][k];
  });
  const answers = rows(raw.answers, ["task", "prompt_id", "ablated", "verdict", "prompt", "response", "reason"]);
  answers.forEach((one, k) => (one.control = raw.answers.control[k]));
  return { ...raw, responses, answers };
}

function response(k) {
  return DATA.responses[k];
}
