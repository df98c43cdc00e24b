"""Moments as a person names them: ISO 8601, Unix seconds, or counted back from now."""

import datetime as dt
import math
import re
import time

_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_PART = re.compile(r"(\d{1,9})(ms|[smhdw])")
_BACK = re.compile(r"(?:now)?-((?:\d{1,9}(?:ms|[smhdw]))+)")
_NUMBER = re.compile(r"\d{1,10}(\.\d{1,9})?")
WANTED = "must be a time: 2026-11-26T09:30:00Z, 1795685400 (Unix seconds), -2h or now"


def parse_moment(given: object, now_s: float | None = None) -> float:
    """The Unix time that a text names, seconds.

    Args:
        given: ISO 8601 (without a zone it is UTC), Unix seconds, `now`, or `-1d12h`: so long ago.
        now_s: What is now; None for this moment.

    Raises:
        ValueError: It names none.
    """
    text = str(given).strip()
    now_s = time.time() if now_s is None else now_s
    if text == "now":
        return now_s
    if _NUMBER.fullmatch(text):
        return float(text)
    if back := _BACK.fullmatch(text):
        return max(now_s - _seconds(back[1]), 0.0)
    try:
        moment = dt.datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{WANTED}, not {text[:60]!r}") from None
    if seconds < 0:
        raise ValueError(f"{WANTED}, not one before 1970")
    return seconds


def parse_duration(given: object) -> float:
    """So many seconds: `15`, `0.5`, `15s`, `1m30s`.

    Raises:
        ValueError: It is no such time, or none that has a length.
    """
    text = str(given).strip()
    if _NUMBER.fullmatch(text):
        seconds = float(text)
    elif re.fullmatch(rf"(?:{_PART.pattern})+", text):
        seconds = _seconds(text)
    else:
        raise ValueError(f"must be seconds, or a duration as 15s or 1m30s, not {text[:60]!r}")
    if not 0.001 <= seconds < math.inf:
        raise ValueError("must be 1ms at least")
    return seconds


def _seconds(text: str) -> float:
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def shown_moment(time_s: float, timespec: str = "seconds") -> str:
    """A Unix time as people read it: ISO 8601, UTC; what is finer than `timespec` is left out."""
    moment = dt.datetime.fromtimestamp(time_s, dt.UTC)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")
