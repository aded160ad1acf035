// The study, out of the page itself: tables by columns become what the views ask for.

const RAW = JSON.parse(document.getElementById("study").textContent);
const DATA = unpack(RAW);

function unpack(raw) {
  const columns = raw.responses;
  const texts = raw.texts;
  const responses = columns.id.map((id, k) => {
    const one = { id };
    for (const name of ["task", "query", "grade", "parameters", "kind", "verdict", "prompt_id", "truncated", "cut"]) one[name] = columns[name][k];
    for (const name of ["prompt", "response", "reason"]) one[name] = texts[columns[name][k]];
    return one;
  });
  const answers = raw.answers.task.map((task, k) => {
    const one = { task };
    for (const name of ["prompt_id", "ablated", "control", "verdict"]) one[name] = raw.answers[name][k];
    for (const name of ["prompt", "response", "reason"]) one[name] = texts[raw.answers[name][k]];
    return one;
  });
  return { ...raw, responses, answers };
}

function response(k) {
  return DATA.responses[k];
}
