"""A process that does what it is told: each line on stdin is JSON-encoded Python to run.

It answers each with the JSON of `result`, and ends with stdin; so do its children.
"""

import ctypes
import json
import os
import signal
import socket
import sys
import time


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def fork(work=lambda: None):
    """A child that does `work` and then waits for ever; returns when that is done."""
    ready, done = os.pipe()
    child = os.fork()
    if child == 0:
        end_with_parent()
        kept = work()  # noqa: F841 (kept alive)
        os.write(done, b"x")
        while True:
            signal.pause()
    os.read(ready, 1)
    os.close(ready)
    os.close(done)
    return child


def connect(*remote):
    return socket.create_connection(remote)


def fill(connection):
    """Write until nothing more fits: what is closed then waits behind the data."""
    connection.setblocking(False)
    quiet_until = time.monotonic() + 0.2
    while time.monotonic() < quiet_until:
        try:
            connection.send(b"x" * 65536)
            quiet_until = time.monotonic() + 0.2
        except BlockingIOError:
            pass


if __name__ == "__main__":
    names = dict(globals())
    for line in sys.stdin:
        exec(json.loads(line), names)
        sys.stdout.write(json.dumps(names.pop("result", None)) + "\n")
        sys.stdout.flush()
    os._exit(0)
