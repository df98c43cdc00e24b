"""The start form in a real Chromium: grouped, by keyboard, errors beside their field."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually

from .axe import grave
from .chromium import Browser, Page
from .conftest import metadata, sampled
from .web import Form, says

pytestmark = [pytest.mark.e2e, pytest.mark.long]

CUT = """[...document.querySelectorAll('.tidemark-form, .tidemark-form *')]
    .filter(one => getComputedStyle(one).display != 'inline')
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => one.outerHTML)"""
OURS = "document.querySelector('.tidemark-form')"


def opened(browser: Browser, url: str) -> Page:
    """The page with the form, in a tab that is watched for complaints."""
    page = browser.page()
    page.watch_console()
    page.show_as(1280, 900, "light")
    page.open(url)
    is_there(page)
    return page


def is_there(page: Page) -> None:
    eventually(lambda: page.evaluate(f"!!{OURS} && document.readyState == 'complete'"), "the form")


def fill(page: Page, name: str, text: str) -> None:
    """Write into a field as somebody does who clicks into it."""
    page.evaluate(f"{OURS}.elements[{name!r}].closest('details')?.setAttribute('open', '')")
    assert page.evaluate(f"(one => (one.focus(), one.select(), true))({OURS}.elements[{name!r}])")
    page.type(text)


def choose(page: Page, name: str, value: str) -> None:
    changed = "one.dispatchEvent(new Event('input', {bubbles: true}))"
    page.evaluate(f"(one => {{one.value = {value!r}; {changed}}})({OURS}.elements[{name!r}])")


def shown(page: Page) -> list[str]:
    """The labels and titles that can be seen, in their order."""
    parts = f"[...{OURS}.querySelectorAll('label, summary')]"
    return list(
        page.evaluate(f"{parts}.filter(one => one.checkVisibility()).map(one => one.innerText)")
    )


def errors(page: Page) -> dict[str, str]:
    """The errors that can be seen, by the name of the field that they stand beside."""
    beside = "one.closest('.tidemark-field')?.querySelector('input, select').name || ''"
    found = f"[...{OURS}.querySelectorAll('.tidemark-error')].filter(one => one.checkVisibility())"
    return dict(page.evaluate(f"{found}.map(one => [{beside}, one.innerText])"))


def test_what_matters_stands_first_and_the_rest_is_folded(form: Form, browser: Browser) -> None:
    page = opened(browser, form.url)
    assert shown(page) == [
        "Service", "Rate", "Duration",
        "How requests arrive", "Messages", "Limits of the service", "Kafka", "Faults",
        "Recording and report 2 changed",  # by the command line
    ]  # fmt: skip
    choices = page.evaluate(f"[...{OURS}.elements.tidemark_service.options].map(one => one.text)")
    assert choices == [
        "per-request-leaked", "per-request-closed", "per-request-unflushed", "pooled", "shared",
        "a service that runs already",
    ]  # fmt: skip
    choose(page, "tidemark_service", "other")
    assert shown(page)[:4] == ["Service", "Address of the service", "Rate", "Duration"]
    assert "Which processes are watched" in shown(page)
    assert "Limits of the service" not in shown(page)
    names = page.evaluate(
        f"[...{OURS}.elements].filter(one => one.checkVisibility()).map(one => one.name)"
    )
    assert len(names) == len(set(names))
    assert not page.complaints


def posted(page: Page) -> dict[str, str]:
    """What the form posts when it is sent."""
    page.evaluate("fetch = (url, how) => { posted = [...how.body]; throw new Error('kept') }")
    assert page.click("START")
    eventually(lambda: errors(page), "that it has been sent")
    pairs = page.evaluate("posted")
    assert len(dict(pairs)) == len(pairs), "each once"
    return dict(pairs)


def test_what_is_of_no_use_to_the_service_is_posted_as_is_usual(
    form: Form, browser: Browser
) -> None:
    page = opened(browser, form.url)
    fill(page, "workers", "3")
    said = posted(page)
    assert (said["strategy"], said["host"]) == ("per-request-leaked", "embedded target")
    assert (said["workers"], said["rate"], said["interval"]) == ("3", "10", "0.2")
    assert (said["target_pid"], said["no_target"], said["user_count"]) == ("0", "false", "1")

    choose(page, "tidemark_service", "other")
    fill(page, "host", "http://127.0.0.1:8")
    fill(page, "target_pid", "12")
    said = posted(page)
    assert "strategy" not in said
    assert (said["host"], said["target_pid"]) == ("http://127.0.0.1:8", "12")
    assert (said["workers"], said["fault"]) == ("1", "")


def test_nothing_of_it_is_cut_off_and_axe_finds_nothing_grave(form: Form, browser: Browser) -> None:
    page = opened(browser, form.url)
    for scheme, width in itertools.product(("light", "dark"), (1280, 390)):
        page.show_as(width, 900, scheme)
        page.evaluate(f"localStorage.theme = {scheme!r}")
        page.open(f"{form.url}/?{scheme}{width}")
        eventually(
            lambda to=page, is_new=f"{scheme}{width}": is_new in to.evaluate("location.href")
        )
        is_there(page)
        assert page.evaluate(f"{OURS}.dataset.scheme") == scheme
        assert grave(page, ".tidemark-form") == []
        page.evaluate(f"{OURS}.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []
        assert grave(page, ".tidemark-form") == []


def test_an_error_stands_beside_its_field(form: Form, browser: Browser) -> None:
    page = opened(browser, form.url)
    fill(page, "rate", "0")
    page.press("Enter")
    eventually(lambda: errors(page), "an error")
    assert errors(page) == {"rate": "must be a number greater than 0, 1,000,000 at most, not 0"}
    assert page.evaluate("document.activeElement.name") == "rate"
    assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
    assert grave(page, ".tidemark-form") == []

    fill(page, "rate", "20")
    fill(page, "topic", "a b")
    page.evaluate(f"{OURS}.querySelectorAll('details').forEach(one => one.open = false)")
    assert page.click("START")
    eventually(lambda: "topic" in errors(page), "the next error")
    assert list(errors(page)) == ["topic"], "in a group that was folded, which is opened"
    assert form.bench.runs() == []

    fill(page, "topic", "")
    page.evaluate('fetch = () => Promise.resolve(new Response(\'{"message": "no broker"}\'))')
    assert page.click("START")
    eventually(lambda: errors(page).get(""), "an error that is about no field")
    assert errors(page) == {"": "no broker"}


def fold(page: Page) -> None:
    page.evaluate(f"{OURS}.querySelectorAll('details').forEach(one => one.open = false)")


def invalid(page: Page) -> dict[str, str]:
    """The fields that are marked, and what a screen reader says is wrong with each."""
    told = (
        "one.getAttribute('aria-describedby').split(' ').map(id => document.getElementById(id))"
        ".filter(it => it.classList.contains('tidemark-error') && it.checkVisibility())"
        ".map(it => it.innerText).join()"
    )
    found = f"[...{OURS}.querySelectorAll('[aria-invalid]')].filter(one => one.checkVisibility())"
    return dict(page.evaluate(f"{found}.map(one => [one.name, {told}])"))


def test_what_does_not_go_together_is_said_once_and_marked_at_each_field(
    form: Form, browser: Browser
) -> None:
    page = opened(browser, form.url)
    fill(page, "run_time", "20s")
    fill(page, "settle", "20")
    fold(page)
    assert page.click("START")
    eventually(lambda: errors(page), "an error")
    assert list(errors(page)) == ["settle"], "in a group that was folded, which is opened"
    assert "leaves nothing to judge" in errors(page)["settle"]
    assert invalid(page) == dict.fromkeys(("run_time", "settle"), errors(page)["settle"])
    assert page.evaluate("document.activeElement.name") == "settle"
    assert grave(page, ".tidemark-form") == []

    fill(page, "settle", "0")
    choose(page, "tidemark_service", "other")
    fill(page, "host", "http://127.0.0.1:8")
    fill(page, "target_pid", "12")
    assert page.evaluate(f"{OURS}.elements.no_target.click()") is None
    fold(page)
    assert page.click("START")
    eventually(lambda: "no_target" in errors(page), "the next error")
    assert errors(page) == {
        "no_target": "--no-target and --target-pid contradict each other: leave out one"
    }
    assert set(invalid(page)) == {"no_target", "target_pid"}

    fill(page, "target_pid", "0")
    assert page.click("START")
    eventually(lambda: "host" in errors(page), "that nobody answers there")
    assert errors(page)["host"].startswith("nobody answers at 127.0.0.1 port 8")

    choose(page, "tidemark_service", "shared")
    fill(page, "fds_limit", "12")
    fold(page)
    assert page.click("START")
    eventually(lambda: "fds_limit" in errors(page), "what its process has said", 60)
    assert errors(page)["fds_limit"].startswith("a limit of 12 descriptors is too low")
    assert invalid(page) == errors(page), "and what was wrong before is no more"
    assert not page.complaints


def test_by_keyboard_from_the_form_to_a_run_and_to_the_next(form: Form, browser: Browser) -> None:
    page = opened(browser, form.url)
    page.evaluate(f"{OURS}.elements.tidemark_service.focus()")
    for _ in range(4):
        page.press("ArrowDown")
    assert page.evaluate(f"{OURS}.elements.tidemark_service.value") == "shared"
    page.press("Tab")
    page.evaluate("document.activeElement.select()")
    page.type("20")
    page.press("Tab")
    assert page.evaluate("document.activeElement.name") == "run_time"
    page.type("1m30s")
    page.press("Tab")
    page.press("Enter")  # unfolds the first group
    page.press("Tab")
    assert page.evaluate("document.activeElement.name") == "workload"
    page.evaluate(f"{OURS}.elements.run_time.focus()")
    page.press("Enter")
    eventually(lambda: says(page, "RUNNING", "SPAWNING"), "that it runs", 60)
    (run,) = form.bench.runs()
    assert metadata(run)["strategy"] == "shared"
    assert metadata(run)["load"]["rate"] == 20.0
    assert metadata(run)["load"]["run_time_s"] == 90

    eventually(lambda: page.click("EDIT"), "that the run can be edited")
    is_there(page)
    assert shown(page) == ["Users", "Users started"]
    fill(page, "user_count", "0")
    page.press("Enter")
    eventually(lambda: errors(page), "an error")
    assert list(errors(page)) == ["user_count"]
    page.press("Escape")
    eventually(lambda: not page.evaluate(f"!!{OURS}"), "that it is closed")

    eventually(lambda: sampled(run, 5))
    eventually(lambda: page.click("STOP"), "that it can be stopped")
    eventually(lambda: says(page, "STOPPED"), "STOPPED", 60)
    eventually(lambda: page.click("NEW"), "that another run is offered")
    is_there(page)
    names = ["tidemark_service", "rate", "run_time"]
    values = [page.evaluate(f"{OURS}.elements.{name}.value") for name in names]
    assert values == ["shared", "20", "1m30s"], "as the last run was"
    assert grave(page, ".tidemark-form") == []
    assert not page.complaints


BROKEN: dict[str, str] = {
    "its description does not come": "fetch = () => Promise.reject(new Error('gone'))",
    "its description is another": "fetch = async () => new Response('{\"is_ours\": true}')",
}


@pytest.mark.parametrize("how", BROKEN)
def test_where_ours_fails_locusts_form_is_there(form: Form, browser: Browser, how: str) -> None:
    page = opened(browser, form.url)
    page.evaluate(BROKEN[how])
    # React draws its form anew: ours goes with it, and cannot come again.
    page.evaluate(
        "(one => { const copy = one.cloneNode(true); copy.style.display = '';"
        " one.replaceWith(copy) })(document.querySelector('form:not(.tidemark-form)'))"
    )
    eventually(lambda: not page.evaluate(f"!!{OURS}"), "that ours has gone")
    theirs = "(one => one.checkVisibility({visibilityProperty: true}))(document.forms[0])"
    eventually(lambda: page.evaluate(theirs), "that Locust's is there")
    assert "Custom parameters" in page.text


@pytest.mark.parametrize("form", [("--class-picker",)], indirect=True)
def test_where_classes_are_picked_locusts_form_stays(form: Form, browser: Browser) -> None:
    page = browser.page()
    page.open(form.url)
    eventually(lambda: says(page, "CUSTOM PARAMETERS"), "Locust's form")
    assert not page.evaluate(f"!!{OURS}")


LOCUSTFILE_OF_OTHERS = """
from locust import HttpUser, events, task

