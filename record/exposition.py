"""What a Prometheus server reads: metrics as text.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, 0.0.4).
"""

import math
from collections.abc import Iterator, Mapping, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def family(name: str, text: str, kind: str, told: Sequence[str]) -> Iterator[str]:
    """The lines of one metric; none where there is nothing to tell.

    Args:
        name: Its name.
        text: What it is.
        kind: `gauge` or `counter`.
        told: What follows the name: labels, a space, the value.
    """
    if told:
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} {kind}"
        yield from (name + one for one in told)


def labels(told: Mapping[str, str]) -> str:
    """Labels in their braces; empty for none."""
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in told.items())
    return f"{{{inner}}}" if inner else ""


def number(value: float) -> str:
    """A finite value, in full."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no finite value")
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
