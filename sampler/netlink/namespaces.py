"""Opening sockets in the network namespace of another process, see setns(2)."""

import ctypes
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from tidemark.sampler import procfs
from tidemark.sampler.errors import DeniedError, SamplerError

_CLONE_NEWNET = 0x40000000

Opened = TypeVar("Opened")


def open_in_namespace(pid: int, open_it: Callable[[], Opened]) -> Opened:
    """Call `open_it` in the network namespace of a process.

    It is called in a thread of its own, which enters the namespace and ends: the other
    threads stay where they are, and what was opened stays where it was opened.

    Raises:
        NoSuchProcessError: The process has gone.
        DeniedError: Entering is not permitted; it takes CAP_SYS_ADMIN.
        SamplerError: What `open_it` raises.
    """
    if procfs.network_namespace(pid) == procfs.network_namespace(os.getpid()):
        return open_it()
    outcome: list[Opened | SamplerError] = []

    def enter_and_open() -> None:
        try:
            _enter(pid)
            outcome.append(open_it())
        except SamplerError as error:
            outcome.append(error)

    thread = threading.Thread(target=enter_and_open, name="namespace")
    thread.start()
    thread.join()
    if isinstance(outcome[0], SamplerError):
        raise outcome[0]
    return outcome[0]


def _enter(pid: int) -> None:
    path = f"/proc/{pid}/ns/net"
    with procfs.reading(pid, path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            raise DeniedError(pid, f"{path} ({os.strerror(ctypes.get_errno())})")
    finally:
        os.close(descriptor)
