"use strict";
// Charts over time, drawn by uPlot: lines that are told apart by their dashes as well as by their
// colours, what they are shaded with, marks, a limit, and where a forecast leads.

const DASHES = [[], [8, 4], [2, 3], [12, 3, 2, 3], [5, 2], [1, 4], [14, 5], [6, 2, 1, 2, 1, 2]];
const GAP = 5; // so many usual distances without a figure are a gap
const HEIGHT = 220;
const NAMES_HEIGHT = 20; // for what is marked, above each chart
const NARROWEST_S = 2;
const NEAR_LIMIT = 1 / 3; // a limit is in sight once the figures come to this share of it
const LEAST_MARGIN = { count: 1, bytes: 65536, mib: 1 / 16, rate: 0.5, ms: 0.5, percent: 0.5 }; // a level line is drawn as one

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

const formats = {
  count: (value) => (Math.abs(value) < 10 && value % 1 ? three.format(value) : whole.format(value)),
  bytes: (value) => {
    const unit = [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]].find(([, size]) => Math.abs(value) >= size);
    return unit ? `${three.format(value / unit[1])} ${unit[0]}` : `${whole.format(value)} B`;
  },
  mib: (value) => formats.bytes(value * 2 ** 20),
  rate: (value) => `${three.format(value)}/s`,
  ms: (value) => (Math.abs(value) < 1000 ? `${three.format(value)} ms` : `${three.format(value / 1000)} s`),
  percent: (value) => `${three.format(value)} %`,
};

// Distances between the figures on an axis, in which they are round.
const decades = [1, 2, 5].flatMap((one) => [1, 10, 100].map((ten) => one * ten)).sort((a, b) => a - b);
const fractions = Array.from({ length: 36 }, (_, i) => [1, 2, 5][i % 3] * 10 ** (Math.floor(i / 3) - 3));
const steps = {
  count: Array.from({ length: 30 }, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3)),
  bytes: [0, 1, 2, 3, 4].flatMap((unit) => decades.map((one) => one * 1024 ** unit)),
  mib: fractions,
  rate: fractions,
  ms: fractions,
  percent: fractions,
};

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function two(number) {
  return String(number).padStart(2, "0");
}

function day(date) {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function clock(time, step = 1) {
  const date = new Date(time * 1000);
  const isMidnight = !date.getHours() && !date.getMinutes() && !date.getSeconds();
  if (step >= 86400 || (step >= 3600 && isMidnight)) return day(date).slice(5);
  const seconds = step < 60 ? `:${two(date.getSeconds())}` : "";
  return `${two(date.getHours())}:${two(date.getMinutes())}${seconds}`;
}

// How moments are told: by the clock, unless a page tells them otherwise.
const byClock = {
  isTime: true, // uPlot finds the distances between the figures on the axis
  axis: (splits, step) => splits.map((time) => clock(time, step)),
  told: (time) => clock(time),
};

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : 0;
}

function usualDistance(times) {
  const distances = [];
  for (let i = 1; i < times.length; i++) distances.push(times[i] - times[i - 1]);
  return median(distances);
}

// The times at which a line has a figure.
function known(times, values) {
  return times.filter((_, i) => values[i] !== null && values[i] !== undefined);
}

// Times and lines with an empty place in each hole, which a line would bridge otherwise.
function withHoles(times, lines, gap) {
  const longest = gap * usualDistance(times);
  const holes = [];
  for (let i = 1; i < times.length; i++) if (times[i] - times[i - 1] > longest) holes.push(i);
  if (!holes.length) return [times, lines];
  const spread = (values, between) => {
    const found = [];
    let from = 0;
    for (const at of holes) {
      for (let i = from; i < at; i++) found.push(values[i]);
      found.push(between(at));
      from = at;
    }
    for (let i = from; i < values.length; i++) found.push(values[i]);
    return found;
  };
  const empty = () => null;
  return [
    spread(times, (at) => (times[at] + times[at - 1]) / 2),
    lines.map((line) => ({
      ...line,
      last: spread(line.last, empty),
      low: line.low && spread(line.low, empty),
      high: line.high && spread(line.high, empty),
    })),
  ];
}

