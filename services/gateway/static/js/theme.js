// Runs before the first paint, so that the chosen theme never flashes; without a choice the system's theme holds.
(() => {
  const root = document.documentElement;
  const stored = localStorage.getItem("kefu-theme");
  if (stored) root.dataset.theme = stored;
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("kefu-theme", root.dataset.theme);
    document.dispatchEvent(new CustomEvent("kefu:theme"));
  });
})();
