import pytest
from click.testing import CliRunner

from tests.importing.stub import BEGIN_S, Stub, serving
from tidemark.cli import cli


@pytest.fixture
def stub():
    with serving(Stub()) as found:
        yield found


@pytest.fixture
def imported(stub, tmp_path):
    """Imports from the stub; returns the result, and the run directory's path."""

    def run(*arguments, start=0.0, end=600.0, name="run", **environment):
        out = tmp_path / name
        given = ["import", "prometheus", "--url", stub.url, "--out", str(out)]
        given += ["--start", str(BEGIN_S + start), "--end", str(BEGIN_S + end), *arguments]
        return CliRunner().invoke(cli, given, env=environment), out

    return run
