"""The sentences of a verdict: each can be checked against the picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tidemark.analysis import units
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.culprits import told
from tidemark.analysis.verdict.decision import SURE, SURE_LATE, SURE_MONOTONIC, Judgement, Pattern
from tidemark.analysis.verdict.first_growth import FirstGrowth
from tidemark.analysis.verdict.growth import Growth
from tidemark.analysis.verdict.memory import MEMORY, MemorySeries
from tidemark.analysis.verdict.model import ResourceVerdict
from tidemark.analysis.verdict.series import HEAP
from tidemark.analysis.verdict.window import Window

_SENTENCES = {
    Pattern.STEADY: "{grow} by {rate}{whose}, steadily since {since}{stretch}{outlook}",
    Pattern.EXHAUSTED: "grew by {rate}{whose}{outlook}",
    Pattern.SLOWING: "still {grow}{by_now}, but ever more slowly: a fill that has not shown its "
    "end; run for {longer} to see it",
    Pattern.RECENT: "{have} grown steadily only since {since}{by_now}, less than half of the run; "
    "run for {longer} to see",
    Pattern.SUSPECT: "may grow by {rate}, {doubt}; run for {longer} to be sure",
    Pattern.NOISY: "{swing} too much to tell: only growth above {excluded} is excluded; "
    "run for {longer}{or_control}",
    Pattern.THIN: "{samples} under load: too few to tell{disturbed}",
    Pattern.SHORT: "{kept} of load are too short to tell{disturbed}",
    Pattern.EARLY: "{grow} by {rate}, but {loaded} of load are within the first growth of {kind}; "
    "run for {longer} to see{or_control}",
    Pattern.FILLING: "{grow} by {rate}{by_now}, which may be a pool that fills with its first "
    "requests; run for {longer} to see it full",
    Pattern.FEW_COLLECTIONS: "the heap was collected {collected} under load, too seldom to tell "
    "what it keeps; run for {longer}, or with a smaller heap",
    Pattern.UNCOLLECTED: "{grow} by {rate}, but the heap was collected {collected} meanwhile, and "
    "what is left to finalizers is closed then; run for {longer} to see",
    Pattern.NOT_SEEN: "none was ever seen towards {brokers}: is --bootstrap or --brokers right?",
    Pattern.UNREAD: "0 in every sample, which no living process has: this was not read",
    Pattern.NOT_READ: "no sample has a figure: this was not read",
    Pattern.FLAT: "level at {level} since {since}; growth above {excluded} is excluded",
    Pattern.AS_CONTROL: "{grow} by {rate}, which is no more than the control run does",
    Pattern.BEYOND_CONTROL: "{grow} by {rate}{whose}, surely more than the control run "
    "does{outlook}",
}
_HEAP_IS_FLAT = (
    "what collections leave of the heap is level at {left} since {since}; "
    "growth of it above {excluded} is excluded"
)
_TIMES_LONGER: Mapping[Pattern, float] = {
    Pattern.SLOWING: 2,
    Pattern.RECENT: 2,
    Pattern.SUSPECT: 3,
    Pattern.NOISY: 4,
    Pattern.FEW_COLLECTIONS: 2,
    Pattern.UNCOLLECTED: 3,
    Pattern.THIN: 2,
    Pattern.SHORT: 2,
}
"""How many times as long a load tells what this one does not, as it is for most of the time."""
_LEAST_S = 60.0
"""A load that was too short is not made a little longer."""
_ONE = {"grow": "grows", "have": "has", "swing": "swings"}
_SEVERAL = {verb: verb for verb in _ONE}


def explained(
    found: ResourceVerdict,
    judgement: Judgement,
    window: Window,
    memory: MemorySeries,
    brokers: Sequence[str] = (),
    *,
    has_control: bool = False,
) -> ResourceVerdict:
    """The verdict with its reason; nobody is told to use the control run that was used."""
    growth, span_s = judgement.growth, window.end_s - window.begin_s
    is_heap = found.resource == MEMORY and memory.column == HEAP and growth is not None
    is_level = is_heap and judgement.pattern is Pattern.FLAT
    needed_s = _needed_s(found, judgement, memory, window)
    sentence = (_HEAP_IS_FLAT if is_level else _SENTENCES[judgement.pattern]).format(
        left=_held(found, float(np.median(growth.points.y)) if growth else None),
        rate=rate(found),
        whose=told(found),
        since=_since(growth),
        stretch=_stretch(found, growth, window),
        outlook=_outlook(found, window),
        by_now=_by_now(found, growth),
        longer=units.duration(needed_s),
        doubt=_doubt(growth),
        excluded=_excluded(found, judgement),
        samples=units.several(int(window.keep.sum()), "sample"),
        kept=units.duration(window.kept_s),
        loaded=units.duration(round(span_s)),
        kind=memory.first.phrase,
        collected=_times(memory.collections),
        or_control="" if has_control else ", or with a control run",
        disturbed=_disturbed(window),
        brokers=_named(brokers),
        level=_held(found, _level(found, window)),
        **(_ONE if found.metric.unit == "bytes" else _SEVERAL),
    )
    return replace(found, reason=f"{found.metric.phrase}: {sentence}", run_for_s=needed_s)


def _needed_s(
    found: ResourceVerdict, judgement: Judgement, memory: MemorySeries, window: Window
) -> float | None:
    """For how long a load must last so that what cannot be told of this one can be."""
    span_s = window.end_s - window.begin_s
    if judgement.pattern is Pattern.FILLING:
        return max(window.filling.told_after_s(window.hourly), 1.5 * span_s, _LEAST_S)
    if judgement.pattern is Pattern.EARLY:
        return _warm_s(found, memory.first, span_s)
    times = _TIMES_LONGER.get(judgement.pattern)
    if times is None:
        return None
    is_little = judgement.pattern in {Pattern.THIN, Pattern.SHORT}
    return max(times * span_s, _LEAST_S if is_little else 0.0)


def _warm_s(found: ResourceVerdict, first: FirstGrowth, span_s: float) -> float:
    """How long to run so that memory is judged on more than its first growth; whole minutes."""
    growing, hourly = found.per_request, found.per_hour
    slope = growing if growing is not None else (hourly or 0.0) / 3600.0
    rate = hourly / 3600.0 / growing if growing and hourly else 1.0
    needed_s = max(first.told_after_s(slope, rate), 1.5 * span_s)
    return 60.0 * math.ceil(needed_s / 60.0)


def _times(count: float | None) -> str:
    """How often something happened."""
    named = {0: "not once", 1: "once", 2: "twice"}
    return named.get(int(count or 0), f"{units.count(count)} times")


def _disturbed(window: Window) -> str:
    """What is to be done about too little; or why so little is left."""
    if not window.disturbed:
        settled = f" after {units.duration(window.settle_s)} to settle" if window.settle_s else ""
        return f"{settled}; let the run last longer"
    return ": the rest is disturbed (brokers down, nothing answered, stopped, or not sampled)"


def _named(brokers: Sequence[str]) -> str:
    """The brokers, the first two of them by name."""
    if not brokers:
        return "a broker (none was named)"
    more = f" and {len(brokers) - 2} more" if len(brokers) > 2 else ""
    return ", ".join(brokers[:2]) + more


def _held(found: ResourceVerdict, value: float | None) -> str:
    """A level: whole where pieces are counted."""
    if found.metric.unit == "count":
        return units.count(value)
    return units.amount(found.metric, value, 3)


def _doubt(growth: Growth | None) -> str:
    """Why growth is not called a leak."""
    if growth is None:
        return "which rests on too little"
    if growth.chance >= SURE:
        return f"which is chance with {units.number(100 * growth.chance, 2)} %"
    if growth.chance_late >= SURE_LATE:
        return "but hardly did so in the second half"
    if growth.monotonic_chance >= SURE_MONOTONIC:
        return "but swings too much for the ranks to bear it out"
    return "which is not sure enough with so many processes"


def _level(found: ResourceVerdict, window: Window) -> float | None:
    """The median of the series over the judged part."""
    if found.series is None or found.warmup_end_s is None:
        return found.last
    at = found.series.elapsed_s
    inside = (at >= found.warmup_end_s) & (at <= window.end_s)
    return float(np.median(found.series.value[inside])) if inside.any() else found.last


def rate(found: ResourceVerdict) -> str:
    """Growth with its interval: 7.8 (7.7 to 7.9) descriptors a request."""
    value, interval, per = found.per_request, found.per_request_interval, "a request"
    if value is None:
        value, interval, per = found.per_hour, found.per_hour_interval, "an hour"
    text = units.amount(found.metric, value, 3)
    if interval is not None and math.isfinite(interval.width):
        text += f" ({headline.span(found.metric, interval)})"
    return f"{_with_noun(found, text)} {per}"


def _excluded(found: ResourceVerdict, judgement: Judgement) -> str:
    """The growth that is excluded, per request or per hour."""
    excluded = judgement.excluded
    if excluded is None or found.per_hour is None:
        return f"{units.UNKNOWN} {found.metric.plural}"
    if found.per_request is not None:
        return f"{_with_noun(found, units.amount(found.metric, excluded, 2))} a request"
    return f"{_with_noun(found, units.amount(found.metric, excluded * 3600, 2))} an hour"


def _with_noun(found: ResourceVerdict, text: str) -> str:
    """So much of it: a size is in a unit of its own already."""
    return text if found.metric.unit == "bytes" else f"{text} {found.metric.plural}"


def _since(growth: Growth | None) -> str:
    return units.duration(float(growth.points.elapsed_s[0])) if growth else "the beginning"


def _by_now(found: ResourceVerdict, growth: Growth | None) -> str:
    if growth is None:
        return ""
    total = _with_noun(found, units.amount(found.metric, growth.total, 2))
    return f" ({total} since {_since(growth)})"


def _stretch(found: ResourceVerdict, growth: Growth | None, window: Window) -> str:
    """From where to where the growth went, as far as it is judged."""
    if found.baseline is None or found.series is None or growth is None:
        return ""
    judged = found.series.value[found.series.elapsed_s <= window.end_s]
    last = float(judged[-1]) if len(judged) else found.last
    return f", from {_held(found, found.baseline)} to {_held(found, last)}"


def _outlook(found: ResourceVerdict, window: Window) -> str:
    if found.resource == "fds" and window.death is not None:
        count = window.death.requests
        after = "" if count is None else f" after {units.count(count)} requests"
        at = units.duration(window.death.elapsed_s)
        return f"; the limit of {units.count(found.limit)} was reached at {at}{after}"
    if found.forecast is None:
        return ""
    limit = units.amount(found.metric, found.limit, 4)
    if found.forecast.is_far:
        return f"; the limit of {limit} is far away"
    left, requests = units.duration(found.forecast.elapsed_s - window.end_s), ""
    if found.requests_to_limit is not None:
        requests = f", {units.count(found.requests_to_limit)} requests,"
    return f"; the limit of {limit} is {left}{requests} away"
