// Keyboard first. Single letters work outside fields; elements name their key with data-key, lists are moved through by j and k.
let pending = "";

const editing = (target) => target.closest("input, textarea, select, [contenteditable]");
const visible = (element) => element.offsetParent !== null;

function move(step) {
  const items = [...document.querySelectorAll("[data-item]")].filter(visible);
  const here = items.indexOf(document.activeElement);
  items[Math.min(items.length - 1, Math.max(0, here + step))]?.focus();
}

function press(key) {
  const found = [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].filter(visible);
  const element = found.find((one) => one.matches("input, textarea")) ?? found[0];
  if (!element) return false;
  if (element.matches("input, textarea")) element.focus();
  else element.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if ((event.ctrlKey || event.metaKey) && key === "Enter" && target.form) {
    event.preventDefault();
    return target.form.requestSubmit();
  }
  if (key === "Escape" && editing(target)) return target.blur();
  if (editing(target) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const chord = pending ? `${pending} ${key}` : key;
  pending = "";
  if (chord === "g") pending = "g";
  else if (chord === "j" || chord === "k") move(chord === "j" ? 1 : -1);
  else if (chord === "?") document.getElementById("keys")?.showModal();
  else if (!press(chord)) return;
  event.preventDefault();
});
