"""Growth beyond that of a control run.

A clean service under the same load grows a little, too: it warms up, its allocator spreads out.
Comparing with it is surer than any test on one run alone (Matias et al. 2014, 2016).
"""

import math
from dataclasses import dataclass, replace

from tidemark.analysis.verdict.decision import Judgement, Pattern
from tidemark.analysis.verdict.model import Interval


@dataclass(frozen=True, slots=True)
class Rate:
    """Growth of all processes of the target, per unit of x, with its 90 % interval."""

    slope: float
    interval: Interval


def difference(
    slope: float, interval: Interval, other: float, other_interval: Interval
) -> Interval:
    """The 90 % interval of the difference of two independent figures (root of squares)."""
    below = math.hypot(slope - interval.low, other_interval.high - other)
    above = math.hypot(interval.high - slope, other - other_interval.low)
    middle = slope - other
    return Interval(middle - below, middle + above)


def beyond_control(
    chosen: Judgement, slope: float, interval: Interval, control: Rate | None
) -> Judgement:
    """Judge growth by what it is beyond the control's.

    Growth that is no more than the control's is clean, whatever it is on its own; growth of which
    the run alone left a doubt is a leak if it is surely more than twice the control's.

    Args:
        chosen: The judgement without a control.
        slope: Growth per unit of x.
        interval: Its 90 % interval.
        control: The control's growth; None if it could not be measured.
    """
    if control is None or chosen.growth is None:
        return chosen
    beyond = difference(slope, interval, control.slope, control.interval)
    if chosen.decision != "clean" and beyond.low <= 0 and control.interval.low > 0:
        return replace(chosen, decision="clean", pattern=Pattern.AS_CONTROL)
    doubtful = chosen.pattern in {Pattern.SUSPECT, Pattern.RECENT}
    if doubtful and beyond.low > max(control.slope, 0.0):
        return replace(chosen, decision="leak", pattern=Pattern.BEYOND_CONTROL)
    return chosen
