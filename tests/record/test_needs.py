"""The ground needs the standard library alone, and none of our rooms."""

import json
import subprocess
import sys

IMPORT_ALL = """
import json, pkgutil, sys
import tidemark.record
for module in pkgutil.iter_modules(tidemark.record.__path__):
    __import__(f"tidemark.record.{module.name}")
print(json.dumps(sorted(sys.modules)))
"""


def test_the_standard_library_alone():
    # Without `site`, which imports what an installation puts there.
    finished = subprocess.run(
        [sys.executable, "-S", "-c", IMPORT_ALL], capture_output=True, text=True, check=True
    )
    names = json.loads(finished.stdout)
    ours = {name for name in names if name.startswith("tidemark.")}
    assert "tidemark.record.process" in ours
    assert {name.split(".")[1] for name in ours} == {"record"}
    tops = {name.partition(".")[0] for name in names} - {"__main__", "tidemark"}
    assert tops <= sys.stdlib_module_names
