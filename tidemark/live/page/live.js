"use strict";
// Asks once a second for what is new of the run, and shows it. A reload begins with all of it.

const EVERY_MS = 1000;
const OF_LOCUST = document.documentElement.dataset.of === "locust"; // a tab of its page
const AT_REST_MS = OF_LOCUST ? 2000 : 10000; // another run may begin there
const MOST_LINES = 8;
const SIGNS = { fail: "✖", unknown: "?", doubt: "?", pass: "✔", note: "✔", none: "…" };
const STATES = ["established", "syn_sent", "fin_wait1", "fin_wait2", "time_wait", "close_wait", "last_ack", "closing"];

const run = { key: "", revision: 0, targets: {}, requests: { time: [], series: {} }, events: { last: [], marks: [] }, facts: null };
const shown = { looked: null, span: 0, target: "", connections: "state" };
const by = (id) => document.getElementById(id);
const charts = {};

// -- what the server says -------------------------------------------------------------------

function filled(values, length) {
  const found = values.slice(0, length);
  while (found.length < length) found.push(null);
  return found;
}

// Puts what has changed behind what is still as it was.
function merged(before, change) {
  const keep = change.keep;
  const series = {};
  for (const [name, given] of Object.entries(change.series)) {
    const old = before.series[name] || { last: [] };
    const one = { last: filled(old.last, keep).concat(given.last) };
    if (old.low || given.low) {
      one.low = filled(old.low || old.last, keep).concat(given.low || given.last);
      one.high = filled(old.high || old.last, keep).concat(given.high || given.last);
    }
    series[name] = one;
  }
  return { time: before.time.slice(0, keep).concat(change.time), series };
}

function take(answer) {
  if (answer.is_whole) Object.assign(run, { targets: {}, requests: { time: [], series: {} } });
  if (answer.key !== run.key) shown.looked = null; // another run: at another time
  const nothing = { time: [], series: {} };
  for (const [name, change] of Object.entries(answer.targets)) {
    const before = run.targets[name] || {};
    run.targets[name] = Object.fromEntries(
      Object.entries(change).map(([part, changed]) => [part, merged(before[part] || nothing, changed)]),
    );
  }
  run.requests = merged(run.requests, answer.requests);
  run.events = answer.events || run.events;
  run.facts = answer.facts;
  run.key = answer.key;
  run.revision = answer.revision;
}

async function ask() {
  let pause = EVERY_MS - (Date.now() % EVERY_MS) + 150; // soon after the sampler's tick
  try {
    const answer = await fetch(`live.json?since=${run.key}.${run.revision}`, { cache: "no-store" });
    if (answer.redirected) throw new Refused("log in again, in Locust's page");
    if (!answer.ok) throw new Refused((await answer.text()).slice(0, 300));
    const told = await answer.json();
    if (told.why) wait(told.why);
    else {
      take(told);
      say("");
      show();
      if (run.facts.is_final) pause = AT_REST_MS;
    }
  } catch (error) {
    const who = OF_LOCUST ? "Locust" : "tidemark watch";
    say(error instanceof TypeError ? `${who} has gone: what stands here is what it said last` : `cannot be shown: ${error.message}`);
    if (!(error instanceof TypeError || error instanceof Refused)) console.error(error);
  }
  setTimeout(() => whenSeen(ask), pause);
}

class Refused extends Error {}

// Nothing is asked for that nobody sees: the page, or the tab that it is in.
function whenSeen(go) {
  const frame = window.frameElement;
  const isSeen = !document.hidden && !(frame && frame.parentElement.hidden);
  if (isSeen) go();
  else document.addEventListener("visibilitychange", () => whenSeen(go), { once: true });
}

// There is nothing to show yet.
function wait(why) {
  document.title = "Tidemark";
  put(by("state"), why);
  document.body.classList.toggle("empty", !run.facts);
}

// -- what is shown --------------------------------------------------------------------------

function say(trouble) {
  const said = trouble || (run.facts && run.facts.trouble) || "";
  put(by("trouble"), said);
  by("trouble").hidden = !said;
}

// Only what differs is written: a reader that is read to is told what has changed.
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show() {
  const facts = run.facts;
  document.body.classList.remove("empty");
  document.title = `${facts.verdict} · ${facts.name}`;
  put(by("name"), facts.strategy && facts.strategy !== facts.name ? `${facts.name} (${facts.strategy})` : facts.name);
  put(by("state"), facts.state);
  by("verdict").className = `verdict ${facts.severity}`;
  put(by("sign"), SIGNS[facts.severity] || "…");
  put(by("word"), facts.verdict);
  put(by("reason"), facts.reason);
  put(by("outlook"), facts.outlook);
  by("outlook").hidden = !facts.outlook;
  showTargets();
  showTiles();
  showTables();
  drawCharts();
}

function showTargets() {
  const names = Object.keys(run.targets), choice = by("target");
  if (!names.includes(shown.target)) shown.target = names[0] || "";
  by("choose").hidden = names.length < 2;
  if (choice.children.length !== names.length) {
    choice.replaceChildren(...names.map((name) => new Option(name, name, false, name === shown.target)));
  }
}