import tidemark.plugin


@events.init_command_line_parser.add_listener
def add(parser):
    parser.add_argument("--colour", choices=["red", "blue"], default="blue", help="of the sky")
    parser.add_argument("--loud", action="store_true")
    parser.add_argument("--key", is_secret=True, default="s3cret")


class Theirs(HttpUser):
    @task
    def look(self):
        self.client.get("/health")
"""


def test_a_locustfile_of_others_has_its_options_and_its_users(
    form_of: Any, browser: Browser, tmp_path: Path
) -> None:
    locustfile = tmp_path / "theirs.py"
    locustfile.write_text(LOCUSTFILE_OF_OTHERS)
    form = form_of(locustfile=locustfile)
    page = opened(browser, form.url)
    assert shown(page)[:4] == ["Service", "Users", "Users started", "Duration"]
    assert "Further options" in shown(page)
    assert "Faults" in shown(page)
    choose(page, "colour", "red")
    fill(page, "user_count", "2")
    page.press("Enter")
    eventually(lambda: says(page, "RUNNING", "SPAWNING"), "that it runs", 60)
    eventually(lambda: page.click("STOP"), "that it can be stopped")
    page.open(f"{form.url}/?again")
    eventually(lambda: says(page, "STOPPED"), "STOPPED", 60)
    eventually(lambda: page.click("NEW"), "that another run is offered")
    is_there(page)
    assert page.evaluate(f"{OURS}.elements.colour.value") == "red"
    assert page.evaluate(f"{OURS}.elements.key.type") == "password"
