"""Packing the agent: one file, of which any Python from 3.9 on is the only need.

`python -m tidemark.agent.archive FILE`, which is `make agent`. Only what the agent imports is in
it, found by following the imports. The same source gives the same bytes.
"""

import ast
import importlib.util
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tidemark.agent.errors import AgentError
from tidemark.agent.older import SUPPORT, SUPPORT_SOURCE, put_back
from tidemark.record.command_line import fail
from tidemark.record.errors import TidemarkError

_SHEBANG = b"#!/usr/bin/env python3\n"
_WHEN = (1980, 1, 1, 0, 0, 0)
_BEGINNING = "tidemark.agent.__main__"
_START = """
import sys
if sys.version_info < (3, 9):
    sys.exit("tidemark-agent: error: Python %d.%d is too old: 3.9 or newer" % sys.version_info[:2])
from tidemark.agent.__main__ import main
sys.exit(main())
"""


def pack(path: Path) -> int:
    """Write the archive; returns its size in bytes.

    Raises:
        AgentError: It cannot be written.
    """
    try:
        with path.open("wb") as file:
            file.write(_SHEBANG)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                for name, text in sorted(_contents().items()):
                    archive.writestr(_entry(name), text)
        path.chmod(path.stat().st_mode | 0o111)
    except OSError as error:
        raise AgentError(f"{path}: cannot be written ({error.strerror}); name another") from error
    return path.stat().st_size


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _WHEN)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _contents() -> Mapping[str, str]:
    """Name in the archive -> source."""
    found = {"__main__.py": _START.lstrip(), f"{SUPPORT.replace('.', '/')}.py": SUPPORT_SOURCE}
    for module, source in modules().items():
        is_package = _origin(module).name == "__init__.py"
        name = module.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        found[name] = put_back(source) if source.strip() else ""
    return found


def modules() -> Mapping[str, str]:
    """Module -> source, of all of ours that the agent imports."""
    found: dict[str, str] = {}
    waiting = [_BEGINNING]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found[module] = _origin(module).read_text(encoding="utf-8")
            waiting += _ours(module, found[module])
    return found


def _ours(module: str, source: str) -> Iterator[str]:
    """The modules of ours that one needs: those that it imports, and the packages around it."""
    if "." in module:
        yield module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        ours = (name for name in names if name.partition(".")[0] == "tidemark")
        yield from (name for name in ours if _is_module(name))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what it is in is no package
        return False


def _origin(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise AgentError(f"{module}: its source is not there; install the whole package")
    return Path(spec.origin)


def main(arguments: Sequence[str]) -> int:
    """Pack the agent into the file that is named."""
    path = Path(arguments[0] if arguments else "tidemark-agent.pyz")
    try:
        size = pack(path)
    except TidemarkError as error:
        fail("make agent", error)
    sys.stdout.write(f"{os.fspath(path)}: {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
