// Sends what a form says to the path that the form is for, and shows what comes back, whatever it is.

for (const form of document.querySelectorAll("form[data-path]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, form.nextElementSibling);
  });
}

async function send(form, outcome) {
  const button = form.querySelector("button");
  button.disabled = true;
  show(outcome, "", "Waiting for the answer…");
  const begun = performance.now();
  try {
    const { body, subscriptionId } = form.elements;
    const path = form.dataset.path.replace("{subscriptionId}", encodeURIComponent(subscriptionId?.value.trim() ?? ""));
    const response = await fetch(path, {
      method: form.dataset.method,
      headers: headersOf(form),
      body: body?.value,
      credentials: "omit",
      cache: "no-store",
    });
    const text = await response.text();
    const status = `${response.status} ${response.statusText}`.trim();
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const duration = Math.round(performance.now() - begun);
    show(outcome, response.ok ? "is-done" : "is-failed", `${status}, after ${duration} ms`, headers, readable(text));
  } catch (error) {
    show(outcome, "is-failed", `The request could not be sent: ${error.message}. Is the server still running?`);
  } finally {
    button.disabled = false;
  }
}

function headersOf(form) {
  const headers = form.elements.body ? { "Content-Type": "application/json" } : {};
  const token = form.elements.token.value.trim();
  const correlator = form.elements.correlator.value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  if (correlator) headers["x-correlator"] = correlator;
  return headers;
}

// JSON with line breaks; anything else as it is.
function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text || "(no body)";
  }
}

// Texts only: what a server says never becomes part of the page's structure.
function show(outcome, state, title, ...blocks) {
  const heading = document.createElement("strong");
  heading.textContent = title;
  const parts = blocks.map((block) => {
    const part = document.createElement("pre");
    part.textContent = block;
    return part;
  });
  outcome.className = `outcome ${state}`.trim();
  outcome.replaceChildren(heading, ...parts);
}
