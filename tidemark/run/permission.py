"""Whom load may be put on: this machine, and what was named; much of it if that is meant."""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from tidemark.record import options as value
from tidemark.record.endpoints import is_host, is_loopback
from tidemark.record.errors import TidemarkError
from tidemark.record.options import Option

MOST_RATE = 100.0
"""Requests a second that another host gets without further asking."""
LONGEST_S = 3600.0
"""Seconds that they last without further asking."""


def _hosts(given: Any) -> tuple[str, ...]:
    """Names and addresses of hosts, without brackets."""
    found = tuple(one.strip("[]") for one in value.several(given))
    for one in found:
        if not is_host(one):
            raise ValueError(f"must be the name or the address of a host, not {value.shown(one)}")
    return found


ALLOW_HOST = Option(
    "allow_host",
    _hosts,
    (),
    "a host beside this machine's loopback that load may be put on; repeatable",
    "HOST",
    is_repeatable=True,
    in_form=False,
)
YES = Option(
    "yes",
    value.flag,
    False,
    f"put more than {MOST_RATE:g} requests a second, or load for more than "
    f"{LONGEST_S / 60:g} minutes, on a host that is not this machine's loopback",
    is_flag=True,
    in_form=False,
)


def host_of(url: str) -> str:
    """The name or address of a URL that has been found good, in lower case.

    A port in braces, which is chosen later, is left aside.
    """
    return (urlsplit(url).hostname or "").lower()


def expect_allowed(url: str, allowed: Collection[str]) -> None:
    """Make sure that requests may go to a URL.

    Args:
        url: Where they go.
        allowed: The hosts that may get some, beside the loopback ones.

    Raises:
        TidemarkError: They may not; one line that names the option.
    """
    host = host_of(url)
    if not is_loopback(host) and host not in {one.lower() for one in allowed}:
        raise TidemarkError(
            f"{host} is not this machine's loopback: if you may put load on it, say so with "
            f"--allow-host {host}, or with allow_host of [load] in tidemark.toml",
            about=["host"],
        )


def expect_meant(url: str, rate: float, lasts_s: float | None, *, is_agreed: bool) -> None:
    """Make sure that much load on another host is meant.

    Args:
        url: Where requests go.
        rate: How many a second.
        lasts_s: For how long, seconds; None where no end is planned.
        is_agreed: Whether somebody has said so.

    Raises:
        TidemarkError: Nobody has; one line that names the ceiling that is exceeded.
    """
    if is_agreed or is_loopback(host_of(url)):
        return
    if rate > MOST_RATE:
        what, about = f"{rate:g} requests a second, more than {MOST_RATE:g},", "rate"
    elif lasts_s is None:
        what, about = "load without an end", "run_time"
    elif lasts_s > LONGEST_S:
        what, about = f"load for {lasts_s:,.0f} s, longer than {LONGEST_S:,.0f} s,", "run_time"
    else:
        return
    raise TidemarkError(
        f"{what} on {host_of(url)}: say --yes if that is meant", about=[about, "host"]
    )