// The power of ten that a value is at or above.
function powerBelow(value) {
  return 10 ** Math.floor(Math.log10(value) + 1e-9);
}

// Which places of a logarithmic axis have a name: the powers of ten, and 2 and 5 times these where
// they are few.
function named(places) {
  const times = places.map((value) => (value > 0 ? value / powerBelow(value) : NaN));
  const is = (i, ...factors) => factors.some((factor) => Math.abs(times[i] - factor) < 1e-6);
  const areMany = times.filter((_, i) => is(i, 1)).length > 1;
  return places.map((_, i) => is(i, 1) || (!areMany && is(i, 2, 5)));
}

// A forecast as a line and the two edges of its band.
function paths(forecast, end = Infinity) {
  if (forecast.middle) return forecast;
  const to = (at) => [[forecast.made, at], [forecast.level, forecast.limit]];
  return { middle: to(forecast.at), low: to(forecast.low), high: to(forecast.high ?? end) };
}

// How high a path comes between two moments.
function reached([times, heights], from, to) {
  const last = times.length - 1;
  if (times[0] > to || times[last] < from) return -Infinity;
  let i = 0;
  while (i < last && times[i + 1] <= to) i++;
  if (i === last) return heights[last];
  const span = times[i + 1] - times[i];
  return heights[i] + (span ? (to - times[i]) / span : 1) * (heights[i + 1] - heights[i]);
}

