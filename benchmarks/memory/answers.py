"""What is said about the memory of a recorded run: by the verdict, and by plain methods."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.memory.plan import Recording
from benchmarks.memory.recorded import Recorded
from benchmarks.naive import DETECTORS, Floats, change_points, series
from tidemark.analysis.run import Run, load_run
from tidemark.analysis.verdict.judge import judge

RESOURCE = "rss_bytes"
NAIVE = {name: method for name, method in DETECTORS.items() if method is not change_points}
"""Plain methods that are asked about the same series."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said about one recording.

    Attributes:
        recording: What was recorded.
        runtime: What its service is run by.
        half: "development" or "judged".
        requests: How many were answered.
        grown_bytes: Resident memory at the end less that at the beginning of the load.
        verdict: "leak", "clean" or "inconclusive".
        reason: The verdict's own.
        per_request: Growth per request that the verdict tells, bytes; None where it tells none.
        low: Lower end of its interval.
        high: Upper end of its interval.
        excluded_per_request: Growth above this is excluded, bytes per request; None where it says
            nothing of it.
        naive: Plain method -> whether it calls the run a leak.
    """

    recording: Recording
    runtime: str
    half: str
    requests: int
    grown_bytes: float
    verdict: str
    reason: str
    per_request: float | None
    low: float | None
    high: float | None
    excluded_per_request: float | None
    naive: dict[str, bool]

    @property
    def injected_per_request(self) -> float:
        """What each request was made to leave behind on average, bytes."""
        return self.recording.injected.bytes_per_request

    @property
    def injected_bytes(self) -> float:
        """What was left behind over the run."""
        return self.injected_per_request * self.requests

    @property
    def is_true_to_its_word(self) -> bool:
        """Whether growth that the verdict excludes was not there indeed."""
        excluded = self.excluded_per_request
        return excluded is not None and excluded > self.injected_per_request


def answer(recorded: Recorded, control: Recorded | None = None) -> Answer:
    """Judge a recording, and ask the plain methods.

    Args:
        recorded: The recording.
        control: One of the same service under the same load, with nothing leaking.

    Raises:
        UnusableRunError: A run directory cannot be judged.
    """
    run = load_run(recorded.path)
    other = None if control is None else load_run(control.path)
    found = judge(run, other).resources[RESOURCE]
    at, value = series(run, RESOURCE)
    interval = found.per_request_interval
    return Answer(
        recorded.recording,
        recorded.runtime,
        recorded.half,
        requests=_answered(run),
        grown_bytes=_grown_bytes(run, at, value),
        verdict=found.verdict,
        reason=found.reason,
        per_request=found.per_request,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        excluded_per_request=found.excluded_per_request,
        naive={name: method(at, value) for name, method in NAIVE.items()},
    )


def _answered(run: Run) -> int:
    last = run.counts.iloc[-1] if len(run.counts) else None
    return 0 if last is None else int(last["requests"] - last["failures"])


def _grown_bytes(run: Run, at: Floats, value: Floats) -> float:
    begun_s = float(run.requests["elapsed_s"].iloc[0]) if len(run.requests) else float(at[0])
    before = value[at <= begun_s]
    return float(value[-1] - (before[-1] if len(before) else value[0]))
