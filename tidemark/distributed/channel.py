"""What master and workers say to each other, over Locust's own channel."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from locust.runners import MasterRunner, WorkerRunner

from tidemark.packages import DISTRIBUTION

MESSAGE = "tidemark"
"""The type of all of our messages; `say` tells them apart."""

HELLO = "hello"
"""Worker to master, until it is welcome: who it is, and what its clock says."""
WELCOME = "welcome"
"""Master to worker: it may take part; what the master's clock says."""
REFUSED = "refused"
"""Master to worker: it may not, or not any more; `why` says why not."""
ORDERS = "orders"
"""Master to worker: the load that begins."""
REPORT = "report"
"""Worker to master: what it has done since the report before."""
HEARD = "heard"
"""Master to worker: all reports up to that number are taken down."""
LOST = "lost"
"""Master to worker: another worker is lost, and its share dealt anew."""
END = "end"
"""Master to worker: the load ends; it answers with a last report."""

REPORT_INTERVAL_S = 0.25
RESEND_S = 2.0
"""A report that nobody has heard of for so long is sent again."""
LEASE_S = 2.5
"""A worker that the master has not heard of for so long sends no requests: others may do so."""
LOST_S = 4.0
"""A worker that the master has not heard of for so long is lost; longer than the lease."""
DESERTED_S = 10.0
"""A worker under load that hears nothing from its master for so long ends."""

VERSION = version(DISTRIBUTION)

Heard = Callable[[str, Mapping[str, Any]], None]


def listen(runner: MasterRunner | WorkerRunner, heard: Heard) -> None:
    """Call `heard` with what our messages say, and with the id of the worker, from now on."""

    def on_message(msg: Any, **_: Any) -> None:
        heard(msg.node_id, msg.data)

    runner.register_message(MESSAGE, on_message)


def tell_master(runner: WorkerRunner, say: str, **what: Any) -> None:
    """Say something to the master."""
    runner.send_message(MESSAGE, {"say": say, **what})


def tell_worker(runner: MasterRunner, client_id: str, say: str, **what: Any) -> None:
    """Say something to a worker."""
    runner.send_message(MESSAGE, {"say": say, **what}, client_id)
