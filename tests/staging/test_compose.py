"""docker-compose.yml and docs/staging.md name only what is there."""

import ast
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tidemark.cli import COMMANDS
from tidemark.record.command_line import parser_of
from tidemark.record.roots import Root
from tidemark.run.options import OPTIONS
from tidemark.sampler import options as sampler_options
from tidemark.targets import serve
from tidemark.targets.app import create_app
from tidemark.targets.config import KafkaConfig, Settings
from tidemark.targets.strategies import STRATEGIES

LOOPBACK = "127.0.0.1"
TOPIC = re.compile(r"--topic[ =]([\w.-]+)")
OUR_KINDS = ("target", "load", "sampler")
OURS = (*OUR_KINDS, "master", "worker", "report")


def of_kind(services, kind):
    """Strategy -> service."""
    return {
        name.removeprefix(f"{kind}-"): service
        for name, service in services.items()
        if name.startswith(f"{kind}-")
    }


def published(service):
    """(host address, host port, container port) of each port."""
    return [tuple(text.split(":")) for text in service.get("ports", [])]


def listeners(service, setting):
    """Listener -> (host, port), of one of the two settings of a broker that list them."""
    entries = service["environment"][setting].split(",")
    split = (re.fullmatch(r"(\w+)://([\w.-]*):(\d+)", entry).groups() for entry in entries)
    return {name: (host, port) for name, host, port in split}


@pytest.fixture
def brokers(services):
    return {name: one for name, one in services.items() if name.startswith("kafka-")}


@pytest.fixture
def inside(brokers):
    """Where containers find the brokers."""
    advertised = (listeners(one, "KAFKA_ADVERTISED_LISTENERS") for one in brokers.values())
    return [":".join(one["INTERNAL"]) for one in advertised]


@pytest.fixture
def targets(services):
    """Strategy -> what the launcher's own parser makes of the service's command line."""
    parsed = {}
    for strategy, service in of_kind(services, "target").items():
        python, dash_m, module, *options = service["entrypoint"]
        assert (python, dash_m) == ("python", "-m")
        assert find_spec(module).name == serve.__name__
        parser = parser_of(serve.OPTIONS, module, "")
        parsed[strategy] = parser.parse_args([*options, *service["command"]])
    return parsed


def test_there_is_a_target_a_load_and_a_sampler_for_each_strategy(services, targets):
    for kind in OUR_KINDS:
        assert list(of_kind(services, kind)) == list(STRATEGIES)
    assert {strategy: one.strategy for strategy, one in targets.items()} == {
        strategy: strategy for strategy in STRATEGIES
    }


def test_profiles_are_the_strategies(services):
    for strategy in STRATEGIES:
        assert services[f"target-{strategy}"]["profiles"] == [strategy, f"watch-{strategy}"]
        assert services[f"load-{strategy}"]["profiles"] == [strategy]
        assert services[f"sampler-{strategy}"]["profiles"] == [f"watch-{strategy}"]


def test_nothing_is_published_but_on_loopback(services, own_services):
    ports = [port for one in (services | own_services).values() for port in published(one)]
    assert ports
    assert {address for address, _, _ in ports} == {LOOPBACK}
    assert all(one.get("network_mode") != "host" for one in services.values())


def test_brokers_are_published_where_they_say_that_the_host_finds_them(brokers):
    for broker in brokers.values():
        _, listening = listeners(broker, "KAFKA_LISTENERS")["HOST"]
        address, port = listeners(broker, "KAFKA_ADVERTISED_LISTENERS")["HOST"]
        assert published(broker) == [(address, port, listening)]
    assert len({published(broker)[0][1] for broker in brokers.values()}) == len(brokers) == 2


def test_brokers_are_found_by_containers_under_their_names(brokers):
    for name, broker in brokers.items():
        _, listening = listeners(broker, "KAFKA_LISTENERS")["INTERNAL"]
        assert listeners(broker, "KAFKA_ADVERTISED_LISTENERS")["INTERNAL"] == (name, listening)
        assert broker["healthcheck"]["test"][-1].endswith(f"/dev/tcp/{LOOPBACK}/{listening}")


def test_the_brokers_are_one_cluster(brokers):
    settings = [broker["environment"] for broker in brokers.values()]
    assert [one["KAFKA_NODE_ID"] for one in settings] == [1, 2]
    assert len({one["CLUSTER_ID"] for one in settings}) == 1
    (voters,) = {one["KAFKA_CONTROLLER_QUORUM_VOTERS"] for one in settings}
    controllers = [
        f"{one['KAFKA_NODE_ID']}@{name}:{listeners(broker, 'KAFKA_LISTENERS')['CONTROLLER'][1]}"
        for (name, broker), one in zip(brokers.items(), settings, strict=True)
        if "controller" in one["KAFKA_PROCESS_ROLES"].split(",")
    ]
    assert voters.split(",") == controllers


