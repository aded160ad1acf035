// Events of one question, as they come; leaving the stream stops the model.

async function* askModel(question, signal) {
  const reply = await fetch("ask", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question), signal });
  if (!reply.ok) {
    yield { event: "error", message: await reply.text() };
    return;
  }
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) yield JSON.parse(rest.slice(6, end));
  }
}
