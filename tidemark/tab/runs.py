"""The runs since Locust was started: how each ended, and what is said of it."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tidemark.record.directory import RunDirectory
from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import REPORT_HTML, REPORT_PNG, VERDICT_JSON
from tidemark.record.metadata import RunMetadata
from tidemark.record.objects import parse_object
from tidemark.tab.files import has_report, last_changed, read_served

MOST_RUNS = 200
_SEVERITIES = {0: "pass", 1: "fail", 3: "unknown"}


class RunList:
    """The runs, the latest first; no older ones than there is room for.

    Args:
        is_making: Whether the report of a run is being made.
    """

    def __init__(self, is_making: Callable[[Path], bool]) -> None:
        self._paths: deque[Path] = deque(maxlen=MOST_RUNS)
        self._is_making = is_making
        self._entries: dict[Path, tuple[object, dict[str, Any]]] = {}

    def add(self, path: Path) -> None:
        """Another run begins."""
        self._paths.appendleft(path.resolve())
        self._entries = {path: self._entries[path] for path in self._paths if path in self._entries}

    @property
    def current(self) -> Path | None:
        """The latest; None before the first."""
        return self._paths[0] if self._paths else None

    def path_of(self, name: str) -> Path | None:
        """The run directory of this name; None if it is none of these runs."""
        return next((path for path in self._paths if path.name == name), None)

    def has_ended(self, path: Path) -> bool:
        """Whether a run says that it has ended."""
        try:
            return RunDirectory(path).read_metadata().ended_at is not None
        except UnusableRunError:
            return False

    def to_json(self) -> list[dict[str, Any]]:
        """What is said of each."""
        return [self._remembered(path) for path in self._paths]

    def _remembered(self, path: Path) -> dict[str, Any]:
        """The same as before, unless a file of it has changed: to read them all takes time."""
        looks = (last_changed(path), self._is_making(path))
        if path not in self._entries or self._entries[path][0] != looks:
            self._entries[path] = looks, self._entry(path)
        return self._entries[path][1]

    def _entry(self, path: Path) -> dict[str, Any]:
        try:
            about = RunDirectory(path).read_metadata()
        except UnusableRunError as error:
            return {"name": path.name, "trouble": str(error).removeprefix(f"{path}: ")}
        entry = {
            "name": path.name,
            "strategy": about.strategy or "",
            "started_s": about.started_at.timestamp() if about.started_at else None,
            "ended": _ended(about),
            "verdict": "",
            "severity": "none",
        }
        if about.ended_at is not None:
            entry |= self._judged(path)
        return entry

    def _judged(self, path: Path) -> dict[str, Any]:
        """What is said of a run that has ended."""
        files = {"report": f"runs/{path.name}/{REPORT_HTML}"}
        verdict = parse_object(read_served(path, VERDICT_JSON) or b"") if has_report(path) else None
        if verdict is None:
            is_making = self._is_making(path)
            return {**files, "verdict": "being judged" if is_making else "not judged yet"}
        return {
            **files,
            "picture": f"runs/{path.name}/{REPORT_PNG}",
            "verdict": str(verdict.get("headline") or verdict.get("verdict")),
            "severity": _SEVERITIES.get(verdict.get("exit_code", -1), "none"),
        }


def _ended(about: RunMetadata) -> str:
    """How and why it ended, in words."""
    if about.ended_at is None:
        return "under way"
    because = about.raw.get("ended_because")
    return f"{about.outcome}: {because}" if isinstance(because, str) and because else about.outcome
