"""Ports for brokers, on loopback, kept from everybody else."""

import socket
from contextlib import ExitStack, closing

from tidemark.targets.errors import TargetError

LOOPBACK = "127.0.0.1"
_PORTS = 1 << 16


class ReservedPort:
    """A port that is bound, but not listened on, for as long as this object is open.

    Linux lets several sockets bind the same port if all of them ask for SO_REUSEADDR and
    none listens yet, as Java's server sockets do. So a broker can listen on a port that
    is reserved here, nobody else is given it by the kernel meanwhile, and it is still the
    broker's own when that is killed and started again.

    Args:
        number: The port; 0 for any free one.

    Raises:
        TargetError: The port is taken, or not ours to take.

    Source: socket(7), ip(7).
    """

    def __init__(self, number: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((LOOPBACK, number))
        except OSError as error:
            self._socket.close()
            raise TargetError(
                f"a broker cannot listen on {LOOPBACK}:{number} ({error.strerror}): "
                "choose another --port, or none"
            ) from error
        self.number: int = self._socket.getsockname()[1]

    @property
    def address(self) -> str:
        """The port as `host:port`."""
        return f"{LOOPBACK}:{self.number}"

    def listen(self, backlog: int) -> socket.socket:
        """Listen on the port in this process: the socket, which is the caller's from now on."""
        self._socket.listen(backlog)
        return self._socket

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def reserve_ports(count: int, base_port: int | None) -> list[ReservedPort]:
    """Reserve a port for each of some brokers: from `base_port` on, or the kernel's choice.

    Raises:
        TargetError: A port is taken.
    """
    if base_port is not None and base_port + count > _PORTS:
        raise TargetError(
            f"{count} brokers do not fit between port {base_port} and {_PORTS - 1}: "
            "choose a lower --port"
        )
    numbers = [0] * count if base_port is None else range(base_port, base_port + count)
    with ExitStack() as undo:
        ports = [undo.enter_context(closing(ReservedPort(number))) for number in numbers]
        undo.pop_all()
    return ports
