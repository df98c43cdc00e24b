"""The page of a run in a real Chromium while what it watches ends, comes back, or is several."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.eventually import eventually

from .chromium import Browser, Page
from .web import Form

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
SLOW_S = 90.0
LIFE_AND_DEATH = ("restart", "exited")
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a script of this folder on a port, and ends what it has started."""
    started: list[subprocess.Popen[bytes]] = []

    def start(script: str, port: int, *arguments: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, HERE / script, *map(str, (port, *arguments))]
        started.append(subprocess.Popen(command, cwd=tmp_path))
        eventually(lambda: answers(port), f"{script} on port {port}")
        return started[-1]

    yield start
    for process in started:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def ports() -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    found = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return found


class Live:
    """The page of a run under way, in a tab of its own."""

    def __init__(self, browser: Browser, form: Form) -> None:
        assert form.start()["success"]
        self.page: Page = browser.page()
        self.page.watch_console()
        self.page.show_as(1280, 1000, "light")
        self.page.open(f"{form.url}/tidemark/")
        eventually(lambda: self.told("outlook").startswith("dies in about "), "it", SLOW_S)

    def told(self, name: str) -> str:
        return str(self.page.evaluate(f"document.getElementById('{name}')?.innerText") or "")

    @property
    def lines(self) -> list[str]:
        return list(self.page.evaluate("charts.fds.lines.map(line => line.name)"))

    def curve(self) -> dict[float, float]:
        """Descriptors by Unix time, as the first line is drawn."""
        times, values = self.page.evaluate("charts.fds.uplot.data.slice(0, 2).map(one => [...one])")
        drawn = zip(times, values, strict=True)
        return {at: value for at, value in drawn if value is not None}

    @property
    def marks(self) -> dict[str, float]:
        """When who ended or came back, by what stands beside the mark."""
        found = self.page.evaluate("charts.fds.what.marks")
        return {one["text"]: one["time"] for one in found if one["text"].endswith(LIFE_AND_DEATH)}

    @property
    def forecast(self) -> dict[str, Any]:
        return dict(self.page.evaluate("charts.fds.what.forecast || {}"))

    def forecasts_from_the_curve(self, after: float) -> bool:
        """Whether a forecast made after a moment begins at what was held when it was made."""
        if not (found := self.forecast) or found["made"] <= after:
            return False
        held = [value for at, value in self.curve().items() if at <= found["made"] + 0.5]
        return bool(found["level"] == pytest.approx(held[-1], rel=0.25, abs=40))

    def expect_it_fits(self) -> None:
        wide = "document.documentElement.scrollWidth"
        for width in (1280, 390):
            self.page.show_as(width, 1000, "light")
            eventually(lambda width=width: self.page.evaluate(wide) <= width, f"{width} pixels")


def test_a_restart_is_marked_and_the_curve_and_the_forecast_begin_anew(
    form_of: Callable[..., Form], browser: Browser, start: Start, ports: list[int]
) -> None:
    first = start("leaky_service.py", ports[0], "leak")
    form = form_of("-u1", "-r1", "--rate=30", f"--host=http://127.0.0.1:{ports[0]}")
    live = Live(browser, form)
    assert live.told("word") == "leak"
    assert live.marks == {}
    held = psutil.Process(first.pid).num_fds()
    end(first)
    heir = start("leaky_service.py", ports[0], "leak")

    eventually(lambda: "restart" in live.marks, "its mark", SLOW_S)
    assert list(live.marks) == ["restart"], "its end and its beginning are one mark"
    assert f"pid {heir.pid}, process leaky_service.py, former_pid {first.pid}" in live.told(
        "events"
    )
    back = live.marks["restart"]
    later = eventually(lambda: [at for at in live.curve() if at > back][20:], "the curve", SLOW_S)
    curve = live.curve()
    assert curve[later[0]] < held < max(curve.values()) + 60
    assert sum(then < before - 60 for before, then in pairwise(curve.values())) == 1
    eventually(lambda: live.forecasts_from_the_curve(back), "a forecast of the heir", SLOW_S)
    assert live.told("word") == "leak"
    assert live.told("outlook").startswith("dies in about ")
    now = psutil.Process(heir.pid).num_fds()
    assert list(live.curve().values())[-1] == pytest.approx(now, abs=200)
    live.expect_it_fits()

    form.stop()
    eventually(lambda: live.told("state").startswith("completed after "), "its end", SLOW_S)
    eventually(lambda: live.page.evaluate("run.facts.is_final"), "the last verdict", SLOW_S)
    assert live.told("word") == "leak"
    assert live.told("outlook").startswith("would have died at ")
    assert live.page.complaints == []


def exported(form: Form) -> dict[str, float]:
    with urllib.request.urlopen(f"{form.url}/tidemark/metrics", timeout=10) as answer:
        lines = [one for one in answer.read().decode().splitlines() if not one.startswith("#")]
    found = {name: float(value) for name, _, value in (one.rpartition(" ") for one in lines)}
    assert len(found) == len(lines), "a series is there twice"
    return found


def of(found: dict[str, float], name: str) -> dict[str, float]:
    """What a metric is, by target: of descriptors, where it is one of resources."""
    told = re.compile(rf'{name}{{target="(\w+)"(?:,resource="fds")?(?:,verdict="leak")?}}')
    return {one[1]: value for key, value in found.items() if (one := told.fullmatch(key))}


def test_two_targets_are_told_apart_when_one_comes_back_and_when_it_ends(
    form_of: Callable[..., Form], browser: Browser, start: Start, ports: list[int]
) -> None:
    bad = start("leaky_service.py", ports[0], "leak")
    good = start("leaky_service.py", ports[1])
    start("round_robin.py", ports[2], *ports[:2])
    which = f"--target-pid=bad={bad.pid},good={good.pid}"
    form = form_of("-u1", "-r1", "--rate=30", f"--host=http://127.0.0.1:{ports[2]}", which)
    live = Live(browser, form)
    assert live.lines == ["bad", "good"]
    assert live.told("reason").startswith("File descriptors of bad: ")
    assert "bad" in live.told("tiles").split("connections")[0], "whose descriptors they are"
    found = exported(form)
    assert of(found, "tidemark_resource_verdict") == {"bad": 1, "good": 0}
    assert of(found, "tidemark_exhaustion_seconds").keys() == {"bad"}
    levels = of(found, "tidemark_target_open_fds")
    assert levels["bad"] > levels["good"] > 0

    end(good)
    heir = start("leaky_service.py", ports[1])
    eventually(lambda: list(live.marks) == ["good restart"], "its mark", SLOW_S)
    assert live.told("word") == "leak"
    chosen = "it.value = 'good', it.dispatchEvent(new Event('change'))"
    live.page.evaluate(f"(it => ({chosen}))(document.getElementById('target'))")
    eventually(lambda: live.page.evaluate("charts.threads.what.note") == "of good", "its threads")

    end(heir)
    eventually(lambda: "good exited" in live.marks, "the mark of its end", SLOW_S)
    eventually(
        lambda: of(exported(form), "tidemark_target_open_fds").keys() == {"bad"},
        "that it holds nothing any more",
    )
    assert of(exported(form), "tidemark_target_processes") == {"bad": 1, "good": 0}
    eventually(lambda: live.told("word") == "died", "that it is told", SLOW_S)
    assert live.told("reason").startswith("good: ")
    assert live.told("outlook").startswith("dies in about "), "the other one still does"

    live.expect_it_fits()
    assert live.page.complaints == []
    form.stop()
