"""The sentences of a verdict: each can be checked against the picture."""

import math
from dataclasses import replace

import numpy as np

from tidemark.analysis import units
from tidemark.analysis.verdict.decision import SURE, SURE_LATE, SURE_MONOTONIC, Judgement, Pattern
from tidemark.analysis.verdict.growth import Growth
from tidemark.analysis.verdict.model import ResourceVerdict
from tidemark.analysis.verdict.window import Window


def explained(found: ResourceVerdict, judgement: Judgement, window: Window) -> ResourceVerdict:
    """The verdict with its reason."""
    sentence = _SENTENCES[judgement.pattern](found, judgement.growth, window)
    return replace(found, reason=f"{found.metric.phrase}: {sentence}")


def _steady(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    text = f"grow by {rate(found)} and have not slowed down since {_since(growth)}"
    return text + _stretch(found, growth) + _outlook(found, window)


def _exhausted(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    del growth
    return f"grew by {rate(found)}" + _outlook(found, window)


def _slowing(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    more = units.duration(2 * (window.end_s - window.begin_s))
    return (
        f"still grow{_by_now(found, growth)}, but ever more slowly: a fill that has not shown its "
        f"end; run for {more} to see it level off or go on"
    )


def _recent(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    more = units.duration(2 * (window.end_s - window.begin_s))
    return (
        f"have grown steadily only since {_since(growth)}{_by_now(found, growth)}, less than half "
        f"of the run; run for {more} to see whether that goes on"
    )


def _suspect(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    more = units.duration(3 * (window.end_s - window.begin_s))
    return f"may grow by {rate(found)}, {_doubt(growth)}; run for {more} to be sure"


def _doubt(growth: Growth | None) -> str:
    """Why growth is not called a leak."""
    if growth is None:
        return "which rests on too little"
    if growth.chance >= SURE:
        return f"which is chance with a probability of {units.number(100 * growth.chance, 2)} %"
    if growth.chance_late >= SURE_LATE:
        return "but hardly did so in the second half"
    if growth.monotonic_chance >= SURE_MONOTONIC:
        return "but the swings on top are too large for the ranks of the values to bear it out"
    return "which is not sure enough with so many processes"


def _noisy(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    more = units.duration(4 * (window.end_s - window.begin_s))
    return (
        f"swing too much to tell: only growth above {_excluded(found, growth)} is excluded; "
        f"run for {more}, or compare with a control run"
    )


def _thin(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    del found, growth
    inside = int(window.keep.sum())
    return f"{inside} samples under load are too few to tell; let the run last longer"


def _flat(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    level = units.amount(found.metric, _level(found, window), 3)
    text = f"level at {level} since {_since(growth)}"
    return f"{text}; growth above {_excluded(found, growth)} is excluded"


def _level(found: ResourceVerdict, window: Window) -> float | None:
    """The median of the series over the judged part."""
    if found.series is None or found.warmup_end_s is None:
        return found.last
    at = found.series.elapsed_s
    inside = (at >= found.warmup_end_s) & (at <= window.end_s)
    return float(np.median(found.series.value[inside])) if inside.any() else found.last


def _as_control(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    del growth, window
    return f"grow by {rate(found)}, which is no more than the control run does"


def _beyond_control(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    del growth
    text = f"grow by {rate(found)}, surely more than the control run does"
    return text + _outlook(found, window)


_SENTENCES = {
    Pattern.STEADY: _steady,
    Pattern.EXHAUSTED: _exhausted,
    Pattern.SLOWING: _slowing,
    Pattern.RECENT: _recent,
    Pattern.SUSPECT: _suspect,
    Pattern.NOISY: _noisy,
    Pattern.THIN: _thin,
    Pattern.FLAT: _flat,
    Pattern.AS_CONTROL: _as_control,
    Pattern.BEYOND_CONTROL: _beyond_control,
}


def rate(found: ResourceVerdict) -> str:
    """Growth with its interval: 7.8 (7.7 to 7.9) descriptors a request."""
    value, interval, per = found.per_request, found.per_request_interval, "a request"
    if value is None:
        value, interval, per = found.per_hour, found.per_hour_interval, "an hour"
    text = units.amount(found.metric, value, 3)
    noun = found.metric.plural
    if interval is None or not math.isfinite(interval.width):
        return f"{text} {noun} {per}"
    low, high = (units.amount(found.metric, end, 3) for end in (interval.low, interval.high))
    return f"{text} ({low} to {high}) {noun} {per}"


def _excluded(found: ResourceVerdict, growth: Growth | None) -> str:
    """The growth that is excluded, per request or per hour."""
    noun = found.metric.plural
    if growth is None or found.per_hour is None:
        return f"{units.UNKNOWN} {noun}"
    if found.per_request is not None:
        return f"{units.amount(found.metric, growth.upper, 2)} {noun} a request"
    return f"{units.amount(found.metric, growth.upper * 3600, 2)} {noun} an hour"


def _since(growth: Growth | None) -> str:
    return units.duration(float(growth.points.elapsed_s[0])) if growth else "the beginning"


def _by_now(found: ResourceVerdict, growth: Growth | None) -> str:
    if growth is None:
        return ""
    total = units.amount(found.metric, growth.total, 2)
    return f" ({total} {found.metric.plural} since {_since(growth)})"


def _stretch(found: ResourceVerdict, growth: Growth | None) -> str:
    """From where to where the growth went."""
    if found.baseline is None or found.last is None or growth is None:
        return ""
    first, last = (units.amount(found.metric, value, 3) for value in (found.baseline, found.last))
    return f": from {first} when the load began to {last}"


def _outlook(found: ResourceVerdict, window: Window) -> str:
    if found.resource == "fds" and window.death is not None:
        count = window.death.requests
        after = "" if count is None else f" after {units.count(count)} requests"
        at = units.duration(window.death.elapsed_s)
        return f"; the limit of {units.count(found.limit)} was reached at {at}{after}"
    if found.forecast is None:
        return ""
    limit = units.amount(found.metric, found.limit, 4)
    left = units.duration(found.forecast.elapsed_s - window.end_s)
    more = (
        ""
        if found.requests_to_limit is None
        else f", {units.count(found.requests_to_limit)} requests,"
    )
    return f"; the limit of {limit} is {left}{more} away"
