// What a view shows, as a file of comma-separated values.

function csvButton(name, rows) {
  const button = el("button", { type: "button", class: "quiet" }, "CSV");
  button.setAttribute("aria-label", `${name} as CSV`);
  button.addEventListener("click", () => {
    const text = rows().map((row) => row.map(csvField).join(",")).join("\r\n") + "\r\n";
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    const link = el("a", { href: url, download: `${name.replace(/[^\w]+/g, "_")}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  return button;
}

// A field that a spreadsheet would take for a formula begins with an apostrophe.
function csvField(value) {
  let text = value === null || value === undefined ? "" : String(value);
  if (typeof value !== "number" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
