"""Locust's web UI with the plugin, as a browser posts to it and as a real one shows it."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .chromium import Page
    from .conftest import Command, Workbench


class Form:
    """Locust's web form, as a browser posts it."""

    def __init__(self, bench: Workbench, port: int, locust: Command) -> None:
        self.bench = bench
        self.locust = locust
        self.url = f"http://127.0.0.1:{port}"

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def post(self, path: str, **fields: str) -> dict[str, Any]:
        body = urllib.parse.urlencode(fields).encode()
        with urllib.request.urlopen(f"{self.url}{path}", body, timeout=60) as answer:
            content: dict[str, Any] = json.load(answer)
        return content

    def start(self, **fields: str) -> dict[str, Any]:
        return self.post("/swarm", **{"user_count": "1", "spawn_rate": "1", **fields})

    def stop(self) -> None:
        assert self.post("/stop")["success"]


def says(page: Page, *words: str) -> bool:
    return any(word in page.text.upper() for word in words)
