// Events of one question, as they come; leaving the stream ends the answer. Orders go to the same place.

async function* askModel(question, signal, begun) {
  const reply = await post(question, signal);
  if (!reply.ok) {
    yield { event: "error", message: await reply.text() };
    return;
  }
  begun(reply.headers.get("X-Answer"));
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) yield JSON.parse(rest.slice(6, end));
  }
}

// Whether the answer was still at work.
async function orderAnswer(answer, order) {
  return (await post({ answer, order })).status === 204;
}

function post(body, signal) {
  return fetch("ask", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
}
