"""What is checked of a run as a whole, before anything of it is started."""

import os
from pathlib import Path

import pytest

from tidemark.record.errors import RunDirectoryError, TidemarkError
from tidemark.run.options import RunOptions
from tidemark.run.plan import Plan

HOST = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("host", "values", "wanted"),
    [
        *[
            (host, {"no_target": True}, "--host: must be http://HOST:PORT")
            for host in (
                "ftp://127.0.0.1",
                "127.0.0.1:8080",
                "http://[::1",
                "http://127.0.0.1:99999",
                "http://127.0.0.1:0",
                "http://127.0.0.1:x",
                "http://",
                "http://:80",
                "http://a b",
                "http://a/?b=c",
                "http://a\n",
            )
        ],
        *[
            (host, {"no_target": True}, "--host: must not hold a login, NAME:PASSWORD@: send it wi")
            for host in ("http://me:hunter2@127.0.0.1:1", "http://me@127.0.0.1", "http://@a")
        ],
        (HOST, {"no_target": True, "target_pid": 1, "bootstrap": "a:1"}, "contradict"),
        (HOST, {"target_pid": 1, "target_command": "x"}, "--target-pid and --target-command"),
        (HOST, {"target_port": 1, "no_target": True}, "--no-target and --target-port contradict"),
        (HOST, {"bootstrap": "a:1", "target_command": "("}, "no regular expression"),
        (HOST, {"bootstrap": "a:1", "target_container": "x"}, "id of a container"),
        (None, {"target_unit": "ingest"}, "--target-unit needs --host"),
        (None, {"all_targets": True}, "--all-targets needs --host"),
        (None, {"target_port": "80,81"}, "--target-port: a service that is started here has one"),
        (HOST, {"target_pid": "1,2,1"}, "--target-pid: process 1 is named twice"),
        (HOST, {"target_pid": "a=1,a=2"}, "--target-pid: two targets are called a"),
        (HOST, {"target_pid": "1", "all_targets": True}, "--all-targets: has no effect beside --t"),
        (HOST, {"no_target": True, "all_targets": True}, "--all-targets: has no effect beside --n"),
        (
            HOST,
            {"target_pid": "4194300,4194301", "metrics_url": "http://h/m"},
            "page of one",
        ),
        (HOST, {"target_pid": f"{os.getppid()},{os.getpid()}"}, f"process {os.getpid()} descends"),
        (None, {"no_target": True}, "--no-target needs --host"),
        (
            HOST,
            {"no_target": True, "metrics_url": "http://a:{port2}"},
            "--metrics-url: no port is chosen",
        ),
        (None, {"batch_size": 10_000, "payload_bytes": 800_000}, "7,629 MiB: .* 16 MiB"),
        (None, {"target_pid": 1}, "--target-pid needs --host"),
        (HOST, {"fault": "outage@3", "no_target": True}, "--fault"),
        (None, {"fault": "outage@3", "bootstrap": "a:1"}, "--fault"),
        (None, {"broker_option": "a=b"}, "--broker kafka"),
        (None, {"agent": ["http://127.0.0.1:1"]}, "--agent needs --host"),
        (HOST, {"agent": ["http://127.0.0.1:1"], "target_pid": 1}, "--target-pid and --agent"),
        (HOST, {"agent": ["http://127.0.0.1:1"], "no_target": True}, "--no-target and --agent"),
        (HOST, {"agent": ["http://127.0.0.1:1"], "all_targets": True}, "--all-targets"),
        (HOST, {"agent_ca": __file__}, "--agent-ca: has no effect without --agent"),
        (HOST, {"agent_token_file": __file__}, "--agent-token-file: has no effect"),
        (HOST, {"agent_cert": __file__, "agent_key": __file__}, "--agent-cert: has no effect"),
        (HOST, {"agent": ["https://a:1"], "agent_key": __file__}, "--agent-key go together"),
        (HOST, {"agent": ["http://a:1"], "agent_token_file": __file__}, "not sent unencrypted"),
        (HOST, {"agent": ["http://a:1"], "metrics_url": "http://a:2"}, "--metrics-url"),
        (None, {"route": ["GET /a"], "verify_messages": True}, "--verify-messages needs a route"),
    ],
)
def test_what_does_not_go_together_is_refused(
    host: str | None, values: dict[str, object], wanted: str
) -> None:
    with pytest.raises(TidemarkError, match=wanted):
        Plan.of(RunOptions.parse(values), host)


