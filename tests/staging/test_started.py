"""docker-compose.yml started for real: brokers, target, master, two workers, a container each."""

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

NEEDED = ("podman", "runc", "debootstrap", "unshare", "ip", "mvn", "java")
LACKING = [name for name in NEEDED if not shutil.which(name)]
NETWORKS = ("/usr/lib/podman/netavark", "/usr/lib/podman/aardvark-dns")
LACKING += [Path(path).name for path in NETWORKS if not Path(path).exists()]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.timeout(1860),
    pytest.mark.skipif(bool(LACKING), reason=f"needs {' and '.join(LACKING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="starts containers as root"),
]


def test_the_leak_dies_under_two_workers_and_nothing_is_left(root, tmp_path) -> None:
    started = subprocess.run(
        [root / ".ci/staging/run", "workers"],
        cwd=root,
        env={**os.environ, "STAGING_OUT": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=1800,  # a machine that is new has to make the images first
    )
    assert started.returncode == 0, started.stdout[-4000:] + started.stderr[-4000:]
    (run,) = (tmp_path / "workers").iterdir()
    assert json.loads((run / "run.json").read_text())["outcome"] == "exhausted"
    fds = json.loads((run / "verdict.json").read_text())["resources"]["fds"]
    assert (fds["verdict"], fds["limit"]) == ("leak", 512)
    assert "exhausted" in (run / "report.html").read_text()
    with (run / "generators.csv").open() as rows:
        assert len({row["generator"] for row in csv.DictReader(rows)}) == 2
    assert "left: no container" in started.stdout
