// Everything that every page shares. Pages add their own module.
import "./clock.js";
import "./live.js";
import "./keys.js";
import { toast } from "./toast.js";

const csrf = document.querySelector('meta[name="csrf-token"]').content;
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = csrf;
});

// A refused request answers with a toast of its own; without any answer we say so ourselves.
document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  if (xhr.status === 401) return location.reload();
  toast(words(xhr) || document.body.dataset.offline, "bad");
});
function words(xhr) {
  const type = xhr.getResponseHeader("Content-Type") ?? "";
  if (type.startsWith("text/plain")) return xhr.responseText;
  return type.includes("json") ? JSON.parse(xhr.responseText).detail : "";
}
document.addEventListener("htmx:sendError", (event) => {
  // A refresh that fails is repeated by itself; what somebody did is not.
  if (event.detail.requestConfig.verb !== "get") toast(document.body.dataset.offline, "bad");
});
document.addEventListener("kefu:toast", (event) => toast(event.detail.text, event.detail.tone));

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) {
    document.getElementById(opener.dataset.open)?.showModal();
    opener.closest("details.menu")?.removeAttribute("open");
  }
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  if (event.target.matches("dialog")) event.target.close(); // the backdrop
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});
document.addEventListener("kefu:done", () => {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
});
