"""docs/grafana/tidemark.json, read by Grafana's own models of a dashboard."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

DASHBOARD = Path(__file__).parents[1] / "docs" / "grafana" / "tidemark.json"
OF_EXPORTS = {f"/templating/list[{at}]/definition" for at in (1, 2, 3)}
"""What Grafana writes into an export, and its models do not know."""


def differences(ours, theirs, at=""):
    """The places where they do not say the same."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            yield from differences(value, theirs.get(name), f"{at}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{at}[{number}]")
    elif ours != theirs:
        yield at


def read_by_grafana(dashboard):
    """What its models keep of it: a field that they do not know is lost."""
    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


def test_grafana_knows_every_field():
    ours = json.loads(DASHBOARD.read_text())
    assert set(differences(ours, read_by_grafana(ours))) == OF_EXPORTS


def test_a_field_that_grafana_does_not_know_is_noticed():
    ours = json.loads(DASHBOARD.read_text())
    ours["panels"][0]["fieldConfig"]["defaults"]["colour"] = "red"
    lost = set(differences(ours, read_by_grafana(ours))) - OF_EXPORTS
    assert lost == {"/panels[0]/fieldConfig/defaults/colour"}
