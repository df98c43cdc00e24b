"use strict";
// Draws the charts of a report from the data that it holds. Nothing is asked of anybody: without
// this script the picture stands where the charts do.

const MINUTE = 60, HOUR = 3600, DAY = 86400;
const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY];
const CLOSEST_S = 2;
const AHEAD = "600px"; // a chart is drawn before it comes into sight
const views = {};

// A time since the run began, in the units that matter: 3 min 20 s.
function lasting(seconds) {
  if (seconds < 0) return `-${lasting(-seconds)}`;
  if (seconds < MINUTE) return `${three.format(seconds)} s`;
  const whole = Math.round(seconds), parts = [];
  for (const [size, unit] of [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [1, "s"]]) {
    const count = Math.floor((whole % (unit === "d" ? Infinity : { h: DAY, min: HOUR, s: MINUTE }[unit])) / size);
    if (count) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ");
}

function told(began, time) {
  if (began === null) return lasting(time);
  return `${lasting(time)} (${new Date((began + time) * 1000).toISOString().slice(11, 19)} UTC)`;
}

// Times as they were recorded, or as the first of them and their distance.
function timesOf(given) {
  if (Array.isArray(given)) return given;
  return Array.from({ length: given.count }, (_, i) => given.first + i * given.step);
}

// The charts of one run, which show the same stretch of time.
class View {
  constructor(element) {
    this.element = element;
    this.data = JSON.parse(element.querySelector("script").textContent);
    this.looked = null;
    this.charts = {};
    this.shown = element.querySelector(".shown");
    this.shared = {
      key: element.id,
      heading: "h3",
      when: {
        isTime: false,
        steps: TIMES,
        axis: (splits) => splits.map(lasting),
        told: (time) => told(this.data.began, time),
      },
      time: () => ({ looked: this.looked || this.data.span }),
      look: (stretch) => this.look(stretch),
    };
    for (const button of element.querySelectorAll("button[data-do]")) {
      button.addEventListener("click", () => this.asked(button));
    }
    const observer = new IntersectionObserver((seen) => this.draw(seen, observer), { rootMargin: AHEAD });
    for (const slot of element.querySelectorAll(".slot")) observer.observe(slot);
  }

  draw(seen, observer) {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      this.drawOne(target, target.dataset.key);
    }
  }

  drawOne(slot, key) {
    const what = this.data.charts[key];
    const chart = new Chart(slot, `${this.element.id}-${key}`, what.title, what.format, this.shared);
    this.charts[key] = chart;
    chart.given = { limit: null, forecast: null, ...what, times: timesOf(what.times), marks: this.data.marks, spans: this.data.spans };
    chart.draw(chart.given);
  }

  redraw() {
    for (const chart of Object.values(this.charts)) {
      chart.names = "";
      chart.draw(chart.given);
    }
  }

  look(stretch) {
    const [first, last] = this.data.span;
    const from = stretch && Math.max(first, stretch[0]), to = stretch && Math.min(last, stretch[1]);
    const isWhole = !stretch || to - from >= 0.999 * (last - first);
    this.looked = isWhole ? null : [from, to];
    for (const chart of Object.values(this.charts)) chart.zoom();
    this.shown.textContent = isWhole ? "the whole run" : `${lasting(from)} to ${lasting(to)}`;
  }

  asked(button) {
    const [from, to] = this.looked || this.data.span, middle = (from + to) / 2, span = to - from;
    const actions = {
      closer: () => this.look(span / 2 < CLOSEST_S ? [from, to] : [middle - span / 4, middle + span / 4]),
      wider: () => this.look([middle - span, middle + span]),
      earlier: () => this.move(from, to, -span / 2),
      later: () => this.move(from, to, span / 2),
      whole: () => this.look(null),
      picture: () => {
        const isShown = this.element.classList.toggle("as-picture");
        button.setAttribute("aria-pressed", String(isShown));
      },
    };
    actions[button.dataset.do]();
  }

  // The same span of time, as far as there is any.
  move(from, to, by) {
    const [first, last] = this.data.span;
    const step = Math.min(Math.max(by, first - from), last - to);
    this.look([from + step, to + step]);
  }
}

for (const element of document.querySelectorAll(".view")) views[element.id] = new View(element);
document.documentElement.classList.add("drawn");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const view of Object.values(views)) view.redraw();
});