function showTiles() {
  const facts = run.facts, levels = Object.values(facts.levels);
  const total = (name) => levels.reduce((sum, one) => (one[name] === null ? sum : (sum ?? 0) + one[name]), null);
  const fullest = levels.reduce((most, one) => (!most || share(one) > share(most) ? one : most), null);
  const told = (value, format) => (value === null || value === undefined ? "–" : formats[format](value));
  const of = fullest && fullest.fds_limit ? `of ${formats.count(fullest.fds_limit)}` : "";
  const whose = levels.length > 1 ? `, ${fullest.target}` : "";
  const tiles = [
    ["descriptors", told(fullest && fullest.fds, "count"), of && `${of} (${Math.round(100 * share(fullest))} %)${whose}`],
    ["connections", told(total("connections"), "count"), total("time_wait") ? `${told(total("time_wait"), "count")} in TIME_WAIT` : ""],
    ["threads", told(total("threads"), "count"), total("processes") > 1 ? `in ${total("processes")} processes` : ""],
    ["memory", told(total("rss_bytes"), "bytes"), "resident"],
  ];
  if (facts.requests !== null) {
    const [sent, failed] = facts.rates || [null, null];
    tiles.push(["requests", told(facts.requests, "count"), sent === null ? "" : told(sent, "rate")]);
    tiles.push(["failures", told(facts.failures, "count"), failed === null ? "" : told(failed, "rate")]);
    tiles.push(["p99", facts.p99_ms === null ? "–" : `${three.format(facts.p99_ms)} ms`, "of the last tick"]);
  }
  if (facts.untold_targets) tiles.push(["further targets", formats.count(facts.untold_targets), "not drawn, but judged"]);
  const list = by("tiles");
  while (list.children.length > tiles.length) list.lastChild.remove();
  tiles.forEach(([name, value, beside], i) => {
    let tile = list.children[i];
    if (!tile) {
      tile = list.appendChild(document.createElement("div"));
      tile.append(document.createElement("dt"), document.createElement("dd"));
      tile.lastChild.append(document.createElement("span"), " ", document.createElement("small"));
    }
    put(tile.querySelector("dt"), name);
    put(tile.querySelector("dd span"), value);
    put(tile.querySelector("small"), beside);
  });
}

function share(level) {
  return level.fds !== null && level.fds_limit ? level.fds / level.fds_limit : 0;
}

function showTables() {
  const { resources } = run.facts;
  if (resources.length) fill(by("resources"), resources.map((one) => [one.title, one.growth, one.reason]));
  if (run.events.last.length) {
    fill(by("events"), run.events.last.map((one) => [moment(one.elapsed_s), one.event.replaceAll("_", " "), one.told]));
  }
}

function fill(body, rows) {
  const text = JSON.stringify(rows);
  if (body.dataset.rows === text) return;
  body.dataset.rows = text;
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: cell })));
    return row;
  }));
}

function at(elapsed) {
  return (run.facts.moment.origin_s ?? 0) + elapsed;
}

function moment(elapsed) {
  const time = at(elapsed), today = day(new Date(at(run.facts.moment.elapsed_s) * 1000));
  const date = day(new Date(time * 1000));
  return date === today ? clock(time) : `${date} ${clock(time)}`;
}

// -- the charts -----------------------------------------------------------------------------

const shared = {
  time() {
    const last = at(run.facts.moment.elapsed_s);
    if (shown.looked) return { looked: shown.looked };
    if (shown.span) return { looked: [last - shown.span, last] };
    return { first: at(0), last };
  },
  look(stretch) {
    shown.looked = stretch;
    if (run.facts) drawCharts();
  },
};

function drawCharts() {
  const names = Object.keys(run.targets);
  if (document.hidden) return;
  charts.fds.draw({ ...overTargets(names, "fds"), ...limited("fds") });
  // Memory is judged over all processes together, which is what the line of an only target is.
  const memory = names.length === 1 ? limited("rss_bytes") : plain("");
  charts.memory.draw({ ...overTargets(names, "rss_bytes"), ...memory });
  const target = run.targets[shown.target];
  const ofTarget = names.length > 1 ? `of ${shown.target}` : "";
  charts.connections.draw({ ...connections(target), ...plain(ofTarget) });
  charts.threads.draw({ ...threads(target), ...plain(ofTarget) });
  charts.requests.element.hidden = !run.requests.time.length;
  if (run.requests.time.length) charts.requests.draw({ ...requests(), ...plain("") });
}

function plain(note) {
  return { limit: null, forecast: null, marks: marks(), note };
}

function marks() {
  return run.events.marks.map((one) => ({ time: at(one.elapsed_s), text: one.text, loud: one.loud }));
}

