"""The tab in Locust's page, in a real Chromium: from the form to the report of a run that died."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.eventually import eventually

from .axe import grave
from .chromium import Browser, Page
from .conftest import metadata
from .test_start_form import choose, fill, is_there, opened
from .web import Form, says

pytestmark = [pytest.mark.e2e, pytest.mark.long]

SLOW_S = 90.0
TABS = "[...document.querySelectorAll('[role=tab]')]"
FRAME = "document.querySelector('iframe[title=Tidemark]')"


class Tab:
    """What the tab shows."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def choose(self, name: str = "Tidemark") -> None:
        """Click on a tab once it is there."""
        found = f"{TABS}.find(tab => tab.textContent == {name!r})"
        eventually(
            lambda: self.page.evaluate(f"(tab => tab && (tab.click(), true))({found})"),
            f"tab {name}",
        )

    def inside(self, what: str) -> Any:
        """Of the page in the tab, an expression on its `body`; None where there is none."""
        return self.page.evaluate(f"(body => body && ({what}))({FRAME}?.contentDocument?.body)")

    def told(self, name: str) -> str:
        return str(self.inside(f"body.querySelector('#{name}')?.innerText") or "")

    @property
    def descriptors(self) -> int:
        """What the first tile says."""
        text = str(self.inside("body.querySelector('#tiles dd span')?.innerText") or "")
        digits = text.replace(",", "")
        return int(digits) if digits.isdecimal() else 0

    @property
    def runs(self) -> list[str]:
        """The rows of the list of runs."""
        rows = self.inside("[...body.querySelectorAll('#runs-body tr')].map(row => row.innerText)")
        return [" ".join(row.split()) for row in rows or []]

    def grows(self) -> None:
        """Wait until there are more descriptors than now, three times."""
        for _ in range(3):
            before = self.descriptors
            eventually(lambda before=before: self.descriptors > before, "that it grows", SLOW_S)


def start(page: Page, service: str, rate: str) -> None:
    is_there(page)
    choose(page, "tidemark_service", service)
    fill(page, "rate", rate)
    assert page.click("START")


def other_page(browser: Browser, of: str) -> Page:
    """The page that a link has opened."""

    def found() -> str:
        targets = browser.ask("Target.getTargets", {})["targetInfos"]
        return next((one["targetId"] for one in targets if of in one["url"]), "")

    return browser.attached(eventually(found, f"a page {of}"))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("form", [("-u1", "-r1", "--fds-limit=1024", "--plateau=1")], indirect=True)
def test_a_leak_is_seen_from_the_form_to_its_report_and_then_another_run(
    form: Form, browser: Browser
) -> None:
    page = opened(browser, form.url)
    tab = Tab(page)
    start(page, "per-request-leaked", "3")
    tab.choose()
    tab.grows()
    assert "under way for" in tab.told("state")
    eventually(lambda: tab.told("outlook").startswith("dies in about "), "a forecast", SLOW_S)
    assert tab.told("word") == "leak"
    assert "under way for" in tab.told("state"), "the verdict came too late"
    assert tab.runs[0].endswith("per-request-leaked under way")

    before = tab.descriptors
    page.evaluate("location.reload()")
    eventually(lambda: tab.descriptors > before, "that it is there after a reload", SLOW_S)
    eventually(lambda: says(page, "STOPPED"), "STOPPED", SLOW_S)
    eventually(lambda: tab.told("word") == "exhausted", "the last verdict", SLOW_S)
    assert tab.told("state").startswith("exhausted after ")
    assert "ran out at" in tab.told("outlook")
    (run,) = form.bench.runs()
    assert metadata(run)["outcome"] == "exhausted"

    eventually(lambda: "exhausted: " in tab.runs[0], "how it ended")
    assert not (run / "report.html").exists(), "nobody has asked for it"
    assert tab.inside("body.querySelector('#runs-body a').click() || true")
    report = other_page(browser, f"{run.name}/report.html")
    eventually(lambda: "file descriptors" in report.text.lower(), "the report", SLOW_S)
    page.bring_to_front()
    eventually(lambda: "judged" not in tab.runs[0], "its verdict in the list")
    assert "✖" in tab.runs[0]

    assert page.click("NEW")
    start(page, "shared", "40")
    tab.choose()
    eventually(lambda: "(shared)" in tab.told("name"), "the second run", SLOW_S)
    tab.choose("Statistics")
    tab.choose()
    eventually(lambda: tab.inside("!!body.querySelector('#fds canvas')"), "its curves", SLOW_S)
    assert "under way for" in tab.told("state")
    assert tab.told("outlook") == ""
    assert len(tab.runs) == 2
    form.stop()
    eventually(lambda: says(page, "STOPPED"), "STOPPED", SLOW_S)
    eventually(lambda: tab.told("state").startswith("completed after "), "its end", SLOW_S)
    eventually(lambda: "shared" in tab.runs[0] and "completed" in tab.runs[0], "its row")
    assert not page.complaints


@pytest.mark.parametrize("form", [("-u1", "-r1", "--rate=20")], indirect=True)
def test_it_fits_dark_and_light_and_asks_only_while_it_is_seen(
    form: Form, browser: Browser
) -> None:
    assert form.start(strategy="shared")["success"]
    page = browser.page()
    page.watch_console()
    tab = Tab(page)
    for scheme, width in itertools.product(("light", "dark"), (1280, 390)):
        page.show_as(width, 900, scheme)
        page.open(f"{form.url}/?tab=tidemark&{scheme}{width}")
        eventually(lambda: page.evaluate(f"{TABS}.length"), "Locust's page")
        page.evaluate(f"localStorage.theme = {scheme!r}")
        eventually(lambda: "under way for" in tab.told("state"), "the run", SLOW_S)
        assert tab.inside("document.documentElement.scrollWidth") <= width
        assert tab.inside("body.scrollWidth - body.clientWidth") <= 0
        own = tab.inside("getComputedStyle(body.ownerDocument.documentElement).colorScheme")
        theirs = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert own == ("dark" if theirs == "rgb(18, 18, 18)" else "light")

    asked = f"{FRAME}.contentWindow.performance.getEntriesByType('resource').length"
    before = page.evaluate(asked)
    eventually(lambda: page.evaluate(asked) > before + 1, "that it asks")
    tab.choose("Statistics")
    tab.choose("Charts")
    eventually(lambda: page.evaluate(f"{FRAME}.checkVisibility()") is False, "that it is hidden")
    before, elapsed = page.evaluate(asked), tab.told("state")
    is_later = "(then => then > 4)((performance.now() - window.left) / 1000)"
    page.evaluate("window.left = performance.now()")
    eventually(lambda: page.evaluate(is_later), "some seconds")
    assert page.evaluate(asked) <= before + 2, "what was on its way already"
    tab.choose()
    eventually(lambda: tab.told("state") != elapsed, "that it goes on")

    alone = browser.page()
    alone.open(f"{form.url}/tidemark/")
    eventually(lambda: "under way for" in alone.text, "the page by itself")
    assert grave(alone) == []
    assert not page.complaints
    form.stop()
