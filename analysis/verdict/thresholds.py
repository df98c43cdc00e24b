"""Thresholds on growth: what a gate allows where a verdict alone is too strict or too lax."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tidemark.analysis import units
from tidemark.analysis.verdict.culprits import told
from tidemark.analysis.verdict.model import ResourceVerdict
from tidemark.analysis.verdict.reasons import rate
from tidemark.record.errors import OptionError
from tidemark.record.metrics import RESOURCES


@dataclass(frozen=True, slots=True)
class ThresholdCheck:
    """Whether a resource keeps its threshold.

    Attributes:
        allowed: Growth per request that is allowed.
        kept: True if it does, False if it surely does not, None if that cannot be told.
        reason: A sentence.
    """

    allowed: float
    kept: bool | None
    reason: str


def parse_thresholds(texts: Iterable[str]) -> dict[str, float]:
    """Read thresholds such as `fds=0.01`.

    Raises:
        OptionError: One is not RESOURCE=NUMBER; the message names the resources there are.
    """
    return dict(_parse(text) for text in texts)


def _parse(text: str) -> tuple[str, float]:
    name, equals, figure = (part.strip() for part in text.partition("="))
    try:
        allowed = float(figure)
    except ValueError:
        allowed = math.nan
    if name not in RESOURCES or not equals or not math.isfinite(allowed) or allowed < 0:
        raise OptionError(
            f"--max-per-request: {text!r} is not RESOURCE=GROWTH; "
            f"name one of {', '.join(RESOURCES)} and a number of at least 0, as in fds=0.01"
        )
    return name, allowed


def check_threshold(found: ResourceVerdict, allowed: float) -> ThresholdCheck:
    """Hold the growth of a resource against its threshold.

    It surely does not keep it when the whole 90 % interval lies above. It keeps it when the best
    estimate lies below; where growth could not be told, the whole interval has to.

    Args:
        found: What was found on the resource.
        allowed: Growth per request that is allowed.
    """
    metric, growth, interval = found.metric, found.per_request, found.per_request_interval
    limit = f"threshold of {units.quantity(metric, allowed, 3)} a request"
    if growth is None:
        return ThresholdCheck(allowed, None, f"{metric.phrase}: unknown growth against the {limit}")
    text = f"{metric.phrase}: growth of {rate(found)}{told(found)}"
    low, high = (growth, growth) if interval is None else (interval.low, interval.high)
    if (high if found.verdict == "inconclusive" else growth) <= allowed:
        return ThresholdCheck(allowed, kept=True, reason=f"{text}, within the {limit}")
    if interval is not None and low > allowed:
        return ThresholdCheck(allowed, kept=False, reason=f"{text}, above the {limit}")
    return ThresholdCheck(allowed, None, f"{text}, which may be above the {limit}")
