"""An OpenAPI document: read from JSON or YAML, its references followed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidemark.record.errors import OptionError
from tidemark.record.objects import shown_text
from tidemark.record.options import shown

_MOST_REFERENCES = 50
"""Of one that leads to another; more are a circle."""


def refused(path: Path, message: str) -> OptionError:
    """What is said of a document that cannot be used, in one line."""
    return OptionError(shown_text(f"{path}: {message}", 300))


class Document:
    """An OpenAPI document, 3 or 2 (Swagger).

    Args:
        path: where it stands.

    Raises:
        OptionError: it cannot be read, or is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        content = _read(path)
        version = str(content.get("openapi", content.get("swagger", "")))
        if not version.startswith(("2.", "3.")) or not isinstance(content.get("paths"), dict):
            raise refused(path, "is no OpenAPI document: it has no openapi (or swagger) and paths")
        self._content = content
        self.is_swagger = version.startswith("2.")

    def part(self, name: str) -> Any:
        """What stands at the top of it under a name; None where nothing does."""
        return self._content.get(name)

    def resolve(self, part: Any) -> Any:
        """A part of it, or what it refers to.

        Raises:
            OptionError: it refers to another file, to nothing, or in a circle.
        """
        for _ in range(_MOST_REFERENCES):
            if not isinstance(part, dict) or "$ref" not in part:
                return part
            part = self._referred(str(part["$ref"]))
        raise refused(self.path, f"{shown(part['$ref'])} refers to itself")

    def table(self, part: Any) -> Mapping[str, Any]:
        """The same, where there has to be an object; an empty one for anything else."""
        found = self.resolve(part)
        return found if isinstance(found, dict) else {}

    def _referred(self, reference: str) -> Any:
        if not reference.startswith("#"):
            raise refused(
                self.path, f"refers to {shown(reference)}: bundle it into one document first"
            )
        part: Any = self._content
        for step in reference[1:].strip("/").split("/") if reference != "#" else ():
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(part, dict) or key not in part:
                raise refused(self.path, f"refers to {shown(reference)}, which is not there")
            part = part[key]
        return part


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise refused(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise refused(path, "is not UTF-8") from None
    is_json = path.suffix.lower() == ".json" or text.lstrip().startswith("{")
    content = _json(path, text) if is_json else _yaml(path, text)
    if not isinstance(content, dict):
        raise refused(path, "is no OpenAPI document, which is an object")
    return content


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refused(path, f"is not JSON: {error}") from error


def _yaml(path: Path, text: str) -> Any:
    try:
        import yaml  # noqa: PLC0415 - JSON does without
    except ModuleNotFoundError as error:
        raise refused(
            path, "is YAML, which takes the package pyyaml: install it, or convert it to JSON"
        ) from error
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise refused(path, f"is not YAML: {' '.join(str(error).split())}") from error
