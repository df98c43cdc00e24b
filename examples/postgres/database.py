"""A PostgreSQL server of its own, on 127.0.0.1 and in a temporary folder, until it is stopped.

    python database.py --port 54321

It prints how DATABASE_URL is set once it answers. It needs Debian's `postgresql`, or another
installation whose `initdb` and `postgres` are found by `pg_config` or on the path; it asks for no
password, and what is in it goes with it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
PR_SET_PDEATHSIG = 1
NOT_ROOT = "postgres"
"""PostgreSQL refuses to run as root; this user, or else `nobody`, runs it then."""


class NoDatabaseError(Exception):
    """The server is not installed or does not start; says what to do."""


def programs() -> Path:
    """The folder of `initdb` and `postgres`.

    Raises:
        NoDatabaseError: they are not installed.
    """
    on_path = shutil.which("initdb")
    folders = [
        *([Path(on_path).resolve().parent] if on_path else []),
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
    ]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoDatabaseError("no PostgreSQL server here (Debian: apt-get install postgresql)")


def _user() -> pwd.struct_passwd | None:
    """Who the server runs as where we are root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(NOT_ROOT)
    except KeyError:
        return pwd.getpwnam("nobody")


@contextlib.contextmanager
def database(port: int, max_connections: int) -> Iterator[str]:
    """A server that answers, as its URL; it ends with the block.

    Raises:
        NoDatabaseError: it is not installed, or does not start; with its last words.
    """
    found, user = programs(), _user()
    with tempfile.TemporaryDirectory(prefix="tidemark-postgres-") as name:
        folder = Path(name)
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data, log = folder / "data", folder / "log"
        options = {
            "cwd": folder,
            "stdin": subprocess.DEVNULL,
            "stderr": subprocess.STDOUT,
            **({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}),
        }
        with log.open("w") as output:
            made = subprocess.run(
                [found / "initdb", "--pgdata", data, "--username", "postgres", "--auth", "trust",
                 "--no-sync", "--encoding", "UTF8", "--locale", "C"],
                stdout=output, check=False, **options,
            )  # fmt: skip
            if made.returncode:
                raise NoDatabaseError(f"initdb failed: {_last_line(log)}")
            server = subprocess.Popen(
                [found / "postgres", "-D", data, "-p", str(port), "-c", "fsync=off",
                 "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}",
                 "-c", f"max_connections={max_connections}"],
                stdout=output, preexec_fn=_end_with_parent, **options,  # noqa: PLW1509
            )  # fmt: skip
        try:
            _wait(server, port, log)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # "fast shutdown": it ends its connections itself
            try:
                server.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                server.send_signal(signal.SIGQUIT)
                server.wait()


def _end_with_parent() -> None:
    """Ask the kernel for SIGINT when whoever started it ends, by `kill -9` too: prctl(2)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while "ready to accept connections" not in log.read_text(errors="replace"):
        if server.poll() is not None or time.monotonic() > deadline:
            raise NoDatabaseError(f"no PostgreSQL at port {port}: {_last_line(log)}")
        time.sleep(0.05)


def _last_line(log: Path) -> str:
    return log.read_text(errors="replace").strip().rpartition("\n")[2]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


def main() -> int:
    """Run one in the foreground."""
    parser = argparse.ArgumentParser(description="A PostgreSQL server of its own.")
    parser.add_argument("--port", type=int, default=54321, help="0: any free one")
    parser.add_argument("--max-connections", type=int, default=1000, help="PostgreSQL's own: 100")
    given = parser.parse_args()
    stopped = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, stopped)
    try:
        with database(given.port or free_port(), given.max_connections) as where:
            sys.stdout.write(f"export DATABASE_URL={where}\n")
            sys.stdout.flush()
            signal.sigwait(stopped)
    except NoDatabaseError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
