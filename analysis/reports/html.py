"""report.html: one self-contained file, everything in it escaped."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from tidemark.analysis import units
from tidemark.analysis.figures import curves
from tidemark.analysis.figures.events import told
from tidemark.analysis.run import Run
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.faults import left_text
from tidemark.analysis.verdict.model import ForecastCheck, Interval, ResourceVerdict
from tidemark.analysis.verdict.summary import unlike
from tidemark.record.events import LimitsRead
from tidemark.record.metrics import JUDGED, USED, Metric

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
class RouteRow:
    """The requests to one route.

    Attributes:
        route: Method and name.
        requests: Answered or failed.
        failures: Those of them that failed.
    """

    route: str
    requests: float
    failures: float


@dataclass(frozen=True)
class Section:
    """What the report says about one run.

    Attributes:
        assessment: What there is to say.
        picture: Its report.png as a data URL.
        anchor: Where a link to it leads.
    """

    assessment: Assessment
    picture: str
    anchor: str = "run"

    @property
    def names(self) -> list[NameRow]:
        """What grew by name."""
        return grown_names(self.assessment.run)

    @property
    def routes(self) -> list[RouteRow]:
        """The requests by route, where there are several."""
        last = self.assessment.run.routes.groupby("route", observed=True).last()
        rows = last[["requests", "failures"]].itertuples()
        return [RouteRow(str(row[0]), row[1], row[2]) for row in rows] if len(last) > 1 else []

    @property
    def facts(self) -> list[tuple[str, str]]:
        """run.json, flattened."""
        return list(_flat(self.assessment.run.metadata.raw))

    @property
    def shown_events(self) -> list[tuple[str, str, str]]:
        """Time, name and details of each event that is listed."""
        events = self.assessment.run.events
        listed = [one for one in events if not isinstance(one.event, LimitsRead)][:MOST_EVENTS]
        return [
            (units.duration(round(one.elapsed_s, 1)), one.event.name, told(one.event))
            for one in listed
        ]

    @property
    def hidden_events(self) -> int:
        """How many events are in events.jsonl but not listed."""
        return len(self.assessment.run.events) - len(self.shown_events)

    @property
    def checks(self) -> list[tuple[ResourceVerdict, ForecastCheck]]:
        """The resources of which a forecast could be checked against what happened."""
        found = self.assessment.verdict.resources.values()
        return [(one, one.forecast_check) for one in found if one.forecast_check is not None]


def render(assessment: Assessment, picture: bytes) -> str:
    """Return report.html of one run.

    Args:
        assessment: What there is to say of it.
        picture: Its report.png.
    """
    section = Section(assessment, _data_url(picture))
    return _environment().get_template("run.html").render(section=section)


def render_comparison(
    assessed: Sequence[Assessment], title: str, picture: bytes, pictures: Sequence[bytes]
) -> str:
    """Return report.html of a comparison.

    Args:
        assessed: The runs.
        title: The finding.
        picture: report.png of the comparison.
        pictures: report.png of each run, in the same order.
    """
    numbered = enumerate(zip(assessed, pictures, strict=True), start=1)
    sections = [Section(one, _data_url(png), f"run-{place}") for place, (one, png) in numbered]
    faults = (fault.fault for one in assessed for fault in one.summary.faults)
    return (
        _environment()
        .get_template("comparison.html")
        .render(
            title=title,
            picture=_data_url(picture),
            sections=sections,
            warning=unlike([one.run for one in assessed]),
            faults=list(dict.fromkeys(faults)),
            metrics=[*JUDGED, *USED],
        )
    )


def _data_url(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def grown_names(run: Run) -> list[NameRow]:
    """Return threads and descriptors by name, first reading against last, largest growth first."""
    rows = []
    answered = headline.requests_answered(run)
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
        "amount": lambda value, metric, digits=3: units.amount(metric, value, digits),
        "change": _signed,
        "count": units.count,
        "cpu_time": units.cpu_time,
        "duration": units.duration,
        "left": left_text,
        "milliseconds": units.milliseconds,
        "number": units.number,
        "percent": lambda value: f"{100 * value:+.1f} %",
        "word": lambda verdict: VERDICT_WORDS[verdict],
    }
    environment.globals |= {"interval": _interval, "moments": _moments, "predicted": _predicted}
    return environment


def _signed(value: float) -> str:
    return f"+{units.count(value)}" if value > 0 else units.count(value)


def _interval(metric: Metric, interval: Interval | None) -> str:
    if interval is None:
        return ""
    low, high = units.amount(metric, interval.low, 3), units.amount(metric, interval.high, 3)
    return f"{low} to {high}"


def _moments(interval: Interval | None) -> str:
    if interval is None:
        return ""
    high = units.duration(interval.high)
    return f"{units.duration(interval.low)} to {'never' if high == units.UNKNOWN else high}"


def _predicted(metric: Metric, check: ForecastCheck, value: float) -> str:
    """Return a forecast figure in its unit: requests, seconds, or that of the resource."""
    if check.unit == "requests":
        return f"{units.count(value)} requests"
    if check.unit == "s":
        return units.duration(value)
    return units.amount(metric, value, 4)
