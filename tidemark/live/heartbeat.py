"""A run under way in one line of bounded width: what a log is told now and then."""

from tidemark.analysis import units
from tidemark.live import words
from tidemark.live.facts import Facts

MOST_COLUMNS = 160
LEAD_S = 10.0
"""So long before a line is due the run is judged for it."""
_MOST_OF_A_NAME = 24
_MOST_OF_A_VERDICT = 32


def heartbeat(facts: Facts) -> str:
    """When it is, how long the run has lasted, what it has counted and holds, how it stands."""
    now = facts.moment
    if now.origin_s is None and not now.elapsed_s:
        return "nothing has been recorded yet"
    told = [_counted(facts), _held(facts), _verdict(facts), facts.outlook_in_short, facts.trouble]
    lasts = units.duration(round(now.elapsed_s))
    line = f"{words.clock(now.elapsed_s, now)}, after {lasts}: {'; '.join(filter(None, told))}"
    return units.shortened(line, MOST_COLUMNS)


def _counted(facts: Facts) -> str:
    if facts.requests is None:
        return ""
    return f"{units.several(facts.requests, 'request')}, {units.count(facts.failures)} failed"


def _held(facts: Facts) -> str:
    """What the process holds that is nearest to its limit."""
    if not facts.levels:
        return ""
    level = facts.foremost[0]
    is_one_of_several = len(facts.levels) + facts.untold_targets > 1
    whose = f"{units.shortened(level.target, _MOST_OF_A_NAME)} " if is_one_of_several else ""
    return f"{whose}descriptors {level.descriptors}"


def _verdict(facts: Facts) -> str:
    so_far = " so far" if facts.resources and not facts.is_final else ""
    return f"{units.shortened(facts.verdict, _MOST_OF_A_VERDICT)}{so_far}"
