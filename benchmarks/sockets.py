"""The sockets that the sampler is measured on: held by many processes, some replaced all the time.

    python -m benchmarks.sockets 20000

Ten processes listen on ten loopback addresses and ten connect to them, since a process may hold
some 20,000 descriptors; the ten that connect have one parent, whose process id is printed. They
open and close 100 connections a second, and end with this program, however that ends.
"""

import ctypes
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial

PROCESSES = 10
PORT = 19092
CHURN_PER_S = 100.0
PR_SET_PDEATHSIG = 1
IP_BIND_ADDRESS_NO_PORT = 24
RESET_ON_EXIT, CLOSE_NORMALLY = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)


def die_with_parent() -> None:
    """SIGKILL when the parent ends, however it does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def broker(number: int) -> tuple[str, int]:
    """Address of one listener."""
    return f"127.0.0.{10 + number}", PORT


ENDPOINTS = tuple(f"127.0.0.{10 + number}:{PORT}" for number in range(PROCESSES))


def accept_for_ever(number: int, ready: int) -> None:
    """Hold the far ends, and close each when its near end closes."""
    die_with_parent()
    listener = socket.create_server(broker(number), backlog=4096)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    held: dict[int, socket.socket] = {}
    tell(ready)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != listener.fileno():
                poll.unregister(descriptor)
                held.pop(descriptor).close()
                continue
            try:
                while True:
                    accepted, _ = listener.accept()
                    held[accepted.fileno()] = accepted
                    poll.register(accepted, select.EPOLLIN)
            except BlockingIOError:
                pass


def connect_one(number: int, at: int) -> socket.socket:
    """One connection; it is reset at exit, so that no TIME_WAIT is left for the next run."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_EXIT)
    connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    connection.bind((f"127.1.{number}.{at % 4 + 1}", 0))
    connection.connect(broker(number))
    return connection


def connect_and_churn(number: int, count: int, ready: int) -> None:
    """Hold `count` connections, and replace ten of them a second with new ones."""
    die_with_parent()
    held = [connect_one(number, at) for at in range(count)]
    tell(ready)
    began_s, replaced = time.monotonic(), 0
    while True:
        time.sleep(0.05)
        while replaced < (time.monotonic() - began_s) * CHURN_PER_S / PROCESSES:
            replaced += 1
            held.append(connect_one(number, replaced))
            closing = held.pop(replaced * 7919 % (len(held) - 1))
            closing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_NORMALLY)
            closing.close()


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a child that never comes back, and says why if it fails."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            traceback.print_exc()
            os._exit(1)
    return child


def tell(ready: int) -> None:
    """Say that this child is ready."""
    os.write(ready, b"x")
    os.close(ready)


def wait_for(ready: int, count: int) -> None:
    """Wait until so many children are ready. The pipe ends sooner if one of them does."""
    while count > 0:
        told = len(os.read(ready, count))
        if not told:
            raise SystemExit(f"{count} of the {PROCESSES} processes could not hold their sockets")
        count -= told


def hold(count: int) -> None:
    """Make the sockets, say which process is the target, and hold them until stdin ends."""
    die_with_parent()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ready, write_end = os.pipe()
    listeners = [fork(partial(accept_for_ever, number, write_end)) for number in range(PROCESSES)]
    os.close(write_end)
    wait_for(ready, PROCESSES)
    ready, write_end = os.pipe()

    def target() -> None:
        die_with_parent()
        for number in range(PROCESSES):
            share = count // PROCESSES + (number < count % PROCESSES)
            fork(partial(connect_and_churn, number, share, write_end))
        os.close(write_end)
        while True:
            signal.pause()

    root = fork(target)
    os.close(write_end)
    wait_for(ready, PROCESSES)
    print(json.dumps({"root": root}), flush=True)
    sys.stdin.read()
    # The next holder listens at the same addresses, so these have to be free when this one ends.
    for child in (root, *listeners):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    hold(int(sys.argv[1]))
