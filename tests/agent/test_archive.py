"""One small file, the same each time, with nothing in it that is not needed."""

import ast
import subprocess
import sys
import zipfile

import pytest

from tests.agent.conftest import PYTHONS
from tidemark.agent import archive
from tidemark.agent.errors import AgentError

MOST_BYTES = 300_000


def test_it_is_small_and_the_same_each_time(pyz, tmp_path):
    assert archive.pack(tmp_path / "again.pyz") == pyz.stat().st_size < MOST_BYTES
    assert (tmp_path / "again.pyz").read_bytes() == pyz.read_bytes()
    assert pyz.stat().st_mode & 0o111


def test_ground_sampler_and_agent_alone(pyz):
    names = zipfile.ZipFile(pyz).namelist()
    rooms = {name.split("/")[1] for name in names if "/" in name}
    assert rooms == {"__init__.py", "_older.py", "agent", "record", "sampler"}
    assert "tidemark/agent/archive.py" not in names
    assert "tidemark/sampler/page_source.py" in names  # imported within a function


def test_every_module_is_what_an_older_python_reads(pyz):
    with zipfile.ZipFile(pyz) as packed:
        for name in packed.namelist():
            ast.parse(packed.read(name), name, feature_version=(3, 9))


@pytest.mark.parametrize("python", PYTHONS)
def test_it_needs_the_standard_library_alone(pyz, python):
    # Every module of it, without `site`, which imports what an installation puts there.
    code = """
import pkgutil, sys
sys.path.insert(0, sys.argv[1])
import tidemark
for module in pkgutil.walk_packages(tidemark.__path__, "tidemark."):
    if not module.name.endswith("__main__"):
        __import__(module.name)
print(len([name for name in sys.modules if name.startswith("tidemark.")]))
"""
    done = subprocess.run([python, "-SIc", code, pyz], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 60


def test_it_cannot_be_written(tmp_path):
    with pytest.raises(AgentError, match=r"cannot be written \(No such file"):
        archive.pack(tmp_path / "none" / "x.pyz")


def test_the_command(tmp_path):
    make = [sys.executable, "-m", "tidemark.agent.archive", tmp_path / "x.pyz"]
    done = subprocess.run(make, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(" bytes\n")
