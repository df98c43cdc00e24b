"""The addresses that brokers' endpoints stand for, and have stood for."""

import contextlib
import ipaddress
import queue
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from tidemark.record.endpoints import parse_endpoint
from tidemark.sampler.errors import BrokerAddressError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def unmapped(address: IPAddress) -> IPAddress:
    """The IPv4 address behind an IPv4-mapped one; any other as it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def plain_address(address: str) -> IPAddress:
    """An address as one can compare it: without its zone, IPv4-mapped ones as IPv4.

    Raises:
        ValueError: It is not an address.
    """
    return unmapped(ipaddress.ip_address(address.partition("%")[0]))


_REACHED = {
    ipaddress.ip_address("0.0.0.0"): ipaddress.ip_address("127.0.0.1"),  # noqa: S104 (nothing is bound)
    ipaddress.ip_address("::"): ipaddress.ip_address("::1"),
}
"""Where Linux connects to when asked for an address that stands for all of the host's own."""


def resolve_host(host: str) -> frozenset[IPAddress]:
    """All IPv4 and IPv6 addresses of a host, as the remote end of a connection shows them.

    Raises:
        BrokerAddressError: The name does not resolve.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BrokerAddressError(
            f"broker host {host!r} does not resolve ({error}): check the name and the resolver"
        ) from error
    addresses = [plain_address(str(entry[4][0])) for entry in found]
    return frozenset(_REACHED.get(address, address) for address in addresses)


@dataclass
class Brokers:
    """The brokers of a run, and the addresses that they have had during it.

    A name that comes to mean other addresses adds them: connections to the former ones
    are still connections to the broker.

    Attributes:
        endpoints: `host:port` as given.
        addresses: Every (address, port) so far -> the endpoint that it belongs to.
        version: Counts the changes of `addresses`.
    """

    endpoints: tuple[str, ...]
    addresses: dict[tuple[IPAddress, int], str] = field(default_factory=dict)
    version: int = 0

    @classmethod
    def resolve(cls, endpoints: Iterable[str]) -> "Brokers":
        """Look all of them up for the first time.

        Raises:
            BrokerAddressError: One is malformed or does not resolve.
        """
        brokers = cls(tuple(endpoints))
        for endpoint in brokers.endpoints:
            host, _ = parse_endpoint(endpoint)
            brokers.add(endpoint, resolve_host(host))
        return brokers

    @property
    def named(self) -> tuple[str, ...]:
        """The endpoints given by host name: those that can come to mean something else."""
        return tuple(endpoint for endpoint in self.endpoints if not _is_literal(endpoint))

    def add(self, endpoint: str, addresses: Iterable[IPAddress]) -> None:
        """Add the addresses of an endpoint."""
        _, port = parse_endpoint(endpoint)
        fresh = {(address, port): endpoint for address in addresses}
        self.version += not fresh.keys() <= self.addresses.keys()
        self.addresses = {**fresh, **self.addresses}


class BrokerRefresh:
    """Looks host names up again now and then, in a thread: a resolver can take its time.

    Args:
        brokers: Whose names.
        every_s: Seconds between look-ups.
    """

    def __init__(self, brokers: Brokers, every_s: float = 30.0) -> None:
        self._brokers = brokers
        self._every_s = every_s
        self._stop = threading.Event()
        self._found: queue.SimpleQueue[tuple[str, frozenset[IPAddress]]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="resolver", daemon=True)
        if brokers.named:
            self._thread.start()

    def _work(self) -> None:
        while not self._stop.wait(self._every_s):
            for endpoint in self._brokers.named:
                with contextlib.suppress(BrokerAddressError):  # a name may fail for a while
                    self._found.put((endpoint, resolve_host(parse_endpoint(endpoint)[0])))

    def apply(self) -> None:
        """Add what was found meanwhile to the brokers."""
        while not self._found.empty():
            self._brokers.add(*self._found.get())

    def close(self) -> None:
        """End the thread; one that is looking up is left to end by itself."""
        self._stop.set()


def _is_literal(endpoint: str) -> bool:
    try:
        plain_address(parse_endpoint(endpoint)[0])
    except ValueError:
        return False
    return True
