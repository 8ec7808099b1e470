// The services' time. A browser's own clock may be wrong, so it only measures what passed since the last answer.
let offset = Number(document.querySelector('meta[name="server-now"]').content) - Date.now();

export const now = () => Date.now() + offset;

async function settle() {
  try {
    const sent = performance.now();
    const reply = await fetch("/time", { cache: "no-store" });
    const server = Number(await reply.text());
    if (reply.ok && server) offset = server + (performance.now() - sent) / 2 - Date.now();
  } catch {
    // Offline: the last offset is the best there is.
  }
}

settle();
setInterval(settle, 60_000);
document.addEventListener("visibilitychange", () => document.hidden || settle());
document.addEventListener("kefu:open", settle);
