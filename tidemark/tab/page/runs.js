"use strict";
// The runs since Locust was started, below the run that is shown.

const RUNS_EVERY_MS = 3000;

async function askForRuns() {
  try {
    const answer = await fetch("runs.json", { cache: "no-store" });
    if (answer.ok && !answer.redirected) showRuns((await answer.json()).runs);
  } catch (error) {
    if (!(error instanceof TypeError)) console.error(error); // else Locust has gone, which is said elsewhere
  }
  setTimeout(() => whenSeen(askForRuns), RUNS_EVERY_MS);
}

function started(seconds) {
  if (seconds === null || seconds === undefined) return "";
  return `${day(new Date(seconds * 1000))} ${clock(seconds)}`;
}

function linkTo(href, text, run) {
  const link = Object.assign(document.createElement("a"), { href, textContent: text, target: "_blank", rel: "noopener" });
  link.setAttribute("aria-label", `${text} of ${run}`);
  return link;
}

function showRuns(runs) {
  const body = by("runs-body"), text = JSON.stringify(runs);
  if (body.dataset.rows === text) return;
  body.dataset.rows = text;
  by("runs").hidden = !runs.length;
  body.replaceChildren(...runs.map((run) => {
    const row = document.createElement("tr");
    const cells = Array.from({ length: 4 }, () => row.appendChild(document.createElement("td")));
    cells[0].textContent = started(run.started_s);
    cells[1].textContent = run.strategy || run.name;
    cells[1].title = run.name;
    const verdict = cells[2].appendChild(document.createElement("span"));
    verdict.className = `word ${run.severity || "none"}`;
    verdict.textContent = run.verdict ? `${SIGNS[run.severity] || "…"} ${run.verdict}` : "";
    const links = [["report", run.report], ["picture", run.picture]].filter(([, href]) => href);
    cells[2].append(...links.flatMap(([name, href]) => [" ", linkTo(href, name, run.name)]));
    cells[3].textContent = run.trouble || run.ended;
    return row;
  }));
}

function beginRuns() {
  const section = document.createElement("section");
  section.id = "runs";
  section.hidden = true;
  section.setAttribute("aria-labelledby", "runs-title");
  const title = Object.assign(document.createElement("h2"), { id: "runs-title", textContent: "Runs since Locust was started" });
  const holder = document.createElement("div");
  holder.className = "scroll";
  holder.tabIndex = 0;
  holder.setAttribute("role", "group");
  holder.setAttribute("aria-label", "list of runs");
  const table = holder.appendChild(document.createElement("table"));
  const head = table.appendChild(document.createElement("thead")).appendChild(document.createElement("tr"));
  for (const name of ["started", "run", "verdict", "how it ended"]) {
    const cell = Object.assign(document.createElement("th"), { textContent: name, scope: "col" });
    head.append(cell);
  }
  table.appendChild(document.createElement("tbody")).id = "runs-body";
  section.append(title, holder);
  document.querySelector("main").append(section);
  askForRuns();
}

beginRuns();
