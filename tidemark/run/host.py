"""What a run ran on: kernel, processors, and the versions of the libraries that matter."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

import confluent_kafka

LIBRARIES = ("locust", "gevent", "confluent-kafka", "flask", "gunicorn", "psutil")


def describe_host() -> dict[str, Any]:
    """The `host` object of run.json; sizes in bytes."""
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "page_size": os.sysconf("SC_PAGE_SIZE"),
        "python": platform.python_version(),
        "versions": {
            **{library: version(library) for library in LIBRARIES},
            "librdkafka": confluent_kafka.libversion()[0],
        },
    }
