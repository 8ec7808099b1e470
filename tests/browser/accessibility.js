// What is wrong with the page for a reader who cannot see it well, or at all. Returns a list of faults.
() => {
  const faults = [];
  const shown = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && element.getClientRects().length > 0;
  const hidden = (element) => getComputedStyle(element).clipPath !== "none";
  const text = (element) => (element.textContent || "").trim();
  const name = (element) =>
    element.getAttribute("aria-label") ||
    (element.getAttribute("aria-labelledby") && text(document.getElementById(element.getAttribute("aria-labelledby")))) ||
    (element.labels && [...element.labels].map(text).join("")) ||
    text(element) || element.title || element.alt;
  const say = (element) => element.outerHTML.slice(0, 120).replace(/\s+/g, " ");

  if (!document.documentElement.lang) faults.push("no language");
  if (document.querySelectorAll("h1").length !== 1) faults.push("not exactly one h1");
  if (!document.querySelector("main")) faults.push("no main");
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) faults.push(`id twice: ${id}`);
  for (const element of document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary, dialog[open], [role=img], img")) {
    if (shown(element) && !name(element)) faults.push(`no name: ${say(element)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push(`wider than the screen: ${document.documentElement.scrollWidth}`);

  // Contrast by WCAG: 4.5, or 3 for large words.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const pixel = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((value, i) => value * top[3] + below[i] * (1 - top[3]));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const chain = [];
    for (let one = element; one; one = one.parentElement) chain.unshift(pixel(getComputedStyle(one).backgroundColor));
    return chain.reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const modal = document.querySelector("dialog[open]");
  for (const element of (modal ?? document.body).querySelectorAll("*")) {
    const words = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!words || !shown(element) || hidden(element) || element.closest("svg, :disabled, option")) continue;
    if (element.getAnimations().length || element.parentElement?.getAnimations().length) continue;
    const style = getComputedStyle(element);
    const below = ground(element);
    const [a, b] = [light(over(pixel(style.color), below)), light(below)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faults.push(`contrast ${ratio.toFixed(2)}: ${say(element)}`);
  }
  return faults;
}
