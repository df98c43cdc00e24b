"""What docker-compose.yml needs said otherwise for podman-compose on this machine, as an override.

python override.py PROJECT < docker-compose.yml > override.yml
"""

import resource
import sys

import yaml

LIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}


def limits_of(service: dict) -> dict:
    """Its limits as far as this machine lets anybody have them; all are named, or podman asks for its own."""
    asked = {name: one["hard"] for name, one in service.get("ulimits", {}).items()}
    granted = {}
    for name, number in LIMITS.items():
        most = resource.getrlimit(number)[1]
        value = asked.get(name, most) if most == resource.RLIM_INFINITY else min(asked.get(name, most), most)
        granted[name] = {"soft": value, "hard": value}
    return granted


def override(service: dict, project: str) -> dict:
    """One service's part."""
    said = {"ulimits": limits_of(service)}
    kind, _, other = service.get("pid", "").partition(":")
    if kind == "service":  # podman-compose hands it on as it is
        said["pid"] = f"container:{project}_{other}_1"
    return said


services = yaml.safe_load(sys.stdin)["services"]
yaml.safe_dump(
    {"services": {name: override(one, sys.argv[1]) for name, one in services.items()}}, sys.stdout
)