def test_kafka_is_the_version_that_the_project_runs_without_docker(services, root):
    namespace = {"m": "http://maven.apache.org/POM/4.0.0"}
    pom = ElementTree.parse(root / "kafka/pom.xml")
    version = pom.find(".//m:dependency[m:groupId='org.apache.kafka']/m:version", namespace)
    images = {services[name]["image"] for name in ("kafka-1", "kafka-2", "topic")}
    assert images == {f"apache/kafka:{version.text}"}


def test_targets_write_to_these_brokers(targets, inside):
    assert all(list(one.bootstrap) == inside for one in targets.values())


def test_targets_listen_where_they_are_published_and_looked_for(services, targets):
    for strategy, target in targets.items():
        service = services[f"target-{strategy}"]
        host, port = target.bind.split(":")
        assert host == "0.0.0.0"
        assert port in {container for _, _, container in published(service)}
        assert target.fds_limit <= service["ulimits"]["nofile"]["hard"]


def test_health_is_asked_of_a_path_that_the_app_has(services, targets):
    app = create_app("shared", Settings(KafkaConfig("127.0.0.1:1")))
    paths = {rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods}
    for strategy, target in targets.items():
        cmd, python, dash_c, code = services[f"target-{strategy}"]["healthcheck"]["test"]
        ast.parse(code)
        assert (cmd, python, dash_c) == ("CMD", "python", "-c")
        address, path = re.search(r"'http://([^/]+)(/[^']*)'", code).groups()
        assert address == f"{LOOPBACK}:{target.bind.rpartition(':')[2]}"
        assert path in paths


@pytest.mark.parametrize("kind", ["load", "sampler"])
def test_load_and_sampler_are_in_the_namespaces_of_their_target(services, kind):
    for strategy, service in of_kind(services, kind).items():
        assert service["pid"] == service["network_mode"] == f"service:target-{strategy}"
        assert service["depends_on"] == {f"target-{strategy}": {"condition": "service_healthy"}}


def test_locust_takes_the_load_of_every_strategy(services, targets, inside, ask_locust):
    loads = of_kind(services, "load")
    (command,) = {tuple(one["command"]) for one in loads.values()}
    (environment,) = {tuple(one["environment"].items()) for one in loads.values()}
    module, *arguments = command
    told = ask_locust(arguments, dict(environment))
    assert find_spec(module)
    assert set(dict(environment)) <= told.variables
    assert told.parsed["bootstrap"].split(",") == inside
    for strategy, target in targets.items():
        assert told.parsed["host"] == f"http://{LOOPBACK}:{target.bind.rpartition(':')[2]}"
        ports = published(services[f"target-{strategy}"])
        assert (LOOPBACK, "8089", str(told.parsed["web_port"])) in ports
    check_load(told, loads["shared"])


def check_load(told, service):
    assert Path(told.parsed["locustfile"]).is_file()
    assert told.parsed["web_host"] == "0.0.0.0"
    assert told.parsed["target_pid"] == "1"
    assert not told.parsed["master"]
    assert not told.parsed["worker"]
    assert [one for one in service["volumes"] if f":{told.parsed['results']}" in one]


def test_workers_find_the_master_and_the_service_by_name(services, inside, ask_locust):
    target, master, worker = (services[name] for name in ("target", "master", "worker"))
    assert master["pid"] == master["network_mode"] == "service:target"
    assert "container_name" not in worker  # or there could not be several
    assert not worker.get("ports")
    sends = ask_locust(worker["command"][1:], {}).parsed
    keeps = ask_locust(master["command"][1:], master["environment"]).parsed
    assert sends["worker"]
    assert keeps["master"]
    assert not keeps["worker"]
    assert [sends["master_host"]] == target["networks"]["default"]["aliases"]
    assert sends["master_port"] == keeps["master_bind_port"]
    assert sends["locustfile"] == keeps["locustfile"]
    assert keeps["master_bind_host"] == keeps["web_host"] == "0.0.0.0"
    assert keeps["host"] == "http://target:8080"
    assert keeps["bootstrap"].split(",") == inside
    assert (LOOPBACK, "8089", str(keeps["web_port"])) in published(target)
    assert (LOOPBACK, "8080", "8080") in published(target)


