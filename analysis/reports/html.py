"""report.html: one self-contained file, everything in it escaped."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from tidemark.analysis import units
from tidemark.analysis.figures import curves, events
from tidemark.analysis.run import Run
from tidemark.analysis.verdict import finding
from tidemark.analysis.verdict.faults import left_text
from tidemark.analysis.verdict.model import ForecastCheck, Interval, ResourceVerdict, Verdict
from tidemark.analysis.verdict.summary import Summary, summarise, unlike

VERDICT_WORDS = {"leak": "leak", "clean": "clean", "inconclusive": "cannot tell"}
MOST_EVENTS = 200
MOST_NAMES = 20
SECRET = re.compile(r"password|passwd|secret|token|credential|api[_-]?key", re.IGNORECASE)
HIDDEN = "(not shown)"


@dataclass(frozen=True)
class NameRow:
    """How many threads or descriptors of one name there were.

    Attributes:
        kind: "thread" or "fd".
        name: The name.
        first: Count at the first reading.
        last: Count at the last.
        per_request: Change per answered request; None where requests are unknown.
    """

    kind: str
    name: str
    first: float
    last: float
    per_request: float | None

    @property
    def change(self) -> float:
        """Last minus first."""
        return self.last - self.first


@dataclass(frozen=True)
class Section:
    """Everything that the report says about one run.

    Attributes:
        run: The run.
        verdict: What was found on it.
        row: Its row in the comparison table.
        title: The finding.
        picture: Its report.png as a data URL.
        names: What grew by name.
        facts: run.json, flattened.
        anchor: Where a link to it leads.
    """

    run: Run
    verdict: Verdict
    row: Summary
    title: str
    picture: str
    names: list[NameRow]
    facts: list[tuple[str, str]]
    anchor: str

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return finding.main_reason(self.verdict)

    @property
    def shown_events(self) -> list[tuple[str, str, str]]:
        """Time, name and details of each event that is listed."""
        listed = [event for event in self.run.events if event.name != "limits_read"][:MOST_EVENTS]
        return [(units.duration(round(e.elapsed_s, 1)), e.name, events.told(e)) for e in listed]

    @property
    def hidden_events(self) -> int:
        """How many events are in events.jsonl but not listed."""
        return len(self.run.events) - len(self.shown_events)

    @property
    def checks(self) -> list[tuple[ResourceVerdict, ForecastCheck]]:
        """The resources of which a forecast could be checked against what happened."""
        found = self.verdict.resources.values()
        return [(one, one.forecast_check) for one in found if one.forecast_check is not None]


def render_run(run: Run, verdict: Verdict, picture: bytes) -> str:
    """Return report.html of one run.

    Args:
        run: The run.
        verdict: What was found on it.
        picture: Its report.png.
    """
    return _environment().get_template("run.html").render(section=_section(run, verdict, picture))


def render_comparison(
    judged: Sequence[tuple[Run, Verdict]],
    title: str,
    picture: bytes,
    pictures: Sequence[bytes],
) -> str:
    """Return report.html of a comparison.

    Args:
        judged: The runs with their verdicts.
        title: The finding.
        picture: report.png of the comparison.
        pictures: report.png of each run, in the same order.
    """
    sections = [
        _section(run, verdict, png, f"run-{place}")
        for place, ((run, verdict), png) in enumerate(zip(judged, pictures, strict=True), start=1)
    ]
    return (
        _environment()
        .get_template("comparison.html")
        .render(
            title=title,
            picture=_data_url(picture),
            sections=sections,
            warning=unlike([run for run, _ in judged]),
            faults=list(dict.fromkeys(one.fault for part in sections for one in part.row.faults)),
        )
    )


def _section(run: Run, verdict: Verdict, picture: bytes, anchor: str = "run") -> Section:
    return Section(
        run,
        verdict,
        summarise(run, verdict),
        finding.finding(run, verdict),
        _data_url(picture),
        grown_names(run),
        list(_flat(run.metadata.raw)),
        anchor,
    )


def _data_url(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def grown_names(run: Run) -> list[NameRow]:
    """Return threads and descriptors by name, first reading against last, largest growth first."""
    rows = []
    answered = finding.requests_answered(run)
    for kind in ("thread", "fd"):
        for curve in curves.by_name(run.composition, kind, MOST_NAMES):
            first, last = float(curve.values[0]), float(curve.values[-1])
            per_request = (last - first) / answered if answered else None
            rows.append(NameRow(kind, curve.name, first, last, per_request))
    return rows


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the figures of run.json with their path; what looks like a secret is not shown."""
    for key, one in value.items():
        path = f"{prefix}{key}"
        if SECRET.search(str(key)):
            yield path, HIDDEN
        elif isinstance(one, Mapping):
            yield from _flat(one, f"{path}.")
        elif one is not None:
            yield path, _plain(one)


def _plain(value: object) -> str:
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tidemark.analysis.reports"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "amount": lambda value, resource, digits=3: units.amount(resource, value, digits),
        "change": _signed,
        "count": units.count,
        "duration": units.duration,
        "left": left_text,
        "milliseconds": units.milliseconds,
        "number": units.number,
        "percent": lambda value: f"{100 * value:+.1f} %",
        "word": lambda verdict: VERDICT_WORDS[verdict],
        "reason": finding.reason,
        "resource": lambda name: finding.TITLES.get(name, name),
    }
    environment.globals |= {"interval": _interval, "moments": _moments, "predicted": _predicted}
    return environment


def _signed(value: float) -> str:
    return f"+{units.count(value)}" if value > 0 else units.count(value)


def _interval(resource: str, interval: Interval | None) -> str:
    if interval is None:
        return ""
    low, high = units.amount(resource, interval.low, 3), units.amount(resource, interval.high, 3)
    return f"{low} to {high}"


def _moments(interval: Interval | None) -> str:
    if interval is None:
        return ""
    high = units.duration(interval.high)
    return f"{units.duration(interval.low)} to {'never' if high == units.UNKNOWN else high}"


def _predicted(resource: str, check: ForecastCheck, value: float) -> str:
    """Return a forecast figure in its unit: requests, seconds, or that of the resource."""
    if check.unit == "requests":
        return f"{units.count(value)} requests"
    if check.unit == "s":
        return units.duration(value)
    return units.amount(resource, value, 4)
