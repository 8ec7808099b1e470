// The desk: sending, the two kinds of writing, keeping one's place in the thread, details on a narrow screen.
const id = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
const thread = document.getElementById("thread");
const bottom = () => thread && thread.scrollHeight - thread.scrollTop - thread.clientHeight < 120;

function fresh(form) {
  form.reset();
  form.elements.request_id.value = id();
  choose(form, form.querySelector('[role="tab"]')?.dataset.kind);
  name(form);
}

function choose(form, kind) {
  if (!kind) return;
  form.elements.kind.value = kind;
  form.classList.toggle("noting", kind === "NOTE");
  for (const tab of form.querySelectorAll('[role="tab"]')) tab.setAttribute("aria-selected", String(tab.dataset.kind === kind));
  const text = form.elements.text;
  text.placeholder = kind === "NOTE" ? text.dataset.note : text.dataset.reply;
}

function name(form) {
  const label = form.querySelector("[data-file]");
  label.textContent = form.elements.file.files[0]?.name ?? label.dataset.empty;
}

const prepare = () => document.querySelectorAll("form[data-sends]").forEach((form) => form.elements.request_id.value || fresh(form));
prepare();
if (thread) thread.scrollTop = thread.scrollHeight;

document.addEventListener("click", (event) => {
  const tab = event.target.closest("[data-kind]");
  if (tab) {
    choose(tab.closest("form"), tab.dataset.kind);
    tab.closest("form").elements.text.focus();
  }
  if (event.target.closest("[data-toggle-details]")) document.getElementById("details").classList.toggle("shown");
});
document.addEventListener("change", (event) => event.target.name === "file" && name(event.target.form));
document.addEventListener("kefu:sent", () => {
  fresh(document.getElementById("reply-form"));
  document.querySelector("[data-greet]")?.remove();
  if (thread) thread.dataset.follow = "1";
});

let follow = true;
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target === thread) follow = bottom() || Boolean(thread.dataset.follow);
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target === thread && follow) {
    thread.scrollTop = thread.scrollHeight;
    delete thread.dataset.follow;
  }
  prepare();
});
// A refresh must not take the words or the place away from somebody who is writing in the details.
document.addEventListener("htmx:beforeRequest", (event) => {
  const pane = event.detail.elt;
  if (["details", "list"].includes(pane.id) && event.detail.requestConfig.verb === "get") {
    const busy = pane.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
    if (busy || pane.querySelector("details.menu[open]")) event.preventDefault();
  }
});
