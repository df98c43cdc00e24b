"""The charts of a page, and what draws them: all of it in the page, and nothing from elsewhere."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tidemark.analysis.figures.charts import View
from tidemark.analysis.reports.chart_data import MOST_NUMBERS, content
from tidemark.analysis.reports.chart_tables import ChartTable, tables
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.charts.parts import part


@dataclass(frozen=True)
class Drawn:
    """The charts of one run.

    Attributes:
        data: What they are drawn from.
        tables: The numbers beside each of them, in the order in which they stand.
    """

    data: dict[str, Any]
    tables: list[ChartTable]


def drawn_of(
    assessment: Assessment | None, view: View | None, numbers: int = MOST_NUMBERS
) -> Drawn | None:
    """The charts of a picture.

    Args:
        assessment: What there is to say of the run; None of several.
        view: What the picture shows; None where it has no charts.
        numbers: About how many figures they may hold.
    """
    if view is None or not view.charts:
        return None
    began = None if assessment is None else assessment.run.started_at
    began_s = None if began is None else round(began.timestamp(), 3)
    return Drawn(content(began_s, view, numbers), tables(view, assessment))


@cache
def page_style() -> str:
    """The style of a report."""
    return part("uPlot.min.css") + "\n" + _own("report.css")


@cache
def page_script() -> str:
    """What draws the charts of a report, with the licence of the library that it uses."""
    licence = f"/*\nuPlot\n\n{part('uPlot.LICENSE')}*/"
    parts = [licence, part("uPlot.min.js"), part("charts.js"), _own("report.js")]
    return "\n".join(parts)


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy of a page: this style and this script, and no network."""
    rules = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _hash(style),
        "script-src": _hash(script) if script else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _own(name: str) -> str:
    return files("tidemark.analysis.reports").joinpath("templates", name).read_text("utf-8")
