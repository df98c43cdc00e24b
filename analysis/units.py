"""Figures as people read them: counts, bytes, rates and spans of time, with their units."""

import math
from dataclasses import dataclass

from tidemark.record.metrics import KIB, MIB, Metric

GIB = MIB * 1024.0
MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86400.0
UNKNOWN = "\N{EN DASH}"


@dataclass(frozen=True)
class TimeUnit:
    """The unit a time axis is drawn in.

    Attributes:
        name: As it stands in the axis label ("minutes").
        seconds: How many seconds one of it is.
    """

    name: str
    seconds: float


_SPANS = (
    (4 * MINUTE_S, TimeUnit("seconds", 1.0)),
    (4 * HOUR_S, TimeUnit("minutes", MINUTE_S)),
    (4 * DAY_S, TimeUnit("hours", HOUR_S)),
    (math.inf, TimeUnit("days", DAY_S)),
)


def time_unit(span_s: float) -> TimeUnit:
    """Return the unit in which an axis of `span_s` seconds has readable figures."""
    return next(unit for longest, unit in _SPANS if span_s <= longest)


def number(value: float | None, digits: int = 2) -> str:
    """Return `value` with `digits` significant digits, thousands separated, never in exponents.

    Integers of more digits are kept whole: 1,024 stays 1,024. Unknown is a dash, never 0.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    decimals = max(0, digits - 1 - magnitude)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def short(value: float) -> str:
    """Return a figure for an axis: 1,024, but 150k and 1.2M where whole figures are too long."""
    for suffix, factor in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= max(factor, 1e5):
            return f"{number(value / factor, 3)}{suffix}"
    return number(value, 3)


def count(value: float | None) -> str:
    """Return a whole number with its thousands separated: 180,234."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:,.0f}"


def several(value: float, noun: str) -> str:
    """Return a count with its noun: 1 broker, 2 brokers."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def level(metric: Metric, value: float | None, digits: int = 4) -> str:
    """Return how much of a metric there was: what is counted comes whole, 874 descriptors."""
    return count(value) if metric.unit == "count" else amount(metric, value, digits)


def on_axis(metric: Metric, value: float) -> str:
    """Return a figure in the unit of the metric's axis, written as `level` does."""
    return level(metric, value / metric.axis_scale)


def shortened(text: str, most: int) -> str:
    """Return `text` on one line and of at most so many characters; "…" stands for the rest.

    What a terminal or a picture would obey instead of showing it becomes a space: line ends,
    control characters, and marks that turn the direction of writing.
    """
    plain = "".join(one if one.isprintable() else " " for one in text[: most + 1])
    return plain if len(text) <= most else plain[: most - 1] + "…"


def rounded(value: float | None, digits: int = 2) -> str:
    """Return a count with no more digits than it deserves: 14,799,557 becomes 15,000,000."""
    if value is None or not math.isfinite(value) or value == 0:
        return count(value)
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return count(round(value, places))


def size(value: float | None, digits: int = 3) -> str:
    """Return a number of bytes in the binary unit that suits it: 310 KiB."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for unit, factor in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if abs(value) >= factor:
            return f"{number(value / factor, digits)} {unit}"
    return f"{number(value, digits)} B"


_PARTS = (("d", DAY_S, "h", HOUR_S), ("h", HOUR_S, "min", MINUTE_S), ("min", MINUTE_S, "s", 1.0))


def duration(seconds: float | None) -> str:
    """Return a span of time in the two units that matter: 3 min 20 s, 2 d 4 h."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    if abs(seconds) < MINUTE_S:
        return f"{number(seconds, 3 if abs(seconds) >= 10 else 2)} s"
    sign, rest = ("-" if seconds < 0 else ""), round(abs(seconds))
    for name, factor, small_name, small in _PARTS:
        if rest >= (2 * DAY_S if name == "d" else factor):
            smaller = int(rest % factor // small)
            tail = f" {smaller} {small_name}" if smaller else ""
            return f"{sign}{int(rest // factor):,} {name}{tail}"
    return f"{sign}{rest} s"


def milliseconds(value: float | None, digits: int = 2) -> str:
    """Return a response time: 1.4 ms, 2.1 s."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{number(value / 1000, digits)} s" if value >= 1000 else f"{number(value, digits)} ms"


def amount(metric: Metric, value: float | None, digits: int = 2) -> str:
    """Return `value` of a metric in the unit that suits it."""
    if metric.unit == "bytes":
        return size(value, max(digits, 2))
    return cpu_time(value, digits) if metric.unit == "s" else number(value, digits)


def cpu_time(value: float | None, digits: int = 2) -> str:
    """Return seconds of CPU time in the unit that suits them: 3.1 ms."""
    return milliseconds(None if value is None else 1000 * value, digits)


def quantity(metric: Metric, value: float | None, digits: int = 2) -> str:
    """Return so much of a metric: 7.8 descriptors, 310 KiB of memory."""
    text = amount(metric, value, digits)
    return f"{text} {metric.noun if text == '1' else metric.plural}"
