"""A run of the last version, which wrote format 1, is read and judged as that version did."""

import json
from pathlib import Path

import pytest

from tidemark.analysis.reports import verdict_json
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import assess
from tidemark.record.layout import ONLY_TARGET

AHEAD = ("exhaustion_elapsed_s", "exhaustion_interval_s")
RECORDED = Path(__file__).parents[1] / "data" / "format1"


@pytest.fixture(scope="module")
def run():
    return load_run(RECORDED)


def test_what_format_1_lacks_has_its_meaning(run):
    assert run.metadata.format == 1
    assert set(run.samples["target"]) == set(run.composition["target"]) == {ONLY_TARGET}
    assert [target.id for target in run.metadata.targets] == [ONLY_TARGET]
    assert len(run.routes) == 0


def told(value):
    """What of verdict.json both versions say, without the words of a sentence."""
    if isinstance(value, dict):
        return {name: told(one) for name, one in value.items() if name != "reason"}
    if isinstance(value, list):
        return [told(one) for one in value]
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def test_it_is_judged_as_it_was(run):
    before = json.loads((RECORDED / "verdict.json").read_text())
    now = verdict_json.content(assess(run))
    assert now["verdict"] == before["verdict"] == "leak"
    for name, found in before["resources"].items():
        # A time ahead rests on all of a steady load now, where it rested on the last quarter.
        left_out = {"reason"} if name == "fds" else {"reason", *AHEAD}
        if name == "rss_bytes":  # ten seconds of a growing heap were called a leak
            left_out |= {"verdict", "requests_to_limit"}
        before_it = {key: value for key, value in found.items() if key not in left_out}
        same = {key: now["resources"][name][key] for key in before_it}
        assert same == told(before_it), name
    for key in ("first_to_exhaust", "exhausted", "messages"):
        assert now[key] == told(before[key])
