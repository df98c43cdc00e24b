"""`examples/postgres`: a connection for each request, and no Kafka anywhere."""

from __future__ import annotations

import importlib.util

import pytest

from .workshop import EXAMPLES, Growth, compared, missing, port_of, toolchain

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def postgres(example):
    toolchain("python3")
    return example("postgres")


@pytest.fixture(scope="module")
def database_module():
    """The example's own way to a database."""
    spec = importlib.util.spec_from_file_location("database", EXAMPLES / "postgres" / "database.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def database(database_module):
    """The URL of a server that ends with the tests."""
    try:
        database_module.programs()
    except database_module.NoDatabaseError as error:
        missing(str(error))
    with database_module.database(database_module.free_port(), max_connections=500) as url:
        yield url


@pytest.mark.parametrize(("strategy", "connections"), [("broken", 1), ("fixed", 0), ("shared", 0)])
def test_what_a_request_leaves_behind(postgres, database, strategy, connections):
    port = port_of(database.rpartition("/")[0])
    with postgres.started(strategy, DATABASE_URL=database) as service:
        growth = service.growth({port})
    assert growth == Growth(fds=connections, connections=connections, threads=0)


def test_the_verdicts_of_a_comparison(postgres, database, tmp_path):
    verdicts = compared(postgres, tmp_path, "--duration=30", "--rate=5", DATABASE_URL=database)
    Growth(fds=1, connections=1, threads=0).expect_told(verdicts["broken"])
