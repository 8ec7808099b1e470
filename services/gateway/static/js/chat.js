// The customer's chat: Enter sends, Shift+Enter breaks the line, the thread stays at its end.
const id = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
const down = () => {
  const thread = document.getElementById("thread");
  if (thread) thread.scrollTop = thread.scrollHeight;
};
const prepare = () => document.querySelectorAll("form[data-sends]").forEach((form) => (form.elements.request_id.value ||= id()));
prepare();
down();

document.addEventListener("keydown", (event) => {
  if (event.target.matches(".say textarea") && event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (event.target.value.trim()) event.target.form.requestSubmit();
  }
});
document.addEventListener("kefu:sent", () => {
  const form = document.querySelector("form[data-sends]");
  form.reset();
  form.elements.request_id.value = id();
  form.elements.text.focus();
});
document.addEventListener("htmx:afterSettle", () => {
  prepare();
  down();
});
