// The wallboard: full screen, the trend, and a flash for a breach that was not there before.
const chartElement = document.getElementById("trend");
let chart;

const colour = (name) => {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
};

async function draw() {
  const reply = await fetch(chartElement.dataset.url, { headers: { Accept: "application/json" } });
  if (!reply.ok) return;
  const points = await reply.json();
  chart ??= window.echarts.init(chartElement, null, { renderer: "svg" });
  const soft = colour("--ink-soft");
  const line = colour("--line");
  const font = getComputedStyle(document.body).fontFamily;
  chart.setOption({
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    textStyle: { fontFamily: font, color: soft },
    grid: { left: 44, right: 52, top: 34, bottom: 26 },
    legend: { top: 0, right: 12, textStyle: { color: soft }, itemWidth: 14, itemHeight: 8, data: [chartElement.dataset.offered, chartElement.dataset.level] },
    tooltip: { trigger: "axis", renderMode: "richText", backgroundColor: colour("--raised"), borderColor: line, textStyle: { color: colour("--ink") } },
    xAxis: { type: "category", data: points.map((p) => p.label), axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, axisLabel: { color: soft } },
    yAxis: [
      { type: "value", minInterval: 1, splitLine: { lineStyle: { color: line } }, axisLabel: { color: soft } },
      { type: "value", min: 0, max: 100, interval: 50, splitLine: { show: false }, axisLabel: { color: soft, formatter: "{value}%" } },
    ],
    series: [
      { name: chartElement.dataset.offered, type: "bar", barMaxWidth: 26, itemStyle: { color: colour("--accent-soft"), borderColor: colour("--accent"), borderWidth: 1, borderRadius: [4, 4, 0, 0] }, data: points.map((p) => p.offered || null) },
      { name: chartElement.dataset.level, type: "line", yAxisIndex: 1, smooth: 0.2, symbolSize: 7, connectNulls: true, lineStyle: { width: 2.5 }, itemStyle: { color: colour("--near") }, data: points.map((p) => (p.ratio === null ? null : Math.round(p.ratio * 1000) / 10)) },
    ],
  });
}

function keepDrawn() {
  const start = () => draw().catch(() => undefined);
  if (document.readyState === "complete") start();
  else window.addEventListener("load", start);
  setInterval(start, 60_000);
  document.addEventListener("kefu:theme", start);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", start);
  new ResizeObserver(() => chart?.resize()).observe(chartElement);
}
// Only who may read reports has the chart.
if (chartElement) keepDrawn();

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-full]")) return;
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
});

let known;
const breaches = () => new Set([...document.querySelectorAll("[data-breach]")].map((item) => item.dataset.breach + item.querySelector("time").textContent));
document.addEventListener("htmx:beforeSwap", (event) => event.detail.target.id === "figures" && (known = breaches()));
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "figures" || !known) return;
  for (const item of document.querySelectorAll("[data-breach]")) {
    if (!known.has(item.dataset.breach + item.querySelector("time").textContent)) item.classList.add("fresh");
  }
});
