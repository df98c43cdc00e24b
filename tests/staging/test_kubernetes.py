"""deploy/kubernetes: manifests that Kubernetes takes, whose parts find each other."""

import copy
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tidemark.agent import options as agent_options
from tidemark.record.command_line import parser_of
from tidemark.record.options import read_all
from tidemark.targets import serve

VERSIONS = ("1.30", "1.37")
EPHEMERAL = "deploy/kubernetes/agent/ephemeral.yaml"


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    return deployment["spec"]["template"]["spec"]


def container(deployment, name):
    return next(one for one in pod_of(deployment)["containers"] if one["name"] == name)


def port_numbers(deployment):
    """Name of a port -> number, of all containers of the pod."""
    containers = pod_of(deployment)["containers"]
    return {
        port["name"]: port["containerPort"] for one in containers for port in one.get("ports", [])
    }


@pytest.fixture(scope="module")
def arguments_of(named):
    """What a container is started with, its variables filled in from the ConfigMap."""

    def of(one):
        config = named["ConfigMap", "tidemark"]["data"]
        variables = {
            each["name"]: config[each["valueFrom"]["configMapKeyRef"]["key"]]
            for each in one.get("env", [])
        }
        filled = one["args"]
        for name, value in variables.items():
            filled = [text.replace(f"$({name})", value) for text in filled]
        return filled

    return of


@pytest.fixture(scope="module")
def manifests(root):
    files = sorted({*(root / "deploy/kubernetes").rglob("*.yaml")} - {root / EPHEMERAL})
    return [one for path in files for one in yaml.safe_load_all(path.read_text())]


@pytest.fixture(scope="module")
def named(manifests):
    """(kind, name) -> manifest."""
    return {(one["kind"], one["metadata"]["name"]): one for one in manifests}


@pytest.fixture(scope="module")
def soak(named):
    return named["Deployment", "tidemark-soak"]


@pytest.fixture(scope="module")
def worker(named):
    return named["Deployment", "tidemark-worker"]


@pytest.fixture(scope="module")
def watched(named):
    return named["Deployment", "tidemark-watched"]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_each(manifests, version):
    assert manifests
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_what_it_does_not_know_it_does_not_take(soak):
    wrong = copy.deepcopy(soak)
    pod_of(wrong)["shareProcessNamespaces"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_deployments_select_their_own_pods(soak, worker, watched):
    for deployment in (soak, worker, watched):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels


def test_services_lead_to_ports_that_the_pod_has(named, soak, watched):
    services = [one for (kind, _), one in named.items() if kind == "Service"]
    pods = [(one["spec"]["template"]["metadata"]["labels"], one) for one in (soak, watched)]
    assert services
    for service in services:
        (pod,) = (one for labels, one in pods if labels == service["spec"]["selector"])
        ports = port_numbers(pod)
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]


def test_the_master_sees_the_target_and_is_found_by_the_workers(
    soak, worker, named, ask_locust, arguments_of
):
    assert pod_of(soak)["shareProcessNamespace"]
    keeps = ask_locust(arguments_of(container(soak, "master")), {}).parsed
    sends = ask_locust(arguments_of(container(worker, "worker")), {}).parsed
    assert keeps["master"]
    assert sends["worker"]
    assert keeps["host"] == "http://tidemark-target:8080"
    assert ("Service", "tidemark-target") in named
    assert ("Service", sends["master_host"]) in named
    ports = port_numbers(soak)
    assert sends["master_port"] == keeps["master_bind_port"] == ports["workers"]
    assert int(keeps["target_port"]) == ports["http"]
    assert keeps["web_port"] == ports["web"]
    mounts = {one["mountPath"] for one in container(soak, "master")["volumeMounts"]}
    assert keeps["results"] in mounts


@pytest.mark.parametrize("name", ["soak", "watched"])
def test_the_target_takes_its_command_line(name, named, arguments_of):
    deployment = named["Deployment", f"tidemark-{name}"]
    target = container(deployment, "target")
    parser = parser_of(serve.OPTIONS, target["command"][-1], "")
    told = parser.parse_args(arguments_of(target))
    assert told.bind.endswith(f":{port_numbers(deployment)['http']}")


def test_the_agent_sees_the_target_and_serves_those_with_the_secret(watched):
    pod, agent = pod_of(watched), container(watched, "agent")
    shell, flag, script, name = agent["command"]
    assert (shell, flag, name) == ("sh", "-c", "agent")
    assert script.startswith("exec python -m tidemark.agent ")
    parser = parser_of(agent_options.OPTIONS, "agent", "")
    given = vars(parser.parse_args(["--out", "/recordings/x", *agent["args"]]))
    told = read_all(agent_options.OPTIONS, given)
    ports = port_numbers(watched)
    assert pod["shareProcessNamespace"]
    assert agent_options.clue(told) == ("port_of", ports["http"])
    served = agent_options.serving(told)
    assert served.port == ports["agent"]
    mounts = {one["mountPath"]: one["name"] for one in agent["volumeMounts"]}
    assert {mounts[str(one.parent)] for one in (served.token_file, served.cert, served.key)} == {
        "secret"
    }
    assert mounts["/recordings"] in {one["name"] for one in pod["volumes"] if "emptyDir" in one}


def test_all_containers_of_a_pod_have_one_user_and_no_capability(soak, watched):
    for pod in map(pod_of, (soak, watched)):
        assert pod["securityContext"]["runAsNonRoot"]
        for one in pod["containers"]:
            own = one["securityContext"]
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert not own["allowPrivilegeEscalation"]
            assert "runAsUser" not in own


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_the_ephemeral_container(watched, root, version):
    pod = copy.deepcopy(pod_of(watched))
    added = yaml.safe_load((root / EPHEMERAL).read_text())
    pod["ephemeralContainers"] = [{"name": "late", "image": "tidemark:staging", **added}]
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod}
    kubernetes_validate.validate(manifest, version, strict=True)
    for user in ("runAsUser", "runAsGroup"):
        assert added["securityContext"][user] == pod["securityContext"][user]


def test_workers_and_nobody_else_reach_the_pod(named, soak, worker):
    policy = named["NetworkPolicy", "tidemark-soak"]["spec"]
    (rule,) = policy["ingress"]
    (source,) = rule["from"]
    assert policy["podSelector"]["matchLabels"] == soak["spec"]["selector"]["matchLabels"]
    assert source["podSelector"]["matchLabels"] == worker["spec"]["selector"]["matchLabels"]
    ports = port_numbers(soak)
    assert {one["port"] for one in rule["ports"]} == {ports["workers"], ports["http"]}


def test_pods_may_do_nothing_special(soak, worker, dockerfile):
    user, _, group = [rest for name, rest in dockerfile if name == "USER"][-1].partition(":")
    for deployment in (soak, worker):
        pod = pod_of(deployment)
        assert not pod["automountServiceAccountToken"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == int(user)
        assert pod["securityContext"]["runAsGroup"] == int(group)
        for one in pod["containers"]:
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "/tmp" in {mount["mountPath"] for mount in one["volumeMounts"]}
