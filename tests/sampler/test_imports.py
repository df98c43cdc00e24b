"""The sampler needs the standard library and the ground alone, and its imports go one way."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import tidemark.sampler

ROOM = Path(tidemark.sampler.__file__).parent
PREFIX = "tidemark.sampler."


def name_of(path):
    return PREFIX + ".".join(path.relative_to(ROOM).with_suffix("").parts)


def imported_by(path):
    """Every module that a file imports, at its top or within a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            submodules = (ROOM.parent.parent / node.module.replace(".", "/")).is_dir()
            parts = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from parts if submodules else (node.module,)


MODULES = {name_of(path): set(imported_by(path)) for path in ROOM.rglob("*.py")}


def test_there_is_no_circle():
    order = list(TopologicalSorter(MODULES).static_order())  # raises on a circle
    layers = ["procfs", "tree", "figures", "connections", "netlink.source"]
    layers += ["connection_watch", "options", "local", "session", "__main__"]
    places = [order.index(PREFIX + layer) for layer in layers]
    assert places == sorted(places)


def test_nothing_above_or_beside_is_imported():
    for module, imported in MODULES.items():
        for one in imported:
            ours = one.startswith(("tidemark.record", "tidemark.sampler"))
            standard = one.partition(".")[0] in sys.stdlib_module_names
            assert ours or standard, f"{module} imports {one}"


def test_the_command_loads_the_standard_library_alone():
    code = """
import sys
before = set(sys.modules)
import tidemark.sampler.__main__
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(loaded - sys.stdlib_module_names))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['tidemark']"