def test_the_master_has_what_the_load_of_one_process_has(services):
    master, load = services["master"], services["load-shared"]
    assert load["environment"].items() <= master["environment"].items()
    assert master["volumes"] == load["volumes"]
    assert {tuple(services[name]["profiles"]) for name in ("target", "master", "worker")} == {
        ("workers",)
    }


def test_the_target_of_the_workers_is_one_of_the_strategies(services):
    target = services["target"]
    assert target["entrypoint"] == services["target-shared"]["entrypoint"]
    (strategy,) = target["command"]
    assert strategy in STRATEGIES


def test_locust_takes_the_load_of_the_example(own_services, inside, ask_locust):
    load = own_services["load-own"]
    told = ask_locust(load["command"][1:], {})
    assert told.parsed["bootstrap"].split(",") == inside
    assert told.parsed["host"] == f"http://{LOOPBACK}:{published(own_services['target-own'])[0][2]}"
    assert load["pid"] == load["network_mode"] == "service:target-own"
    check_load(told, load)


def test_locust_takes_a_value_with_a_space_as_one(ask_locust):
    arguments = ["--kafka-option", "client.id=a b", "--kafka-option=acks=all"]
    assert ask_locust(arguments, {}).parsed["kafka_option"] == ["client.id=a b", "acks=all"]


def test_the_load_is_as_the_options_have_it_by_default(services):
    options = {option.environment_variable: option for option in OPTIONS}
    environment = services["load-shared"]["environment"]
    ours = {name: value for name, value in environment.items() if name.startswith("TIDEMARK_")}
    assert ours
    for name, value in ours.items():
        assert options[name].read(value) == options[name].default


def test_the_sampler_takes_its_command_line(services, inside):
    for service in of_kind(services, "sampler").values():
        module, *arguments = service["command"]
        given = parser_of(sampler_options.OPTIONS, module, "").parse_args(arguments)
        assert find_spec(f"{module}.__main__")
        assert given.pid == [Root(1)]
        assert list(given.brokers) == inside
        (volume,) = service["volumes"]
        assert given.out.is_relative_to(volume.rpartition(":")[2])


def test_there_is_one_topic(services, targets, own_services):
    commands = [services["topic"], own_services["load-own"], *of_kind(services, "load").values()]
    topics = {TOPIC.search(" ".join(one["command"])).group(1) for one in commands}
    topics |= {target.topic for target in targets.values()}
    assert topics == {own_services["target-own"]["environment"]["TOPIC"]}


def test_the_topic_is_made_by_these_brokers_and_needs_all_of_them(services, brokers, inside):
    (command,) = services["topic"]["command"]
    assert re.search(r"--bootstrap-server (\S+)", command).group(1).split(",") == inside
    assert int(re.search(r"--replication-factor (\d+)", command).group(1)) == len(brokers)


def test_who_is_waited_for_can_become_healthy(services):
    for service in services.values():
        for name, wait in service.get("depends_on", {}).items():
            assert wait["condition"] in {"service_healthy", "service_completed_successfully"}
            assert (wait["condition"] == "service_healthy") == ("healthcheck" in services[name])


def test_the_report_is_a_command(services):
    python, dash_m, module, command = services["report"]["entrypoint"]
    assert (python, dash_m) == ("python", "-m")
    assert find_spec(f"{module}.__main__")
    assert command in COMMANDS


def test_ours_run_as_one_user_who_is_not_root_and_may_do_nothing_special(services, dockerfile):
    image_user = [rest for name, rest in dockerfile if name == "USER"][-1]
    ours = [one for name, one in services.items() if name.split("-")[0] in OURS]
    assert {one["user"] for one in ours} == {image_user}
    for service in ours:
        assert service["cap_drop"] == ["ALL"]
        assert "cap_add" not in service
        assert not service.get("privileged")


def test_the_page_names_all_variables_and_no_other_profile(compose_text, services, root):
    page = (root / "docs/staging.md").read_text()
    variables = set(re.findall(r"\$\{(\w+)", compose_text))
    assert variables
    assert {name for name in variables if f"`{name}`" not in page} == set()
    profiles = {name for one in services.values() for name in one.get("profiles", [])}
    named = set(re.findall(r"--profile ([\w-]+)", page + compose_text))
    assert named
    assert named <= profiles


def test_every_variable_has_a_default(compose_text):
    assert re.findall(r"\$\{\w+(?!\w|:-)", compose_text) == []


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
def test_compose_takes_the_file_with_all_profiles(services, root):
    profiles = sorted({name for one in services.values() for name in one.get("profiles", [])})
    chosen = [part for name in profiles for part in ("--profile", name)]
    command = ["docker-compose", "-f", "docker-compose.yml", *chosen, "config", "--services"]
    answer = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert set(answer.stdout.split()) == set(services)
