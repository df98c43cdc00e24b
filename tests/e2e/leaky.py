"""A process that leaks one kind of thing at a steady pace: `leaky.py KIND FOLDER [PORT]`.

It writes a line when it has begun, and goes on until it is ended; the standard library alone.
"""

import ctypes
import os
import random
import signal
import socket
import string
import sys
import tempfile
import threading
import time
from pathlib import Path

PACE_S = 0.05
KEPT = []
KIND, FOLDER, PORT = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])


def leak_files():
    KEPT.append(tempfile.mkstemp(prefix="upload-", suffix=".tmp", dir=FOLDER))


def leak_deleted_files():
    word = "".join(random.choices(string.ascii_lowercase, k=9))
    path = FOLDER / f"spool-{word}.dat"
    KEPT.append(path.open("wb"))
    path.unlink()


def leak_connections():
    KEPT.append(socket.create_connection(("127.0.0.1", PORT)))


def leak_pipes():
    KEPT.append(os.pipe())


def leak_threads():
    thread = threading.Thread(target=signal.pause, daemon=True)
    thread.start()
    name = f"poller-{len(KEPT)}".encode()
    ctypes.CDLL(None).pthread_setname_np(ctypes.c_void_p(thread.ident), name)
    KEPT.append(thread)


def leak_memory():
    KEPT.append(os.urandom(256 * 1024))


def leak_nothing():
    with tempfile.NamedTemporaryFile(prefix="upload-", dir=FOLDER):
        socket.create_connection(("127.0.0.1", PORT)).close()
        for end in os.pipe():
            os.close(end)


LEAKS = {
    "files": leak_files,
    "deleted": leak_deleted_files,
    "connections": leak_connections,
    "pipes": leak_pipes,
    "threads": leak_threads,
    "memory": leak_memory,
    "nothing": leak_nothing,
}

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # ends with whoever has started it
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    due_s = time.monotonic()
    while True:
        LEAKS[KIND]()
        due_s += PACE_S
        time.sleep(max(due_s - time.monotonic(), 0.0))
