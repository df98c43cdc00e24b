"""The files of the staging setup, read as Docker would read them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def with_defaults(value: Any) -> Any:
    """What Compose makes of a value while none of its variables is set."""
    if isinstance(value, dict):
        return {key: with_defaults(one) for key, one in value.items()}
    if isinstance(value, list):
        return [with_defaults(one) for one in value]
    return _VARIABLE.sub(r"\2", value) if isinstance(value, str) else value


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: their names, and what follows."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        (name.upper(), rest.strip())
        for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())
    ]


@dataclass(frozen=True)
class LocustOptions:
    """What Locust makes of a command line; and all environment variables that it knows."""

    parsed: Mapping[str, Any]
    variables: frozenset[str]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def compose_text() -> str:
    return (ROOT / "docker-compose.yml").read_text()


@pytest.fixture(scope="session")
def services(compose_text: str) -> dict[str, dict[str, Any]]:
    return with_defaults(yaml.safe_load(compose_text))["services"]


@pytest.fixture(scope="session")
def own_services() -> dict[str, dict[str, Any]]:
    """The example for an image of one's own."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/staging.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    return yaml.safe_load(blocks[0])["services"]


@pytest.fixture(scope="session")
def dockerfile() -> list[tuple[str, str]]:
    return instructions((ROOT / "Dockerfile").read_text())


@pytest.fixture(scope="session")
def ask_locust() -> Callable[[Sequence[str], Mapping[str, str]], LocustOptions]:
    def ask(arguments: Sequence[str], environment: Mapping[str, str]) -> LocustOptions:
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("LOCUST_", "TIDEMARK_"))}
        answer = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("locust_options.py")), *arguments],
            cwd=ROOT,
            env={**ours, **environment},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert answer.returncode == 0, answer.stderr
        told = json.loads(answer.stdout)
        return LocustOptions(told["parsed"], frozenset(told["variables"]))

    return ask
