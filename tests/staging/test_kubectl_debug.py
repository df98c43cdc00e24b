"""The command of docs/agent.md that puts the agent beside a service, as kubectl carries it out."""

import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tidemark.agent import options as agent_options
from tidemark.record.command_line import parser_of

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl"),
]
SERVES = {
    "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {"name": name, "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]}
            for name in ("pods", "pods/ephemeralcontainers")
        ],
    },
}


class Cluster(http.server.ThreadingHTTPServer):
    """As much of an API server as `kubectl debug` asks: one pod, and what is added to it."""

    def __init__(self, pod: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.pod = pod


class Asked(http.server.BaseHTTPRequestHandler):
    server: Cluster

    def do_GET(self) -> None:
        self._say(SERVES.get(self.path.partition("?")[0], self.server.pod))

    def do_PATCH(self) -> None:
        assert self.path.partition("?")[0].endswith("/ephemeralcontainers")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.pod["spec"] |= json.loads(body)["spec"]
        self._say(self.server.pod)

    def _say(self, told: dict[str, Any]) -> None:
        data = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cluster(root: Path) -> Iterator[Cluster]:
    """With a pod that has the target of the sidecar's, and nothing beside it."""
    deployment = next(
        yaml.safe_load_all((root / "deploy/kubernetes/agent/sidecar.yaml").read_text())
    )
    spec = deployment["spec"]["template"]["spec"]
    spec["containers"] = spec["containers"][:1]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "orders"}, "spec": spec}
    with Cluster(pod) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_agent_is_put_beside_the_service(cluster: Cluster, root: Path, tmp_path: Path) -> None:
    text = (root / "docs/agent.md").read_text().replace("\\\n", " ")
    (written,) = re.findall(r"^    kubectl (debug .*)$", text, re.MULTILINE)
    command = shlex.split(written)
    command[command.index("POD")] = "orders"
    where = f"http://127.0.0.1:{cluster.server_port}"
    done = subprocess.run(
        ["kubectl", f"--server={where}", f"--cache-dir={tmp_path}", *command],
        cwd=root,
        env={**os.environ, "KUBECONFIG": os.devnull},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kubernetes_validate.validate(cluster.pod, "1.37", strict=True)
    (added,) = cluster.pod["spec"]["ephemeralContainers"]
    assert added["targetContainerName"] == "target"
    assert added["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert added["securityContext"]["runAsUser"] == 10001
    python, flag, module, *arguments = added["command"]
    assert (python, flag, module) == ("python", "-m", "tidemark.agent")
    told = parser_of(agent_options.OPTIONS, "agent", "").parse_args(arguments)
    assert told.serve == "127.0.0.1:9666"
