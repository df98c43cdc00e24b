"""What is said of a run under way, in the terminal and on the page alike."""

import datetime as dt
import math
from collections.abc import Collection
from dataclasses import dataclass

from tidemark.analysis import units
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.model import Forecast, ResourceVerdict, Verdict
from tidemark.live.judging import Judged
from tidemark.record.metrics import metric

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, as seen from a run.

    Attributes:
        elapsed_s: Seconds since it began.
        origin_s: Unix time at which it began; None where unknown.
        has_ended: Whether it has ended.
    """

    elapsed_s: float
    origin_s: float | None
    has_ended: bool


def outlook(
    judged: Judged | None,
    now: Moment,
    unforeseen: Collection[str] = (),
    *,
    in_short: bool = False,
) -> str:
    """When the run dies of what it leaks; empty where that is not known or nothing leaks.

    Args:
        judged: The verdict so far.
        now: Now.
        unforeseen: The targets of which no forecast holds any more.
        in_short: Without the interval and the limit.
    """
    if judged is None:
        return ""
    verdict = judged.assessment.verdict
    if verdict.exhausted is not None:
        what = verdict.resources[verdict.exhausted.resource].metric.phrase
        return f"{what} ran out at {clock(verdict.exhausted.elapsed_s, now)}"
    ahead = forecasts(judged, unforeseen)
    if not ahead:
        return ""
    resource, forecast = min(ahead.items(), key=lambda pair: pair[1].elapsed_s)
    at, limit = clock(forecast.elapsed_s, now), ""
    if not in_short:
        at = f"{at} (90 %: {_span(forecast, now)})"
        limit = f": limit of {units.quantity(metric(resource), forecast.limit, 4)}"
        limit += _whose(judged, resource, forecast)
    left_s = forecast.elapsed_s - now.elapsed_s
    if now.has_ended:
        return f"would have died at {at}{limit}"
    if left_s <= 0:
        return f"was to die at {at}, and goes on{limit}"
    return f"dies in about {_about(left_s)}, at {at}{limit}"


def forecasts(judged: Judged, unforeseen: Collection[str] = ()) -> dict[str, Forecast]:
    """By resource, when the first target reaches its limit of those that a forecast holds of."""
    assessment = judged.assessment
    if not unforeseen:
        verdicts: list[Verdict] = [assessment.verdict]
    else:
        verdicts = [one.found for one in assessment.targets if one.id not in unforeseen]
    ahead: dict[str, Forecast] = {}
    for verdict in verdicts:
        for name, found in verdict.resources.items():
            forecast = near_forecast(found)
            if forecast and (name not in ahead or forecast.elapsed_s < ahead[name].elapsed_s):
                ahead[name] = forecast
    return ahead


def _whose(judged: Judged, resource: str, forecast: Forecast) -> str:
    """Which target it is that dies, where there are several."""
    targets = judged.assessment.targets
    if len(targets) < 2:
        return ""
    whose = (one.id for one in targets if one.found.resources[resource].forecast == forecast)
    return "".join(f" of {name}" for name in list(whose)[:1])


def near_forecast(found: ResourceVerdict) -> Forecast | None:
    """The forecast of what leaks, unless it lies too far ahead to say anything."""
    forecast = found.forecast if found.verdict == "leak" else None
    return None if forecast is None or forecast.is_far else forecast


def _span(forecast: Forecast, now: Moment) -> str:
    low, high = forecast.interval_s.low, forecast.interval_s.high
    return f"{clock(low, now)} to {clock(high, now) if math.isfinite(high) else 'never'}"


def _about(seconds: float) -> str:
    """A span of time with no more digits than a forecast deserves."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return units.duration(round(seconds / 60) * 60)


def clock(elapsed_s: float, now: Moment) -> str:
    """A moment of a run as a watch shows it; with the day where that is not today's."""
    if now.origin_s is None:
        return units.duration(elapsed_s)
    today = dt.datetime.fromtimestamp(now.origin_s + now.elapsed_s).astimezone()
    try:
        at = today + dt.timedelta(seconds=elapsed_s - now.elapsed_s)
    except OverflowError:
        return f"{units.duration(elapsed_s)} after its beginning"
    is_soon = abs(elapsed_s - now.elapsed_s) < 600
    told = f"{at:%H:%M:%S}" if is_soon else f"{at:%H:%M}"
    return told if at.date() == today.date() else f"{at:%Y-%m-%d} {told}"


def verdict_word(judged: Judged | None) -> str:
    """The verdict so far in a word or two."""
    return "no verdict yet" if judged is None else judged.assessment.claim


def verdict_reason(judged: Judged | None, why_not: str) -> str:
    """Why, in a sentence."""
    return why_not if judged is None else judged.assessment.because


def growth(found: ResourceVerdict) -> str:
    """How fast something leaks; else the verdict on it."""
    if found.verdict == "leak" and found.per_hour is not None:
        return f"leak: {headline.growth(found)}"
    return headline.WORDS[found.verdict]
