"""What the command line says is what a service of somebody else's is sent."""

from __future__ import annotations

import json
import signal
import uuid
from collections import Counter
from collections.abc import Iterator

import pandas as pd
import pytest

from .conftest import Workbench, metadata
from .recording import Recording, recording_service, routes_of

pytestmark = [pytest.mark.e2e, pytest.mark.long]


@pytest.fixture
def recording(bench: Workbench) -> Iterator[Recording]:
    with recording_service(bench) as service:
        yield service


def test_routes_are_sent_by_weight_and_recorded_by_name(
    bench: Workbench, recording: Recording
) -> None:
    (bench.folder / "order.json").write_text('{"id": "{uuid}", "n": {seq}, "o": {}}')
    finished = bench.locust(
        "--run-time=4s", "--rate=40", f"--host={recording.url}", "--no-target",
        "--route=POST /v1/orders @order.json", "--route=GET /v1/orders/{seq}?all=1",
        "--header=Authorization: Bearer ${TOKEN}", TOKEN="hunter2",
    ).wait()  # fmt: skip
    assert finished.code == 0, finished.err
    (run,) = bench.runs()
    sent = recording.requests()
    assert routes_of(run) == Counter(
        "POST /v1/orders" if one["method"] == "POST" else "GET /v1/orders/{seq}" for one in sent
    )
    assert {one["headers"]["Authorization"] for one in sent} == {"Bearer hunter2"}
    posted = [one for one in sent if one["method"] == "POST"]
    bodies = [json.loads(one["body"]) for one in posted]
    assert {one["headers"]["Content-Type"] for one in posted} == {"application/json"}
    assert all(body["o"] == {} and uuid.UUID(body["id"]) for body in bodies)
    asked = [int(one["path"].removeprefix("/v1/orders/").removesuffix("?all=1"))
             for one in sent if one["method"] == "GET"]  # fmt: skip
    assert sorted([*asked, *(body["n"] for body in bodies)]) == list(range(1, len(sent) + 1))
    told = metadata(run)
    assert told["messages"] is None
    assert told["load"]["batch_size"] is None
    assert {route["name"] for route in told["load"]["routes"]} == set(routes_of(run))
    for path in run.iterdir():
        assert b"hunter2" not in path.read_bytes(), path
    assert "hunter2" not in finished.err + finished.out


@pytest.mark.parametrize("workload", ["open", "closed"])
def test_the_same_seed_sends_the_same(
    bench: Workbench, recording: Recording, workload: str
) -> None:
    for _ in range(2):
        finished = bench.locust(
            "--run-time=2s", "--rate=30", f"--host={recording.url}", "--no-target", "--seed=3",
            f"--workload={workload}",
            "--route=PUT /a/{uuid} {random:9}", "--route=GET /b/{seq}",
        ).wait()  # fmt: skip
        assert finished.code == 0, finished.err
        first = recording.requests()
        recording.log.rename(recording.log.with_suffix(f".{len(bench.runs())}"))
    lines = [path.read_text().splitlines() for path in sorted(bench.folder.glob("requests.?"))]
    one, other = (
        [(said["method"], said["path"], said["body"]) for said in map(json.loads, each)]
        for each in lines
    )
    assert len(first) > 20
    shorter = min(len(one), len(other))
    # In the open workload two that are due at once may arrive in either order.
    assert len(set(one[:shorter]) - set(other)) <= 1


def test_what_the_service_took_of_our_messages_is_no_loss(
    bench: Workbench, recording: Recording
) -> None:
    """`{"accepted": 3}` of ten is not all ten: none of them is called lost."""
    broker = bench.start("tidemark", "broker", "--topic=orders")
    assert broker.process.stdout
    bootstrap = ",".join(json.loads(broker.process.stdout.readline())["bootstrap"])
    finished = bench.locust(
        "--run-time=2s", "--rate=20", f"--host={recording.url}", "--no-target",
        f"--bootstrap={bootstrap}", "--topic=orders", "--route=POST /partial {batch}",
    ).wait()  # fmt: skip
    broker.signal(signal.SIGTERM)
    broker.wait()
    assert finished.code == 0, finished.err
    (run,) = bench.runs()
    requests = pd.read_csv(run / "requests.csv").iloc[-1]
    assert requests["messages_accepted"] == 3 * requests["requests"]
    assert {len(json.loads(one["body"])) for one in recording.requests()} == {10}
    messages = metadata(run)["messages"]
    assert (messages["accepted"], messages["lost"]) == (0, None)
    assert messages["undecided"] == 10 * len(recording.requests())


def test_an_answer_that_says_no_is_a_failure(bench: Workbench, recording: Recording) -> None:
    (bench.folder / "tidemark.toml").write_text("")
    finished = bench.locust(
        "--run-time=8s", "--rate=20", f"--host={recording.url}", "--no-target",
        "--route=GET /moved",
    ).wait()  # fmt: skip
    assert finished.code == 3
    assert "HTTP 302 on GET /moved; redirects are not followed" in finished.err
    assert {one["path"] for one in recording.requests()} == {"/moved"}


@pytest.mark.parametrize("workload", ["open", "closed"])
def test_no_other_host_gets_a_request_by_a_redirect(
    bench: Workbench, recording: Recording, workload: str
) -> None:
    (elsewhere := bench.folder / "elsewhere").mkdir()
    with recording_service(Workbench(elsewhere, bench.tag)) as other:
        finished = bench.locust(
            "--run-time=3s", "--rate=20", f"--host={recording.url}", "--no-target", "--keep-going",
            f"--workload={workload}", f"--route=GET /moved?to={other.url}/x",
        ).wait()  # fmt: skip
        assert finished.code != 2, finished.err
        assert len(recording.requests()) > 10
        assert other.requests() == []


def test_the_environment_names_routes_on_lines_of_their_own(
    bench: Workbench, recording: Recording
) -> None:
    finished = bench.locust(
        "--run-time=2s", "--rate=20", f"--host={recording.url}", "--no-target",
        TIDEMARK_ROUTE='POST /a {"n": [{seq}, 2]}\nGET /b', TIDEMARK_HEADER="X-A: 1\nX-B: 2 3",
    ).wait()  # fmt: skip
    assert finished.code == 0, finished.err
    sent = recording.requests()
    assert {(one["method"], one["path"]) for one in sent} == {("POST", "/a"), ("GET", "/b")}
    assert {(one["headers"]["X-A"], one["headers"]["X-B"]) for one in sent} == {("1", "2 3")}


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--route=v1/events",), "must be METHOD PATH [BODY|@FILE]"),
        (("--route=GET http://127.0.0.1/",), "must begin with / (the host is that of --host)"),
        (("--route=POST /x @none.json",), "there is no file"),
        (("--route=GET /x", "--route=GET /x"), "is there twice"),
        (("--header=hunter2",), "must be 'Name: value'"),
        (("--header=Authorization: ${NO_SUCH}",), "there is no NO_SUCH in the environment"),
        (("--route=GET /x", "--verify-messages"), "--verify-messages needs a route"),
    ],
)
def test_what_cannot_be_sent_is_said_in_one_line(
    bench: Workbench, arguments: tuple[str, ...], wanted: str
) -> None:
    finished = bench.locust(
        "--run-time=2s", "--host=http://127.0.0.1:1", "--no-target", *arguments
    ).wait()
    assert finished.code == 2
    assert wanted in finished.err.strip().splitlines()[-1]
    assert "Traceback" not in finished.err
    assert "hunter2" not in finished.err
    assert bench.runs() == []
