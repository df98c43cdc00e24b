"""Web forms that no page would send: a run's options are taken or refused, and nothing started."""

from __future__ import annotations

import random
import sys
from functools import cache
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

from locust.argument_parser import get_parser
from locust.env import Environment
from locust.web import WebUI

from benchmarks.fuzz_case import Found, run
from benchmarks.fuzz_options import FOUND_GOOD, HOSTS, VALUES, WouldStartError, started_nothing
from tidemark.plugin.process import LocustProcess
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.plan import Plan
from tidemark.run.session import Session

OWN = "http://127.0.0.1:8089"
LOAD = ("user_count", "spawn_rate", "run_time", "host", "user_classes", "shape_class", "profile")
FOREIGN = (
    {"Host": "evil.example:8089"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"}, {"Referer": "http://evil.example/"}, {"Host": ""},
)  # fmt: skip


def try_one(seed: int, number: int, folder: Path) -> Found:
    """Send a form to the page."""
    rng = random.Random(f"forms {seed} {number}")
    form = {"user_count": "1", "spawn_rate": "1"}
    names = (*LOAD, *(option.name for option in OPTIONS), "web_host", "csv", "unheard_of")
    for name in rng.sample(names, rng.choice((0, 1, 1, 2, 5))):
        form[name] = rng.choice(HOSTS if name == "host" else VALUES) or ""
    if rng.random() < 0.1:
        del form[rng.choice(list(form))]
    headers = rng.choice(FOREIGN) if rng.random() < 0.2 else {}
    body: dict[str, Any] = {"data": form}
    if rng.random() < 0.1:
        kind = rng.choice(("application/json", "text/plain", "multipart/form-data"))
        body = {"data": rng.randbytes(rng.choice((0, 30, 3000))), "content_type": kind}
    loads: list[Any] = []
    answers: list[Any] = []
    with (
        mock.patch.object(sys, "argv", ["locust"]),
        started_nothing(folder, {}) as started,
        mock.patch.object(Session, "start", _refuse),
    ):
        client, runner = _page()
        with mock.patch.object(runner, "start", lambda *given, **_: loads.append(given)):
            ended = run(
                lambda: answers.append(client.post("/swarm", headers=headers, base_url=OWN, **body))
            )
    status = answers[0].status_code if answers else 0
    wrong = ended.wrong or (f"started: {(started or loads)[0]}" if started or loads else "")
    if not wrong and (status >= 500 or "Traceback" in ended.err):
        wrong = f"traceback: status {status}, {ended.err[-200:]!r}"
    if not wrong and headers and status < 400:
        wrong = f"let in: status {status}"
    made = f"{headers} {body}"[:300]
    return Found(number, made, f"status {status}", wrong)


def _refuse(
    options: RunOptions,
    host: str | None = None,
    lasts_s: float | None = 0.0,
    past: object = None,  # noqa: ARG001 - none is gone on with here
) -> NoReturn:
    """In place of a run: what is checked before anything is started, and no more."""
    Plan.of(options, host, lasts_s)
    raise WouldStartError(FOUND_GOOD)


@cache
def _page() -> tuple[Any, Any]:
    """The client of a page, and the runner behind it."""
    environment = Environment()
    environment.parsed_options = get_parser().parse_args([])
    environment.parsed_options.stats_history_enabled = False  # as Locust's main does
    environment.parsed_options.autostart = False
    runner = environment.create_local_runner()
    web_ui = WebUI(environment, "127.0.0.1", 0, delayed_start=True)
    LocustProcess(environment, runner, web_ui).install()
    assert web_ui.app is not None
    return web_ui.app.test_client(), runner
