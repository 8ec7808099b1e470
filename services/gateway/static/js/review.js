// The review room: marks by digits, items by up and down, and marks on the recording. Fields keep their own keys.
const form = document.getElementById("marks");
const criteria = [...document.querySelectorAll("[data-criterion]")];
const player = document.querySelector(".player");
const radios = (criterion) => [...criterion.querySelectorAll("input[type=radio]")];
const chosen = (criterion) => criterion.querySelector("input:checked");
let current = null; // the item that was marked last: what evidence is about

function go(criterion) {
  (chosen(criterion) ?? radios(criterion)[0]).focus();
  criterion.scrollIntoView({ block: "nearest" });
}

function choose(criterion, value) {
  const radio = radios(criterion).find((one) => one.value === value);
  if (!radio) return false;
  radio.checked = true;
  radio.focus();
  radio.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

// 0 stands for 10 where 0 is no mark, x for "does not apply".
const values = (key) => (key === "0" ? ["0", "10"] : key === "x" ? ["NA"] : /^[1-9]$/.test(key) ? [key] : []);

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  const typing = target.matches("textarea, select, input:not([type=radio])");
  if (!criteria.length || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const inside = target.closest("[data-criterion]");
  const criterion = inside ?? criteria.find((one) => !chosen(one)) ?? criteria[0];
  if (key === "ArrowDown" || key === "ArrowUp") {
    if (!inside) return; // the page scrolls
    const next = criteria[criteria.indexOf(inside) + (key === "ArrowDown" ? 1 : -1)];
    if (next) go(next);
  } else if (key === "c" && inside) inside.querySelector("textarea").focus();
  else if (!values(key).some((value) => choose(criterion, value))) return;
  event.preventDefault();
});

document.addEventListener("focusin", (event) => {
  current = event.target.closest("[data-criterion]") ?? current;
});

function needComment(criterion) {
  const mark = chosen(criterion)?.value;
  criterion.querySelector("textarea").required = mark !== undefined && Number(mark) <= Number(criterion.dataset.commentAt);
}
criteria.forEach(needComment);
form?.addEventListener("change", (event) => {
  const criterion = event.target.closest("[data-criterion]");
  if (criterion) needComment(criterion);
});

document.addEventListener("click", (event) => {
  const mark = event.target.closest("[data-mark]");
  const seek = event.target.closest("[data-seek]");
  if (mark) {
    const row = document.getElementById("place").content.cloneNode(true).firstElementChild;
    row.querySelector("[name=at]").value = mark.dataset.mark || player.currentTime.toFixed(1);
    row.querySelector("[name=about]").value = current?.dataset.criterion ?? "";
    document.getElementById("places").append(row);
    row.querySelector("[name=note]").focus();
  } else if (seek && player) player.currentTime = Number(seek.dataset.seek);
  else if (seek) {
    const lines = [...document.querySelectorAll("[data-at]")];
    lines.findLast((line) => Number(line.dataset.at) <= Number(seek.dataset.seek))?.scrollIntoView({ block: "center" });
  }
  event.target.closest("[data-unmark]")?.closest("li").remove();
});
