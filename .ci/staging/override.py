"""What podman-compose on this machine has to be told otherwise than docker-compose.yml says it.

    python override.py PROJECT < docker-compose.yml > override.yml

Limits are cut to those that this machine lets anybody have, and all are named, or podman asks for
the highest that there are. podman-compose does not translate `pid: service:NAME`; this does.

Names are found in /etc/hosts, at addresses that are given here: podman's name server (aardvark-dns
1.4) starts anew with every container, and who asks it in that moment may get no answer for 40 s.
"""

import ipaddress
import resource
import sys
from typing import Any

import yaml

LIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
NETWORK = ipaddress.ip_network("10.89.7.0/24")


def names_of(name: str, service: dict[str, Any]) -> list[str]:
    """What others in the network call a service."""
    return [name, *service.get("networks", {}).get("default", {}).get("aliases", [])]


def addresses_of(services: dict[str, Any]) -> dict[str, str]:
    """An address for each service with a network of its own; `worker` is there several times."""
    alone = [
        name for name, one in services.items() if "network_mode" not in one and name != "worker"
    ]
    return {name: str(NETWORK[number]) for number, name in enumerate(alone, start=10)}


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
addresses = addresses_of(services)
hosts = [
    f"{known}:{at}" for name, at in addresses.items() for known in names_of(name, services[name])
]
for name, service in services.items():
    if "network_mode" not in service:
        overrides[name]["extra_hosts"] = hosts
    if name in addresses:
        overrides[name]["networks"] = {"default": {"ipv4_address": addresses[name]}}
network = {"ipam": {"config": [{"subnet": str(NETWORK)}]}}
yaml.safe_dump({"services": overrides, "networks": {"default": network}}, sys.stdout)
