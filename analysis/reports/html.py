"""report.html: one self-contained file, everything in it escaped."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from tidemark.analysis import units
from tidemark.analysis.figures import curves
from tidemark.analysis.figures.charts import View
from tidemark.analysis.figures.curves import Curve
from tidemark.analysis.figures.events import told
from tidemark.analysis.reports.chart_data import MOST_NUMBERS, share_of
from tidemark.analysis.reports.drawn import Drawn, drawn_of, page_script, page_style, policy
from tidemark.analysis.reports.target_rows import TargetTable, target_table
from tidemark.analysis.run import Run
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.assessment import Assessment, Severity
from tidemark.analysis.verdict.faults import left_text
from tidemark.analysis.verdict.model import ForecastCheck, ResourceVerdict
from tidemark.analysis.verdict.next_step import NextStep, next_step
from tidemark.analysis.verdict.route_words import route_cell, told_apart
from tidemark.analysis.verdict.summary import unlike
from tidemark.analysis.verdict.target_result import foremost
from tidemark.record.events import LimitsRead, TargetUnconfirmed
from tidemark.record.metrics import JUDGED, USED, Metric

MOST_EVENTS = 200
MOST_NAMES = 20
MOST_TARGETS = 200
SECRET = re.compile(r"password|passwd|secret|token|credential|api[_-]?key", re.IGNORECASE)
HIDDEN = "(not shown)"
LONGEST_VALUE = 500
"""What stands in a cell is cut to so many characters; the files of the run have the rest."""

Depicted = tuple[bytes, View | None]
"""A picture and what it shows; None where it has no charts."""

LOOKS = {Severity.FAIL: "leak", Severity.UNKNOWN: "inconclusive", Severity.DOUBT: "inconclusive"}
"""The class of a badge by its severity; of what is well or a note "clean" and none."""


@dataclass(frozen=True)
class Section:
    """What the report says about one run.

    Attributes:
        assessment: What there is to say.
        picture: Its report.png as a data URL.
        drawn: What the picture shows, for charts; None where it has none.
        anchor: Where a link to it leads.
    """

    assessment: Assessment
    picture: str
    drawn: Drawn | None = None
    anchor: str = "run"

    @property
    def next(self) -> NextStep:
        """What to do next."""
        return next_step(self.assessment)

    @property
    def names(self) -> Iterator[tuple[str, Curve, float | None]]:
        """What grew by name: "thread" or "fd", its counts, and the change per answered request."""
        run = self._named_run
        answered = headline.requests_answered(run)
        for kind in ("thread", "fd"):
            for curve in curves.by_name(run.composition, kind, MOST_NAMES):
                change = float(curve.values[-1] - curve.values[0])
                yield kind, curve, change / answered if answered else None

    @property
    def _named_run(self) -> Run:
        """The run, or of several targets what the worst of them has recorded."""
        run, worst = self.assessment.run, self.whose
        return run if worst is None else replace(run, composition=_rows_of(run, worst))

    @property
    def whose(self) -> str | None:
        """The target whose names are told, where there are several."""
        results = self.assessment.targets
        return foremost(results, self.assessment.leading.target).id if results else None

    @property
    def targets(self) -> TargetTable | None:
        """The targets, where there are several."""
        results = self.assessment.targets
        return target_table(results, MOST_TARGETS) if results else None

    @property
    def routes(self) -> list[tuple[str, float, float]]:
        """Each route with its requests and those of them that failed, where there are several."""
        last = self.assessment.run.routes.groupby("route", observed=True).last()
        rows = last[["requests", "failures"]].itertuples()
        return [(str(row[0]), row[1], row[2]) for row in rows] if len(last) > 1 else []

    @property
    def leaking(self) -> list[ResourceVerdict]:
        """The resources whose growth is told by route."""
        return told_apart(self.assessment.verdict)

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
            (
                units.duration(round(one.elapsed_s, 1)),
                units.shortened(one.event.name, LONGEST_VALUE),
                units.shortened(told(one.event), LONGEST_VALUE),
            )
            for one in listed
        ]

    @property
    def unconfirmed(self) -> list[str]:
        """Why it cannot be known that the watched process is the one that answers."""
        events = self.assessment.run.events_of(TargetUnconfirmed)
        return list(dict.fromkeys(one.event.reason or "" for one in events))

    @property
    def hidden_events(self) -> int:
        """How many events are in events.jsonl but not listed."""
        return len(self.assessment.run.events) - len(self.shown_events)

    @property
    def checks(self) -> list[tuple[ResourceVerdict, ForecastCheck]]:
        """The resources of which a forecast could be checked against what happened."""
        found = self.assessment.verdict.resources.values()
        return [(one, one.forecast_check) for one in found if one.forecast_check is not None]


def _rows_of(run: Run, target: str) -> pd.DataFrame:
    rows = run.composition
    return rows[rows["target"] == target]


def render(assessment: Assessment, picture: bytes, view: View | None = None) -> str:
    """Return report.html of one run.

    Args:
        assessment: What there is to say of it.
        picture: Its report.png.
        view: What that shows; None where it has no charts.
    """
    section = Section(assessment, _data_url(picture), drawn_of(assessment, view))
    return _page("run.html", [section], section=section)


def render_comparison(
    assessed: Sequence[Assessment],
    title: str,
    picture: Depicted,
    pictures: Sequence[Depicted],
) -> str:
    """Return report.html of a comparison.

    Args:
        assessed: The runs.
        title: The finding.
        picture: report.png of the comparison and what it shows.
        pictures: report.png of each run and what it shows, in the same order.
    """
    png, view = picture
    numbers = share_of(MOST_NUMBERS, [view, *(view for _, view in pictures)])
    numbered = enumerate(zip(assessed, pictures, strict=True), start=1)
    sections = [
        Section(one, _data_url(its), drawn_of(one, shown, numbers), f"run-{place}")
        for place, (one, (its, shown)) in numbered
    ]
    faults = (fault.fault for one in assessed for fault in one.summary.faults)
    return _page(
        "comparison.html",
        sections,
        title=title,
        picture=_data_url(png),
        drawn=drawn_of(None, view, numbers),
        sections=sections,
        warning=unlike([one.run for one in assessed]),
        faults=list(dict.fromkeys(faults)),
        metrics=[*JUDGED, *USED],
    )


def _page(template: str, shown: Sequence[Section], **values: object) -> str:
    """Fill a template; half of a surrogate pair, which no file can hold, becomes "?"."""
    drawn = [values.get("drawn"), *(section.drawn for section in shown)]
    script = page_script() if any(one is not None for one in drawn) else ""
    style = page_style()
    values |= {"script": script, "style": style, "policy": policy(style, script)}
    text = _environment().get_template(template).render(values)
    return text.encode("utf-8", "replace").decode("utf-8")


def _data_url(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the figures of run.json with their path; what looks like a secret is not shown."""
    for key, one in value.items():
        path = f"{prefix}{key}"
        if SECRET.search(str(key)):
            yield units.shortened(path, LONGEST_VALUE), HIDDEN
        elif isinstance(one, Mapping):
            yield from _flat(one, f"{path}.")
        elif one is not None:
            yield units.shortened(path, LONGEST_VALUE), _plain(one)


def _plain(value: object) -> str:
    if isinstance(value, list):
        text = " ".join(str(item) for item in value)
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return units.shortened(text, LONGEST_VALUE)


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
        "count": units.count,
        "cpu_time": units.cpu_time,
        "duration": units.duration,
        "level": lambda value, metric: units.level(metric, value),
        "look": lambda severity: LOOKS.get(severity, "clean" if severity is Severity.PASS else ""),
        "number": units.number,
        "percent": lambda value: f"{100 * value:+.1f} %",
        "several": units.several,
        "signed": left_text,
        "word": lambda verdict: headline.WORDS[verdict],
    }
    environment.globals.update(
        moments=headline.moments, predicted=_predicted, route_cell=route_cell, span=headline.span
    )
    return environment


def _predicted(metric: Metric, check: ForecastCheck, value: float) -> str:
    """Return a forecast figure in its unit: requests, seconds, or that of the resource."""
    if check.unit == "requests":
        return units.several(value, "request")
    if check.unit == "s":
        return units.duration(value)
    return units.level(metric, value)
