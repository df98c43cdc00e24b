"""axe-core over the pages that this project makes: nothing serious in any, dark or light.

The start form is looked at in `test_start_form.py`, in each of its states.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.eventually import eventually

from .axe import grave
from .chromium import Browser
from .conftest import TIMEOUT_S, Workbench

pytestmark = [pytest.mark.e2e, pytest.mark.long]

DATA = Path(__file__).parents[1] / "data"
DEAD = DATA / "format1"
LOST = DATA / "disturbed" / "outage-per-request-closed"


def _recorded(bench: Workbench, *runs: Path) -> list[str]:
    """Copies of recorded runs, as arguments of a command."""
    copies = [bench.folder / run.name for run in runs]
    for run, copy in zip(runs, copies, strict=True):
        shutil.copytree(run, copy)
    return list(map(str, copies))


@contextmanager
def watched(bench: Workbench) -> Iterator[str]:
    """`tidemark watch --web` of a run that has ended."""
    watch = bench.start("tidemark", "watch", *_recorded(bench, DEAD), "--web", "--port=0")
    assert watch.process.stdout is not None
    yield watch.process.stdout.readline().partition(": ")[2].split()[0]
    watch.process.terminate()
    watch.wait()


@contextmanager
def reported(bench: Workbench) -> Iterator[str]:
    """report.html of one run."""
    (run,) = _recorded(bench, DEAD)
    assert bench.run("tidemark", "report", run).code == 0
    yield (Path(run) / "report.html").as_uri()


@contextmanager
def compared(bench: Workbench) -> Iterator[str]:
    """report.html of two runs side by side."""
    out = bench.folder / "both"
    runs = _recorded(bench, DEAD, LOST)
    assert bench.run("tidemark", "report", *runs, f"--out={out}").code == 0
    yield (out / "report.html").as_uri()


PAGES: dict[str, tuple[Callable[[Workbench], AbstractContextManager[str]], str]] = {
    "watch": (watched, "document.querySelectorAll('canvas').length > 2"),
    "report": (reported, "document.readyState == 'complete'"),
    "comparison": (compared, "document.readyState == 'complete'"),
}
"""Each page: what makes it and yields its address, and by what it is known to be drawn."""


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(bench: Workbench, browser: Browser, name: str) -> None:
    make, is_drawn = PAGES[name]
    with make(bench) as url:
        page = browser.page()
        found = {}
        for scheme, width in itertools.product(("light", "dark"), (1280, 390)):
            page.show_as(width, 900, scheme)
            page.open(f"{url}?{scheme}{width}")
            drawn = f"location.href.endsWith('{scheme}{width}') && {is_drawn}"
            eventually(lambda drawn=drawn: page.evaluate(drawn), f"{name} drawn", TIMEOUT_S)
            if graves := grave(page):
                found[scheme, width] = graves
        assert found == {}
