"""When the load generator is said not to keep up."""

import pytest

from tidemark.record.events import GeneratorSaturated
from tidemark.run.saturation import LATE_P99_MS, TICKS_IN_A_ROW, Saturation

LATE = LATE_P99_MS + 1


def told(*ticks: float | None) -> list[GeneratorSaturated]:
    events: list[GeneratorSaturated] = []
    saturation = Saturation(events.append)
    for late_p99_ms in ticks:
        saturation.tick(late_p99_ms)
    return events


def test_several_late_ticks_in_a_row_are_told_once() -> None:
    assert told(*[LATE] * (3 * TICKS_IN_A_ROW)) == [GeneratorSaturated(lateness_s=0.051)]


@pytest.mark.parametrize("between", [LATE_P99_MS, 0.1, None])
def test_a_pause_is_none(between: float | None) -> None:
    part = [LATE] * (TICKS_IN_A_ROW - 1)
    assert told(*part, between, *part) == []


def test_the_processor_is_told_once_beside_them() -> None:
    events: list[GeneratorSaturated] = []
    saturation = Saturation(events.append)
    for _ in range(2):
        saturation.used(97.25)
    for _ in range(TICKS_IN_A_ROW):
        saturation.tick(LATE)
    assert events == [GeneratorSaturated(cpu_percent=97.2), GeneratorSaturated(lateness_s=0.051)]
