"""gunicorn, configured for one target and embedded in this process."""

import os
import socket
from contextlib import suppress

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.base import Worker

from tidemark.record.command_line import announce
from tidemark.record.process import die_with_parent
from tidemark.targets.app import STRATEGY_EXTENSION, create_app
from tidemark.targets.config import Settings

KEEP_ALIVE_S = 75
GRACEFUL_STOP_S = 4
_HANG_S = 30


class TargetServer(BaseApplication):  # type: ignore[misc]
    """The target under gunicorn: `run()` makes this process its master.

    Args:
        strategy: The full name of the producer strategy.
        settings: What the app needs.
        workers: Number of worker processes.
        threads: Number of request threads of each.
        listener: The bound socket to serve on; its descriptor is taken over.
    """

    def __init__(
        self, strategy: str, settings: Settings, workers: int, threads: int, listener: socket.socket
    ) -> None:
        self._strategy, self._settings = strategy, settings
        self._workers, self._threads = workers, threads
        host, port = listener.getsockname()[:2]
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._listener_descriptor = listener.detach()
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn: put our settings in."""
        settings = {
            "bind": f"fd://{self._listener_descriptor}",
            "worker_class": "tidemark.targets.worker.TargetWorker",
            "workers": self._workers,
            "threads": self._threads,
            "keepalive": KEEP_ALIVE_S,
            "graceful_timeout": GRACEFUL_STOP_S,
            "timeout": _HANG_S,
            "control_socket_disable": True,
            "errorlog": "-",
            "proc_name": f"targets.serve {self._strategy}",
            "post_fork": _bind_worker_to_master,
            "post_worker_init": self._announce_first_worker,
            "worker_exit": _close_strategy,
            "on_exit": _wait_for_workers,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called by gunicorn in each worker, after the fork."""
        return create_app(self._strategy, self._settings)

    def _announce_first_worker(self, worker: Worker) -> None:
        """From here on the target answers; a worker that replaces another is no news."""
        if worker.age == 1:
            announce(url=self._url, pid=worker.ppid)


def _bind_worker_to_master(_arbiter: object, worker: Worker) -> None:
    die_with_parent(worker.ppid)


def _close_strategy(_arbiter: object, worker: Worker) -> None:
    """Flush what the strategy still holds."""
    app: Flask | None = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions[STRATEGY_EXTENSION].close()


def _wait_for_workers(_arbiter: object) -> None:
    """Leave no worker behind: those that had to be killed may still be going."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
