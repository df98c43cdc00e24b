"""The files that charts are drawn with, read as they lie here."""

from functools import cache
from importlib.resources import files

PARTS = ("uPlot.min.js", "uPlot.min.css", "uPlot.LICENSE", "charts.js")
"""uPlot with its licence, and what is drawn with it."""


@cache
def part(name: str) -> str:
    """The text of one of `PARTS`."""
    return files("tidemark.charts").joinpath(name).read_text("utf-8")
