// What the browser adds to pages that work without it: keys, charts, no second sending.
"use strict";

const SERIES = ["--s1", "--s2", "--s3", "--s4", "--s5", "--s6"];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const LANGUAGE = document.documentElement.lang;

// Write a time as finely as the ticks are apart: 2017, Jan 2017, 12 Jan, 14:00. Always UTC, as in the table.
function written(at, parts) {
  return new Intl.DateTimeFormat(LANGUAGE === "en" ? "en-GB" : LANGUAGE, { timeZone: "UTC", ...parts }).format(at);
}

function tick(seconds, apart) {
  const at = new Date(seconds * 1000);
  if (apart >= 360 * 86400) return String(at.getUTCFullYear());
  if (apart >= 28 * 86400) return written(at, { month: "short", year: "numeric" });
  if (apart >= 86400) return written(at, { day: "numeric", month: "short" });
  return written(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

// A chart's data stands in the page as JSON; its table stands below it for whoever can't see the chart.
function draw(place) {
  const data = JSON.parse(document.getElementById(place.dataset.from).textContent);
  const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  const write = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 2 });
  const compact = new Intl.NumberFormat(LANGUAGE, { notation: "compact" });
  const series = data.series.map((name, at) => ({
    label: name,
    stroke: colour(SERIES[at % SERIES.length]),
    width: 2,
    points: { show: data.times.length < 60, size: 5 },
    value: (_, one) => (one === null ? "—" : write.format(one) + (data.unit ? " " + data.unit : "")),
  }));
  place.replaceChildren();
  const legend = 34 + 22 * Math.floor(data.series.length / 4);
  new uPlot(
    {
      width: place.clientWidth,
      height: place.clientHeight - legend,
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "Etc/UTC"),
      scales: { x: { range: (_, from, to) => (from === to ? [from - 16 * 86400, to + 16 * 86400] : [from, to]) }, y: { range: (_, least, most) => [Math.min(0, least), most > 0 ? most * 1.06 : 1] } },
      axes: [{ ...axis, space: 84, values: (_, ticks, __, ___, apart) => ticks.map((one) => tick(one, apart)) }, { ...axis, size: 64, values: (_, ticks) => ticks.map((one) => compact.format(one)) }],
      series: [{ label: data.label, value: (_, time) => (time === null ? "—" : new Date(time * 1000).toISOString().slice(0, 10)) }, ...series],
    },
    [data.times, ...data.values],
    place,
  );
}

function drawAll(root) {
  if (typeof uPlot === "undefined") return;
  for (const place of root.querySelectorAll("[data-from]")) draw(place);
}

// Whatever scrolls sideways must be reached by the keyboard too; what does not scroll is no stop on the way.
function reachable(root) {
  for (const place of root.querySelectorAll(".scroll:not([tabindex]), pre:not([tabindex])")) {
    if (place.scrollWidth > place.clientWidth || place.scrollHeight > place.clientHeight) place.tabIndex = 0;
  }
}

function begin(root) {
  for (const button of root.querySelectorAll("[data-add-row]")) button.hidden = false;
  drawAll(root);
  reachable(root);
}

document.addEventListener("DOMContentLoaded", () => begin(document));
document.addEventListener("htmx:afterSettle", (event) => begin(event.target));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
let settling;
window.addEventListener("resize", () => {
  clearTimeout(settling);
  settling = setTimeout(() => drawAll(document), 120);
});

// A select marked so sends its form at once; the button stays for the keyboard and for pages without scripts.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-at-once]")) event.target.form.requestSubmit();
});

// A list in a form gets another row; without scripts there is one empty row at its end, and another after each call.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add-row]");
  if (!button) return;
  const list = button.parentElement;
  const last = Array.from(list.querySelectorAll("[name]"), (one) => Number(one.name.split(".")[1])).reduce((a, b) => Math.max(a, b), -1);
  const row = list.querySelector("template").content.cloneNode(true);
  for (const one of row.querySelectorAll("[name], [for]")) {
    for (const which of ["name", "id", "for"]) {
      if (one.hasAttribute(which)) one.setAttribute(which, one.getAttribute(which).replace(".0000.", `.${last + 1}.`));
    }
  }
  const first = row.querySelector("[name]");
  list.insertBefore(row, list.querySelector("template"));
  first.focus();
});

// "/" goes to the search, as in most consoles; Escape leaves it.
document.addEventListener("keydown", (event) => {
  const find = document.querySelector(".find input");
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    find.focus();
    find.select();
  } else if (event.key === "Escape" && event.target === find) {
    find.blur();
  }
});

// What is sent once must not be sent twice by a second click.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});

// Leave what was not filled in out of an address that people share.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const name of new Set(event.formData.keys())) {
    const kept = event.formData.getAll(name).filter((value) => value !== "");
    event.formData.delete(name);
    for (const value of kept) event.formData.append(name, value);
  }
});
