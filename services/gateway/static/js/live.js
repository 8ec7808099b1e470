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

// One indicator for all streams of the page: it shows the worst.
const ORDER = ["open", "connecting", "lost"];
const states = new Map();

function indicate(url, state) {
  states.set(url, state);
  const worst = [...states.values()].sort((a, b) => ORDER.indexOf(b) - ORDER.indexOf(a))[0];
  for (const element of document.querySelectorAll(".live")) {
    if (element.dataset.state === worst) continue;
    element.dataset.state = worst;
    element.querySelector("span").textContent = element.dataset[worst];
  }
}

function connect(url) {
  const target = new URL(url, location.href);
  if (cursors.has(url)) target.searchParams.set("cursor", cursors.get(url));
  const source = new EventSource(target, { withCredentials: true });
  const element = document.querySelector(`[sse-connect="${CSS.escape(url)}"]`);
  const tell = paced((detail) => element.dispatchEvent(new CustomEvent("kefu:changed", { detail, bubbles: true })));
  source.addEventListener("message", (event) => {
    if (event.lastEventId) cursors.set(url, event.lastEventId);
    indicate(url, "open");
    tell(JSON.parse(event.data));
  });
  // Whatever happened while the line was down: ask once for the whole.
  const arrived = () => {
    document.dispatchEvent(new CustomEvent("kefu:open"));
    indicate(url, "open");
    tell({});
  };
  source.addEventListener("open", arrived);
  source.addEventListener("error", () => indicate(url, source.readyState === EventSource.CLOSED ? "lost" : "connecting"));
  // A stream may live through a short absence of the network; what pages asked for meanwhile did not.
  const gone = new AbortController();
  const alive = () => element.isConnected && source.readyState !== EventSource.CLOSED;
  const on = (name, work) => window.addEventListener(name, () => (alive() ? work() : gone.abort()), { signal: gone.signal });
  on("offline", () => indicate(url, "lost"));
  on("online", () => (source.readyState === EventSource.OPEN ? arrived() : indicate(url, "connecting")));
  return source;
}

const install = () => window.htmx && (window.htmx.createEventSource = connect);
install() || document.addEventListener("DOMContentLoaded", install);
