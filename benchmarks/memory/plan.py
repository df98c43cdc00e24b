"""Which runs are recorded, and in which order, so that what is stopped early is balanced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from benchmarks.memory.services import Service

NO_LEAK = "none"
RATES = (4, 12)
"""Requests per second on average."""


@dataclass(frozen=True, slots=True)
class Leak:
    """So many bytes are kept for ever at every `every`-th request."""

    kept_bytes: int
    every: int = 1

    @property
    def bytes_per_request(self) -> float:
        """What a request leaves behind on average, bytes."""
        return self.kept_bytes / self.every


LEAKS: Mapping[str, Leak] = MappingProxyType(
    {
        NO_LEAK: Leak(0),
        "512": Leak(512),
        "4k": Leak(4096),
        "32k": Leak(32_768),
        "tenth": Leak(32_768, every=10),
    }
)
"""Label -> leak."""
INJECTED = tuple(label for label in LEAKS if label != NO_LEAK)
LONG_LEAKS = ("4k",)
"""Those that are recorded for ten minutes too, at the higher rate."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One run to record.

    Attributes:
        service: The name of the service.
        rate: Requests per second on average.
        duration_s: Seconds of load.
        leak: One of `LEAKS`.
        seed: Of the times and bodies of the requests.
    """

    service: str
    rate: int
    duration_s: int
    leak: str = NO_LEAK
    seed: int = 0

    @property
    def name(self) -> str:
        """What its run directory is called."""
        return f"{self.service}-{self.rate}ps-{self.duration_s}s-{self.leak}-s{self.seed}"

    @property
    def injected(self) -> Leak:
        """What it leaks."""
        return LEAKS[self.leak]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was made to leak."""
        return self.leak == NO_LEAK

    def to_json(self) -> dict[str, Any]:
        """As it stands in run.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Recording:
        """What run.json says; further keys are left alone."""
        return cls(**{name: given[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class _Kind:
    """Runs of every service that are alike but for the rate."""

    duration_s: int
    leaks: tuple[str, ...] = (NO_LEAK,)
    seed: int = 0
    rates: tuple[int, ...] = RATES


_ORDER = (
    _Kind(600),
    _Kind(180, (NO_LEAK, *INJECTED)),
    _Kind(60),
    _Kind(30),
    _Kind(60, INJECTED),
    _Kind(30, INJECTED),
    _Kind(600, LONG_LEAKS, rates=RATES[-1:]),
    *(_Kind(duration_s, seed=1) for duration_s in (180, 60, 30)),
    *(_Kind(duration_s, seed=2) for duration_s in (60, 30)),
)
"""The most important first."""

PART = (
    "flask-logging",
    "gunicorn-confluent-shared",
    "aiohttp-cache",
    "go-cache",
    "go-bolt",
    "express-logging",
    "jvm-cache-g1",
    "jvm-cache-serial",
)
"""Services that are soon built: seven runtimes, all of the judged half."""
_OF_PART = tuple(
    _Kind(duration_s, (NO_LEAK, "32k"), seed=9, rates=RATES[-1:]) for duration_s in (60, 30)
)


def plan_part(services: Iterable[Service]) -> list[Recording]:
    """A small part that is not in the corpus: recorded within minutes, to see it come out alike."""
    known = sorted(in_part(services), key=lambda service: service.name)
    return [recording for kind in _OF_PART for recording in _of(kind, known)]


def in_part(services: Iterable[Service]) -> list[Service]:
    """Those of the services that the small part is of."""
    return [service for service in services if service.name in PART]


def plan(services: Iterable[Service]) -> list[Recording]:
    """Every recording of these services, the most important first; the same ones each time."""
    known = sorted(services, key=lambda service: service.name)
    return [recording for kind in _ORDER for recording in _of(kind, known)]


def _of(kind: _Kind, services: Sequence[Service]) -> Iterator[Recording]:
    """Neighbours have different rates, so that the load on the machine is even."""
    for leak in kind.leaks:
        for turn in range(len(kind.rates)):
            for number, service in enumerate(services):
                rate = kind.rates[(number + turn) % len(kind.rates)]
                if service.inject or leak == NO_LEAK:
                    yield Recording(service.name, rate, kind.duration_s, leak, kind.seed)
