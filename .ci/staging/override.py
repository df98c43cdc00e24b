"""What podman-compose on this machine has to be told otherwise than docker-compose.yml says it.

    python override.py PROJECT < docker-compose.yml > override.yml

Limits are cut to those that this machine lets anybody have, and all are named, or podman asks for
the highest that there are. podman-compose does not translate `pid: service:NAME`; this does.
"""

import resource
import sys
from typing import Any

import yaml

LIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}


def limits_of(service: dict[str, Any]) -> dict[str, dict[str, int]]:
    """The limits of a service, soft and hard alike."""
    asked = {name: one["hard"] for name, one in service.get("ulimits", {}).items()}
    granted = {}
    for name, number in LIMITS.items():
        highest = resource.getrlimit(number)[1]
        value = min(asked.get(name, highest), highest)
        granted[name] = {"soft": value, "hard": value}
    return granted


def override(service: dict[str, Any], project: str) -> dict[str, Any]:
    """What is said otherwise of a service."""
    said: dict[str, Any] = {"ulimits": limits_of(service)}
    kind, _, other = service.get("pid", "").partition(":")
    if kind == "service":
        said["pid"] = f"container:{project}_{other}_1"
    return said


services = yaml.safe_load(sys.stdin)["services"]
overrides = {name: override(service, sys.argv[1]) for name, service in services.items()}
yaml.safe_dump({"services": overrides}, sys.stdout)
