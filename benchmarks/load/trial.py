"""One trial: a generator drives the server, and what that takes is measured from outside."""

from __future__ import annotations

import math
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from benchmarks.load.generators import Generator, Load, Said, start
from benchmarks.load.tools import Server, server

LEAD_S, TAIL_S = 2, 2
"""Seconds of load before and after what is measured: connections are opened, users are started."""
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it.

    Attributes:
        cpu_ms: CPU time per request of all processes of the generator, user and system.
        sent: Requests that the server answered, as a share of those asked for.
        said: What the generator says of itself.
    """

    cpu_ms: float
    sent: float
    said: Said


def attempt(
    generator: Generator, rate: int, processes: int, measured_s: float, programs: Path
) -> Trial:
    """Let a generator drive a server that was just started.

    Raises:
        SystemExit: The generator has failed.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tidemark-load-") as folder,
        server(programs) as served_by,
    ):
        lasts_s = math.ceil(LEAD_S + measured_s + TAIL_S)
        load = Load(served_by.address, rate, processes, lasts_s, Path(folder), programs)
        process = start(generator, load)
        try:
            trial = _measured(process, served_by, rate, measured_s)
            process.wait(_PATIENCE_S)
            return replace(trial, said=generator.said(load))
        except (OSError, ValueError, LookupError, subprocess.TimeoutExpired) as error:
            told = (load.folder / "output").read_text(errors="replace").strip()
            raise SystemExit(f"{generator.name} failed: {error!r}\n{told[-2000:]}") from error
        finally:
            _end(process)


def _measured(
    process: subprocess.Popen[bytes], served_by: Server, rate: int, measured_s: float
) -> Trial:
    deadline_s = time.monotonic() + _PATIENCE_S
    while served_by.served() < 0.1 * rate:
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise ValueError("no load came")
        time.sleep(0.05)
    time.sleep(LEAD_S - 0.1)
    first, first_cpu, began_s = served_by.served(), _cpu_s(process.pid), time.monotonic()
    time.sleep(measured_s)
    last, last_cpu, ended_s = served_by.served(), _cpu_s(process.pid), time.monotonic()
    spent_s = sum(last_cpu.get(pid, at_s) - at_s for pid, at_s in first_cpu.items())
    requests = last - first
    if not requests:
        raise ValueError("the load has stopped")
    return Trial(1000 * spent_s / requests, requests / (rate * (ended_s - began_s)), Said())


def _cpu_s(pid: int) -> dict[int, float]:
    """CPU time so far of a process and of all its descendants."""
    root = psutil.Process(pid)
    found: dict[int, float] = {}
    for one in (root, *root.children(recursive=True)):
        times = one.cpu_times()
        found[one.pid] = times.user + times.system
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of it."""
    if process.poll() is None:
        left = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for one in left:
            one.kill()
        process.wait()
