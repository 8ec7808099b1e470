// Live updates. The htmx SSE extension opens, retries and closes connections; here they carry credentials, go on from the
// last cursor, tell the indicator, and become one DOM event "kefu:changed" on their element, at most two a second.
const cursors = new Map();
const PACE = 500;

function paced(fire) {
  let last = -Infinity;
  let timer = 0;
  return (detail) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      last = performance.now();
      fire(detail);
    }, Math.max(0, last + PACE - performance.now()));
  };
}

function indicate(state) {
  for (const element of document.querySelectorAll(".live")) {
    element.dataset.state = state;
    element.querySelector("span").textContent = element.dataset[state];
  }
}

function connect(url) {
  const target = new URL(url, location.href);
  if (cursors.has(url)) target.searchParams.set("cursor", cursors.get(url));
  const source = new EventSource(target, { withCredentials: true });
  const element = document.querySelector(`[sse-connect="${CSS.escape(url)}"]`);
  const tell = paced((detail) => element.dispatchEvent(new CustomEvent("kefu:changed", { detail, bubbles: true })));
  source.addEventListener("message", (event) => {
    const data = JSON.parse(event.data);
    if (event.lastEventId) cursors.set(url, event.lastEventId);
    element.dispatchEvent(new CustomEvent("kefu:event", { detail: data, bubbles: true }));
    tell(data);
  });
  // Whatever happened while the line was down: ask once for the whole.
  source.addEventListener("open", () => {
    document.dispatchEvent(new CustomEvent("kefu:open"));
    indicate("open");
    tell({});
  });
  source.addEventListener("error", () => indicate(source.readyState === EventSource.CLOSED ? "lost" : "connecting"));
  return source;
}

const install = () => window.htmx && (window.htmx.createEventSource = connect);
install() || document.addEventListener("DOMContentLoaded", install);
window.addEventListener("offline", () => indicate("lost"));