// One chart: `draw` takes what there is to draw, and draws it.
class Chart {
  constructor(parent, id, title, format, shared) {
    this.format = formats[format];
    this.steps = steps[format];
    this.margin = LEAST_MARGIN[format];
    this.shared = shared; // the stretch of time that all charts show, and who is told of another
    this.element = document.createElement("section");
    this.element.className = "chart";
    this.element.id = id;
    this.when = shared.when || byClock;
    this.heading = document.createElement(shared.heading || "h2");
    const name = document.createElement("span");
    name.id = `${id}-title`;
    name.textContent = title;
    this.moment = document.createElement("span"); // when the cursor is
    this.moment.className = "moment";
    this.heading.append(name, " ", this.moment);
    this.element.setAttribute("aria-labelledby", name.id);
    this.plot = document.createElement("div");
    this.plot.className = "plot";
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "application");
    this.plot.setAttribute("aria-label", `${title}: arrow keys move along the chart`);
    this.legend = document.createElement("ul");
    this.legend.className = "legend";
    this.note = document.createElement("p");
    this.note.className = "note";
    this.heard = document.createElement("p");
    this.heard.className = "heard";
    this.heard.setAttribute("aria-live", "polite");
    this.element.append(this.heading, this.note, this.plot, this.legend, this.heard);
    parent.append(this.element);
    this.plot.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.resize()).observe(this.plot);
    this.lines = [];
  }

  // what: {times, lines: [{name, last, low, high}], limit, limitText, fit, forecast, marks, spans, note, isLog, gap}
  // forecast: {made, level, limit, at, low, high}, or its paths {middle, low, high}; fit: a path.
  // A path is [times, heights].
  draw(what) {
    const gap = what.gap || GAP;
    const [times, lines] = withHoles(what.times, what.lines, gap);
    this.what = { ...what, times, lines };
    this.lines = lines;
    this.longest = lines.map((line) => gap * usualDistance(known(times, line.last)));
    this.note.textContent = what.note || (times.length ? "" : "nothing recorded yet");
    const names = JSON.stringify(lines.map((line) => line.name));
    const data = [times, ...lines.map((line) => line.last)];
    if (this.uplot && names === this.names) this.uplot.setData(data, false);
    else this.build(names, data);
    this.zoom();
    this.showLegend();
  }

  build(names, data) {
    this.names = names;
    if (this.uplot) this.uplot.destroy();
    this.plot.replaceChildren();
    const ink = colour("--faint"), rule = colour("--rule");
    const axis = { stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1 } };
    const options = {
      width: this.width(),
      height: HEIGHT,
      legend: { show: false },
      padding: [NAMES_HEIGHT, null, null, null],
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false },
        sync: { key: this.shared.key || "run", scales: ["x", null] },
        points: { size: 7 },
      },
      scales: {
        x: { time: this.when.isTime, range: () => this.range() },
        y: { range: () => this.heights(), ...(this.what.isLog ? { distr: 3 } : {}) },
      },
      axes: [
        {
          ...axis, space: 70, values: (u, splits, i, space, step) => this.when.axis(splits, step),
          ...(this.when.steps ? { incrs: this.when.steps } : {}),
        },
        this.what.isLog
          ? { ...axis, size: 76, values: (u, splits) => named(splits).map((isNamed, i) => (isNamed ? this.format(splits[i]) : "")) }
          : { ...axis, size: 76, incrs: this.steps, values: (u, splits) => splits.map((value) => this.format(value)) },
      ],
      series: [
        {},
        ...this.lines.map((line, i) => ({
          label: line.name,
          stroke: colour(`--line-${i % 8}`),
          width: 2,
          dash: DASHES[i % DASHES.length],
          points: { show: false },
          gaps: (u, series, from, to, gaps) =>
            gaps.filter(([a, b]) => u.posToVal(b, "x", true) - u.posToVal(a, "x", true) > this.longest[series - 1]),
        })),
      ],
      hooks: {
        drawAxes: [(u) => this.drawBelow(u)],
        draw: [(u) => this.drawAbove(u)],
        setCursor: [(u) => this.showLegend(u.cursor.idx)],
        setSelect: [(u) => this.select(u)],
      },
    };
    this.uplot = new uPlot(options, data, this.plot);
    this.uplot.over.addEventListener("dblclick", () => this.shared.look(null));
  }

  width() {
    return Math.max(this.plot.clientWidth, 200);
  }

  resize() {
    if (this.uplot && this.uplot.width !== this.width()) {
      this.uplot.setSize({ width: this.width(), height: HEIGHT });
    }
  }

  // Shows the stretch of time that is looked at.
  zoom() {
    const [min, max] = this.range();
    if (this.uplot) this.uplot.setScale("x", { min, max });
  }

  range() {
    const { first, last, looked } = this.shared.time();
    if (looked) return looked;
    const forecast = this.what.forecast;
    const end = forecast && forecast.at > last ? (forecast.at - first <= 2 * (last - first) ? forecast.at + 0.04 * (forecast.at - first) : first + 1.15 * (last - first)) : last;
    return [first, Math.max(end, first + NARROWEST_S)];
  }

  // From lowest to highest in sight; to the limit where that is near, or forecast to be met.
  heights() {
    const [from, to] = this.range();
    let low = Infinity, high = -Infinity;
    const { times, limit, forecast, isLog } = this.what;
    for (const line of this.lines) {
      for (let i = 0; i < times.length; i++) {
        if (times[i] < from || times[i] > to || line.last[i] === null || line.last[i] === undefined) continue;
        const least = line.low ? line.low[i] : line.last[i];
        if (!isLog || least > 0) low = Math.min(low, least);
        high = Math.max(high, line.high ? line.high[i] : line.last[i]);
      }
    }
    if (isLog) {
      if (low > high) return [1, 10];
      // Its places are counted from the lowest, so that has to be a round one.
      const power = powerBelow(low / 1.5);
      return [Math.floor(low / 1.5 / power + 1e-9) * power, high * 1.6];
    }
    if (low > high) return [0, limit || 1];
    if (forecast) high = Math.max(high, reached(paths(forecast).middle, from, to));
    if (limit && high >= NEAR_LIMIT * limit) high = Math.max(high, limit);
    const margin = Math.max(0.08 * (high - low), 0.02 * high, this.margin);
    low = low < 0.5 * high ? 0 : Math.max(0, low - margin);
    return [low, high + margin];
  }

  drawBelow(u) {
    this.clipped(u, (context, x, y) => {
      this.lines.forEach((line, i) => line.low && this.shade(context, x, y, line, colour(`--line-${i % 8}`)));
      for (const { from, to } of this.what.spans || []) {
        context.fillStyle = colour("--faint");
        context.globalAlpha = 0.18;
        context.fillRect(x(from), u.bbox.top, x(to) - x(from), u.bbox.height);
        context.globalAlpha = 1;
      }
      if (this.what.forecast) this.drawForecast(context, x, y, u.scales.x);
      if (this.what.fit) this.stroke(context, x, y, this.what.fit, colour("--ink"), [2, 3], 1.5);
    });
  }

  drawForecast(context, x, y, seen) {
    const end = seen.max + (seen.max - seen.min); // where the band has no end
    const { middle, low, high } = paths(this.what.forecast, end);
    context.fillStyle = colour("--band");
    context.globalAlpha = 0.25;
    context.beginPath();
    for (let i = 0; i < low[0].length; i++) context.lineTo(x(low[0][i]), y(low[1][i]));
    for (let i = high[0].length - 1; i >= 0; i--) context.lineTo(x(high[0][i]), y(high[1][i]));
    context.fill();
    context.globalAlpha = 1;
    this.stroke(context, x, y, middle, colour("--band"), [3, 3], 2);
  }

  stroke(context, x, y, [times, heights], ink, dashes, width) {
    context.strokeStyle = ink;
    context.lineWidth = width * devicePixelRatio;
    context.setLineDash(dashes.map((part) => part * devicePixelRatio));
    context.beginPath();
    for (let i = 0; i < times.length; i++) context.lineTo(x(times[i]), y(heights[i]));
    context.stroke();
  }

  shade(context, x, y, line, fill) {
    const times = this.what.times;
    context.fillStyle = fill;
    context.globalAlpha = 0.2;
    let run = [];
    const end = () => {
      if (run.length > 1) {
        context.beginPath();
        for (const i of run) context.lineTo(x(times[i]), y(line.high[i]));
        for (const i of run.reverse()) context.lineTo(x(times[i]), y(line.low[i]));
        context.fill();
      }
      run = [];
    };
    for (let i = 0; i < times.length; i++) {
      if (line.last[i] === null || line.last[i] === undefined) continue;
      if (run.length && times[i] - times[run[run.length - 1]] > this.longest[this.lines.indexOf(line)]) end();
      run.push(i);
    }
    end();
    context.globalAlpha = 1;
  }

  drawAbove(u) {
    this.clipped(u, (context, x, y) => {
      const scale = devicePixelRatio, { left, top, width } = u.bbox;
      context.font = `${12 * scale}px system-ui, sans-serif`;
      context.textBaseline = "top";
      context.textAlign = "left";
      context.fillStyle = context.strokeStyle = colour("--ink");
      context.lineWidth = scale;
      const { limit, limitText } = this.what;
      if (limit && limit > u.scales.y.max) {
        context.fillText(`↑ ${limitText}, above the chart`, left + 4 * scale, top + 3 * scale);
      } else if (limit) {
        context.setLineDash([10 * scale, 5 * scale]);
        context.beginPath();
        context.moveTo(left, y(limit));
        context.lineTo(left + width, y(limit));
        context.stroke();
        context.fillText(limitText, left + 4 * scale, y(limit) + 3 * scale);
      }
      for (const mark of this.what.marks) {
        context.strokeStyle = colour(mark.loud ? "--fail" : "--ink");
        context.setLineDash(mark.loud ? [] : [2 * scale, 4 * scale]);
        context.beginPath();
        context.moveTo(x(mark.time), top);
        context.lineTo(x(mark.time), top + u.bbox.height);
        context.stroke();
      }
    });
    this.drawNames(u);
  }

  // What is marked and shaded, above the chart as far as there is room: what is loud goes first.
  drawNames(u) {
    const scale = devicePixelRatio, { left, top, width } = u.bbox, context = u.ctx;
    const spans = (this.what.spans || []).map(({ from, text }) => ({ time: from, text }));
    const named = [...this.what.marks, ...spans].filter((one) => one.text);
    named.sort((a, b) => Boolean(b.loud) - Boolean(a.loud) || a.time - b.time);
    context.font = `${12 * scale}px system-ui, sans-serif`;
    context.textBaseline = "bottom";
    context.textAlign = "left";
    const taken = [];
    for (const { time, text, loud } of named) {
      const at = u.valToPos(time, "x", true);
      if (at < left - 1 || at > left + width + 1) continue;
      const wide = context.measureText(text).width;
      const from = Math.max(left, Math.min(at, left + width - wide)), to = from + wide + 8 * scale;
      if (from + wide > left + width + 1 || taken.some(([begin, end]) => from < end && to > begin)) continue;
      taken.push([from, to]);
      context.fillStyle = colour(loud ? "--fail" : "--faint");
      context.fillText(text, from, top - 2 * scale);
    }
  }

  clipped(u, draw) {
    const context = u.ctx, { left, top, width, height } = u.bbox;
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    draw(context, (time) => u.valToPos(time, "x", true), (value) => u.valToPos(value, "y", true));
    context.restore();
  }

  // Name, how it is drawn and figure of each line: at the cursor, else the last one.
  showLegend(index) {
    const times = this.what.times;
    const items = this.lines.map((line, i) => {
      let at = index ?? times.length - 1;
      while (at > 0 && (line.last[at] === null || line.last[at] === undefined)) at--;
      return [line.name, i, line.last[at] ?? null];
    });
    if (this.what.forecast) items.push(["forecast, 90 % band", -1, null]);
    while (this.legend.children.length > items.length) this.legend.lastChild.remove();
    items.forEach(([name, i, value], place) => {
      const item = this.legend.children[place] || this.legend.appendChild(legendItem());
      const stroke = i < 0 ? "var(--band)" : `var(--line-${i % 8})`;
      const path = item.querySelector("line");
      path.setAttribute("stroke", stroke);
      path.setAttribute("stroke-dasharray", i < 0 ? "3 3" : DASHES[i % DASHES.length].join(" "));
      item.querySelector("span").textContent = name;
      item.querySelector("b").textContent = value === null ? "" : this.format(value);
    });
    const isAt = index !== undefined && index !== null;
    this.moment.textContent = isAt ? this.when.told(times[index]) : "";
    if (isAt && document.activeElement === this.plot) {
      const said = items.filter((one) => one[2] !== null).map(([name, , value]) => `${name} ${this.format(value)}`);
      this.heard.textContent = `${this.when.told(times[index])}: ${said.join(", ")}`;
    }
  }

  select(u) {
    const { left, width } = u.select;
    if (width > 4) {
      const from = u.posToVal(left, "x"), to = u.posToVal(left + width, "x");
      if (to - from >= NARROWEST_S) this.shared.look([from, to]);
    }
    if (width) u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  onKey(event) {
    const u = this.uplot, times = this.what && this.what.times;
    if (!u || !times.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const [from, to] = [u.scales.x.min, u.scales.x.max];
    const at = u.cursor.idx ?? times.length - 1;
    const step = event.shiftKey ? Math.max(1, Math.round(times.length / 20)) : 1;
    const moved = { ArrowLeft: at - step, ArrowRight: at + step, Home: 0, End: times.length - 1 }[event.key];
    if (moved !== undefined) {
      const time = Math.min(Math.max(times[Math.min(Math.max(moved, 0), times.length - 1)], from), to);
      u.setCursor({ left: u.valToPos(time, "x"), top: 1 });
    } else if (event.key === "Escape") {
      this.shared.look(null);
    } else if (event.key === "+" || event.key === "-") {
      const half = ((to - from) / 2) * (event.key === "+" ? 0.5 : 2), middle = times[at];
      this.shared.look(2 * half < NARROWEST_S ? [from, to] : [middle - half, middle + half]);
    } else return;
    event.preventDefault();
  }
}

function legendItem() {
  const item = document.createElement("li");
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("width", "30");
  picture.setAttribute("height", "8");
  picture.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "line");
  for (const [name, value] of Object.entries({ x1: 0, x2: 30, y1: 4, y2: 4, "stroke-width": 2.5 })) path.setAttribute(name, value);
  picture.append(path);
  item.append(picture, document.createElement("span"), document.createElement("b"));
  return item;
}
