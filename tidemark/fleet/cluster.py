"""Tasks on a Dask cluster that is there already.

Its workers need the same version of this package and the same files under the same paths; Dask
sees to the rest: what a lost worker had in hand is given to another.
"""

import socket
from collections.abc import Callable, Sequence
from importlib import metadata
from urllib.parse import urlsplit

from distributed import Client, Future, KilledWorker, as_completed

from tidemark.fleet.errors import FleetError
from tidemark.fleet.outcome import Outcome, Result, Task, Told, message
from tidemark.packages import DISTRIBUTION

CONNECT_S = 10.0
"""How long the scheduler may take to answer."""


def on_dask(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    address: str,
    told: Told[Task, Result] = lambda _: None,
) -> list[Outcome[Task, Result]]:
    """Do tasks on the workers of a cluster.

    Args:
        work: What is done with each; it must be a function of a module.
        tasks: The tasks.
        address: Where the scheduler listens: `tcp://HOST:PORT`.
        told: Is told of each outcome as it comes.

    Returns:
        The outcomes in the order of the tasks.

    Raises:
        FleetError: No scheduler answers, it has no workers, or they have another version of this
            package or none.
    """
    with _connected(address) as client:
        _check_workers(client, address)
        try:
            return _ask(client, work, tasks, told)
        except (OSError, TimeoutError) as error:  # what Dask raises of connections is an OSError
            what = f"--scheduler: the scheduler at {address} went away ({message(error)})"
            raise FleetError(f"{what}: start it again") from error


def _ask(
    client: Client, work: Callable[[Task], Result], tasks: Sequence[Task], told: Told[Task, Result]
) -> list[Outcome[Task, Result]]:
    futures = client.map(work, list(tasks), pure=False)
    numbers = {future.key: number for number, future in enumerate(futures)}
    found: dict[int, Outcome[Task, Result]] = {}
    for future in as_completed(futures, loop=client.loop, raise_errors=False):
        number = numbers[future.key]
        found[number] = _outcome(tasks[number], future)
        told(found[number])
    return [found[number] for number in range(len(tasks))]


def _connected(address: str) -> Client:
    try:
        _reach(address)
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise FleetError(
            f"--scheduler: no Dask scheduler answers at {address} ({message(error)}): start one "
            "with `dask scheduler`, and workers with `dask worker`, or leave the option out"
        ) from error


def _reach(address: str) -> None:
    """Find out first whether anybody listens: a client that has begun does not give up quietly.

    Raises:
        OSError: Nobody does.
        ValueError: It is no address.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"tcp", "tls"} or not parts.hostname or not parts.port:
        raise ValueError("it is not tcp://HOST:PORT")
    socket.create_connection((parts.hostname, parts.port), timeout=CONNECT_S).close()


def _check_workers(client: Client, address: str) -> None:
    """Raises FleetError if the workers cannot do it, or would do it otherwise."""
    ours = metadata.version(DISTRIBUTION)
    remedy = f"install {DISTRIBUTION} {ours} where the workers run"
    try:
        versions = client.run(metadata.version, DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        what = f"--scheduler: a worker of {address} has no {DISTRIBUTION}"
        raise FleetError(f"{what}: {remedy}") from error
    if not versions:
        raise FleetError(
            f"--scheduler: the scheduler at {address} has no workers: start some with "
            f"`dask worker {address}`"
        )
    others = sorted({version for version in versions.values() if version != ours})
    if others:
        what = f"--scheduler: workers of {address} have {DISTRIBUTION} {', '.join(others)}"
        raise FleetError(f"{what}: {remedy}")


def _outcome(task: Task, future: "Future[Result]") -> Outcome[Task, Result]:
    error = future.exception() if future.status == "error" else None
    if isinstance(error, KilledWorker):
        return Outcome(task, error="the workers that judged it were killed (out of memory?)")
    if error is not None:
        return Outcome(task, error=message(error))
    if future.status != "finished":
        return Outcome(task, error=f"it was not judged: Dask says {future.status}")
    return Outcome(task, future.result())