// Limit and forecast of a resource: as it was judged, else as it was recorded.
function limited(resource) {
  const judged = run.facts.resources.find((one) => one.resource === resource);
  const recorded = Object.values(run.facts.levels).map((one) => (resource === "fds" ? one.fds_limit : null)).filter(Boolean);
  const limit = (judged && judged.limit) || (recorded.length ? Math.min(...recorded) : null);
  const given = judged && judged.forecast;
  const forecast = given && given.at_s !== null && {
    made: at(given.made_at_s), level: given.level, limit: given.limit,
    at: at(given.at_s), low: at(given.low_s ?? given.at_s), high: given.high_s === null ? null : at(given.high_s),
  };
  const format = formats[resource === "rss_bytes" ? "bytes" : "count"];
  return { ...plain(""), limit, limitText: limit ? `limit ${format(limit)}` : "", forecast };
}

function lineOf(name, part, series) {
  return { name, ...(part.series[series] || { last: part.time.map(() => null) }) };
}

// A line for each target; their times need not be the same.
function overTargets(names, series) {
  if (names.length === 1) {
    const part = run.targets[names[0]].levels;
    const name = { fds: "descriptors", rss_bytes: "resident memory" }[series];
    return { times: part.time.map(at), lines: [lineOf(name, part, series)] };
  }
  const tables = names.map((name) => {
    const part = run.targets[name].levels;
    return [part.time.map(at), lineOf(name, part, series).last];
  });
  const [times = [], ...lines] = tables.length ? uPlot.join(tables) : [];
  return { times, lines: lines.map((last, i) => ({ name: names[i], last: last.map((one) => one ?? null) })) };
}

function connections(target) {
  if (!target) return { times: [], lines: [] };
  if (shown.connections === "end" && target.endpoints.time.length) return foremost(target.endpoints);
  const part = target.levels;
  const seen = STATES.filter((state) => state === "established" || (part.series[state] && part.series[state].last.concat(part.series[state].high || []).some((one) => one)));
  return { times: part.time.map(at), lines: seen.map((state) => lineOf(state.toUpperCase(), part, state)) };
}

function threads(target) {
  if (!target) return { times: [], lines: [] };
  if (target.threads.time.length) return foremost(target.threads);
  return { times: target.levels.time.map(at), lines: [lineOf("threads", target.levels, "threads")] };
}

// The names that count most now, and the others as one.
function foremost(part) {
  const now = (name) => part.series[name].last.findLast((one) => one !== null) ?? 0;
  const names = Object.keys(part.series).sort((a, b) => now(b) - now(a));
  const times = part.time.map(at);
  if (names.length <= MOST_LINES) return { times, lines: names.sort().map((name) => lineOf(name || "(no name)", part, name)) };
  const rest = names.slice(MOST_LINES - 1);
  const lines = names.slice(0, MOST_LINES - 1).sort().map((name) => lineOf(name || "(no name)", part, name));
  lines.push({ name: `${rest.length} others`, last: times.map((_, i) => rest.reduce((sum, name) => sum + (part.series[name].last[i] ?? 0), 0)) });
  return { times, lines };
}

// Requests and failures a second, from what was counted: over stretches of time that can be told
// apart in the chart, and hold some requests.
function requests() {
  const { time, series } = run.requests;
  const { first, last, looked } = shared.time();
  const stretch = Math.max(1, (looked ? looked[1] - looked[0] : last - first) / 200);
  const rate = (name) => {
    const values = series[name].last, places = [];
    let begin = 0;
    return values.map((value, i) => {
      if (value === null) return null;
      places.push(i);
      while (begin + 1 < places.length && time[i] - time[places[begin + 1]] >= stretch) begin++;
      const from = places[begin], span = time[i] - time[from];
      return span >= Math.min(stretch, 1) ? (value - values[from]) / span : null;
    });
  };
  const lines = [{ name: "requests", last: rate("requests") }, { name: "failures", last: rate("failures") }];
  return { times: time.map(at), lines };
}

function begin() {
  const parent = by("charts");
  charts.fds = new Chart(parent, "fds", "File descriptors", "count", shared);
  charts.connections = new Chart(parent, "connections", "Connections", "count", shared);
  charts.threads = new Chart(parent, "threads", "Threads by name", "count", shared);
  charts.memory = new Chart(parent, "memory", "Resident memory", "bytes", shared);
  charts.requests = new Chart(parent, "requests", "Requests and failures a second", "rate", shared);
  charts.requests.element.hidden = true;
  const choice = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.className = "heard";
  legend.textContent = "connections";
  choice.append(legend);
  for (const [value, text] of [["state", "by state"], ["end", "by remote end"]]) {
    const label = document.createElement("label"), input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "connections", value, checked: value === shown.connections });
    input.addEventListener("change", () => { shown.connections = value; drawCharts(); });
    label.append(input, ` ${text}`);
    choice.append(label);
  }
  charts.connections.heading.append(choice);
  for (const input of document.querySelectorAll("input[name=span]")) {
    input.addEventListener("change", () => { shown.span = Number(input.value); shared.look(null); });
  }
  by("target").addEventListener("change", (event) => { shown.target = event.target.value; drawCharts(); });
  document.addEventListener("scheme", () => {
    for (const chart of Object.values(charts)) chart.names = "";
    if (run.facts) drawCharts();
  });
  ask();
}

begin();
