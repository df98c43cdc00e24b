"""report.html in Chromium, opened as a file: zoomed, narrow, dark, printed, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.rundirs import write_comparison, write_run
from tests.eventually import eventually
from tidemark.analysis.reports.files import write_comparison as write_report_of_all
from tidemark.analysis.reports.files import write_run_report

from .chromium import PROGRAM, Page, chromium
from .conftest import TIMEOUT_S

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not PROGRAM, reason="needs chromium"),
]

VIEW = "views['run-charts']"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of the report of a run that leaks until it dies."""
    path = write_run(tmp_path_factory.mktemp("run"), strategy="per-request-leaked")
    write_run_report(path)
    return (path / "report.html").as_uri()


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of the report of several strategies."""
    root = tmp_path_factory.mktemp("compared")
    write_report_of_all(write_comparison(root)[:2], root / "all")
    return (root / "all" / "report.html").as_uri()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A tab whose complaints and requests are kept."""
    with chromium(tmp_path / "profile") as browser:
        page = browser.page()
        page.watch_console()
        page.watch_network()
        page.show_as(1280, 1000, "light")
        yield page


def opened(page: Page, url: str, view: str = VIEW) -> None:
    """Open a report and wait for its first chart."""
    page.open(url)
    eventually(
        lambda: page.evaluate(f"{view}.charts.fds.uplot.data[1].length > 0"), "a chart", TIMEOUT_S
    )


def seen(page: Page, chart: str = "fds") -> list[float]:
    """What stretch of time a chart shows."""
    scale = f"{VIEW}.charts.{chart}.uplot.scales.x"
    return [float(one) for one in page.evaluate(f"[{scale}.min, {scale}.max]")]


def place(page: Page) -> tuple[float, float, float]:
    """Where the first chart is drawn: its left and right edge, and its middle from the top."""
    found = page.evaluate(
        f"(b => [b.left, b.right, b.top + b.height / 2])"
        f"({VIEW}.charts.fds.uplot.over.getBoundingClientRect())"
    )
    left, right, middle = found
    return left, right, middle


def hangs_over(page: Page) -> Any:
    """By how many pixels the page is wider than the window."""
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def is_shown(page: Page, what: str) -> bool:
    """Whether there is such an element and it takes any room."""
    return bool(page.evaluate(f"document.querySelector({what!r}).offsetHeight > 0"))


def test_a_chart_is_zoomed_by_mouse_keys_and_buttons(page: Page, report: str) -> None:
    opened(page, report)
    whole = seen(page)
    left, right, middle = place(page)
    begin, end = left + 0.3 * (right - left), left + 0.6 * (right - left)
    page.use_mouse(
        ("move", begin, middle), ("press", begin, middle), ("move", end, middle),
        ("release", end, middle),
    )  # fmt: skip
    span = whole[1] - whole[0]
    near = [whole[0] + 0.3 * span, whole[0] + 0.6 * span]
    assert eventually(lambda: seen(page) != whole and seen(page), "that it looks closer")
    assert seen(page) == pytest.approx(near, abs=0.02 * span)
    assert "the whole run" not in str(page.evaluate("document.querySelector('.shown').innerText"))
    page.evaluate(f"{VIEW}.charts.threads || scrollTo(0, 900)")
    eventually(lambda: page.evaluate(f"!!{VIEW}.charts.threads"), "the threads")
    assert seen(page, "threads") == seen(page), "all charts show the same"
    page.evaluate("scrollTo(0, 0)")

    left, right, middle = place(page)
    at = (left + right) / 2
    for clicks in (1, 2):
        page.use_mouse(("press", at, middle), ("release", at, middle), clicks=clicks)
    eventually(lambda: seen(page) == whole, "the whole run after a double click")

    assert page.click("Closer")
    closer = seen(page)
    assert closer[1] - closer[0] == pytest.approx(span / 2)
    assert page.click("Later")
    assert seen(page)[0] > closer[0]
    assert page.click("Whole run")
    assert seen(page) == whole

    assert page.click("Closer")
    page.evaluate(f"{VIEW}.charts.fds.plot.focus()")
    page.press("ArrowLeft")
    eventually(lambda: page.evaluate(f"{VIEW}.charts.fds.heard.innerText"), "that figures are told")
    page.press("Escape")
    eventually(lambda: seen(page) == whole, "the whole run after Escape")

    assert page.complaints == []
    assert page.asked_for
    assert {url.partition(":")[0] for url in page.asked_for} <= {"file", "data"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_off(page: Page, report: str, width: int, scheme: str) -> None:
    page.show_as(width, 1000, scheme)
    opened(page, report)
    assert hangs_over(page) == 0
    assert is_shown(page, ".pair table")
    assert not is_shown(page, ".picture")
    assert page.click("As one picture")
    assert is_shown(page, ".picture img")
    assert hangs_over(page) == 0
    wide = page.evaluate("document.querySelector('.picture img').getBoundingClientRect().width")
    assert wide <= width
    assert page.complaints == []


def test_the_printed_report_has_the_picture(page: Page, report: str) -> None:
    opened(page, report)
    page.show_printed()
    assert is_shown(page, ".picture img")
    assert not is_shown(page, ".charts")


def test_without_scripts_the_picture_stays(page: Page, report: str) -> None:
    page.show_without_scripts()
    page.show_as(390, 1000, "light")
    page.open(report)
    eventually(lambda: "Findings" in page.text, "the report", TIMEOUT_S)
    assert is_shown(page, ".picture img")
    assert not is_shown(page, ".charts")
    assert hangs_over(page) == 0


def test_a_comparison_fits_a_phone(page: Page, comparison: str) -> None:
    page.show_as(390, 1000, "dark")
    opened(page, comparison, "views['all-charts']")
    assert hangs_over(page) == 0
    lines = page.evaluate("views['all-charts'].charts.fds.lines.map(one => one.name).join()")
    assert lines == "per-request-leaked,per-request-closed"
    assert page.complaints == []


def test_a_logarithmic_axis_is_named_at_round_figures(page: Page, report: str) -> None:
    opened(page, report)
    charts = f"{VIEW}.data.charts"
    key = page.evaluate(f"Object.keys({charts}).find(key => {charts}[key].isLog)")
    assert key, "a death makes response times so different"
    page.evaluate(f"document.querySelector('.slot[data-key={key}]').scrollIntoView()")
    eventually(lambda: page.evaluate(f"!!{VIEW}.charts.{key}"), "the chart")
    axis = f"{VIEW}.charts.{key}.uplot.axes[1]"
    eventually(lambda: page.evaluate(f"!!{axis}._values"), "its axis")
    names = page.evaluate(f"{axis}._values.filter(Boolean)")
    assert names
    assert all(
        name.split()[0] in {"1", "2", "5", "10", "20", "50", "100", "200", "500"} for name in names
    )
    few = page.evaluate("named([20, 30, 40, 50, 60, 70, 80, 90]).join()")
    assert few == "true,false,false,true,false,false,false,false"
