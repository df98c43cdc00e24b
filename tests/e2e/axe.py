"""axe-core: what of a page somebody cannot use who does not see it, or has no mouse.

Source: https://github.com/dequelabs/axe-core, under the MPL 2.0; `make axe` fetches it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .chromium import Page

SCRIPT = Path(__file__).parents[2] / ".axe" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")


def grave(page: Page, inside: str = "", outside: tuple[str, ...] = ()) -> list[str]:
    """What axe finds serious or critical, a line each; skips the test where there is no axe.

    Args:
        page: What is looked at, as it is at the moment.
        inside: A selector of the only part that is looked at; empty: all of the page.
        outside: Selectors of parts that are not.
    """
    if not SCRIPT.exists():
        missing = "there is no axe-core: make axe"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    page.evaluate(SCRIPT.read_text(encoding="utf-8") + "; 0")
    where = f"{{include: {[inside or 'html']}, exclude: {list(outside)}}}"
    found = page.evaluate(
        f"axe.run({where}, {{resultTypes: ['violations']}}).then(found => found.violations.map("
        "one => [one.impact, one.id, one.help, one.nodes.map(node => node.target.join(' '))]))"
    )
    assert found is not None, "axe did not run"
    return [
        f"{impact} {rule}: {what}: {', '.join(places[:5])}"
        for impact, rule, what, places in found
        if impact in GRAVE
    ]