def test_what_an_agent_watches_is_watched_and_looked_for_nowhere_here() -> None:
    plan = Plan.of(RunOptions.parse({"agent": ["a=http://127.0.0.1:1"]}), HOST)
    assert plan.is_watched
    assert plan.watched == ()


def test_a_service_that_is_watched_need_not_write_to_kafka() -> None:
    plan = Plan.of(RunOptions.parse({"target_pid": 1}), HOST)
    assert plan.options.bootstrap == ()


def test_several_processes_are_targets_of_their_own() -> None:
    plan = Plan.of(RunOptions.parse({"target_pid": "4194300,web=4194301"}), HOST)
    assert [(one.target, one.pid) for one in plan.watched] == [
        ("target-1", 4_194_300),
        ("web", 4_194_301),
    ]
    (only,) = Plan.of(RunOptions.parse({"target_pid": "4194300"}), HOST).watched
    assert only.target == "target"


def test_a_service_of_a_file_that_runs_already_is_driven_and_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tidemark.toml").write_text('[service.staging]\nurl = "http://127.0.0.1:1"\n')
    given = RunOptions.parse({"service": "staging", "target_pid": 1})
    plan = Plan.of(given, None)
    assert (plan.host, plan.service, plan.strategy) == ("http://127.0.0.1:1", None, "staging")
    assert not plan.has_brokers
    with pytest.raises(TidemarkError, match=r"^service staging: nobody answers at 127.0.0.1 port"):
        plan.look_at_host()
    with pytest.raises(TidemarkError, match=r"^service staging: nobody answers at 127.0.0.1 port"):
        Plan.of(RunOptions.parse({"service": "staging"}), None)


@pytest.mark.parametrize(
    ("no_target", "page", "is_watched"),
    [(True, "", False), (True, "http://a/metrics", True), (False, "", True)],
)
def test_a_metrics_page_is_watched_in_place_of_a_process(
    no_target: bool, page: str, is_watched: bool
) -> None:
    told = {"no_target": no_target, "metrics_url": page, "target_pid": 0 if no_target else 1}
    assert Plan.of(RunOptions.parse(told), HOST).is_watched is is_watched


def test_each_run_has_an_id_and_a_topic_of_its_own() -> None:
    plans = [Plan.of(RunOptions.parse({}), None) for _ in range(20)]
    assert len({plan.run_id for plan in plans}) == len({plan.topic for plan in plans}) == 20
    assert Plan.of(RunOptions.parse({"topic": "orders"}), None).topic == "orders"


@pytest.mark.parametrize(
    ("values", "is_shared"),
    [
        ({}, False),
        ({"topic": "orders"}, False),
        ({"topic": "orders", "bootstrap": "a:1"}, True),
        ({"route": ["POST /a {batch}", "GET /b"]}, False),
        ({"route": ["POST /a {batch}", "POST /b x"]}, True),
    ],
)
def test_what_is_not_ours_may_be_in_the_topic_too(
    values: dict[str, object], is_shared: bool
) -> None:
    assert Plan.of(RunOptions.parse(values), None).topic_is_shared is is_shared


def test_the_folder_is_named_by_the_user_or_by_what_runs(tmp_path: Path) -> None:
    def folder(host: str | None, **values: object) -> str:
        given = {"results": tmp_path, "strategy": "shared", "no_target": bool(host), **values}
        options = RunOptions.parse(given)
        return Plan.of(options, host).make_directory().path.name

    assert folder(None).endswith("-shared")
    assert folder(HOST).endswith("-service")
    assert folder(None, run_name="mine") == "mine"


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path: Path) -> None:
    plan = Plan.of(RunOptions.parse({"results": tmp_path, "run_name": "mine"}), None)
    plan.make_directory().write_metadata({})
    with pytest.raises(RunDirectoryError, match="holds a run already"):
        plan.make_directory()


def test_the_password_of_a_host_is_not_repeated() -> None:
    with pytest.raises(TidemarkError) as caught:
        Plan.of(RunOptions.parse({}), "http://me:hunter2@127.0.0.1:99999")
    assert "hunter2" not in str(caught.value)


def test_only_a_topic_of_a_cluster_that_is_not_ours_is_shared() -> None:
    def is_shared(**values: object) -> bool:
        return Plan.of(RunOptions.parse(values), None).topic_is_shared

    assert is_shared(topic="orders", bootstrap="a:1")
    assert not is_shared(topic="orders")
    assert not is_shared(bootstrap="a:1")
