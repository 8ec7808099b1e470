// Short words at the edge of the page; faults stay longer and are announced at once.
export function toast(text, tone = "") {
  const box = document.createElement("div");
  box.className = `toast ${tone}`;
  if (tone === "bad") box.setAttribute("role", "alert");
  box.textContent = text;
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), tone === "bad" ? 9000 : 4000);
}
