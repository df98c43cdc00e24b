"""`/proc/PID/net/tcp` and `tcp6`: the connections where netlink is not to be had.

Format: Documentation/networking/proc_net_tcp.rst; addresses are printed as 32-bit words
in the byte order of the host.
"""

import ipaddress
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from tidemark.sampler.brokers import IPAddress, unmapped


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP connection.

    Attributes:
        remote: Address and port of the remote end; IPv4-mapped ones as IPv4.
        state: Number of the TCP state (include/net/tcp_states.h).
        inode: Inode of the socket; 0 when no process holds it any more.
    """

    remote: tuple[IPAddress, int]
    state: int
    inode: int


def parse_address(text: bytes) -> tuple[IPAddress, int]:
    """`0100007F:2384` -> 127.0.0.1, 9092; also the long form of IPv6.

    Raises:
        ValueError: It is neither.
    """
    words, _, port = text.partition(b":")
    if len(words) not in {8, 32}:
        raise ValueError(f"/proc/net/tcp: not an address: {text!r}")
    host = b"".join(
        int(words[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(words), 8)
    )
    return unmapped(ipaddress.ip_address(host)), int(port, 16)


def parse_tcp(lines: Iterable[bytes], wanted: frozenset[int]) -> Iterator[Connection]:
    """The connections of a `/proc/net/tcp{,6}` whose remote port is wanted.

    A torn last line is left out: a whole one ends with a newline.

    Args:
        lines: The lines of the file, its header first.
        wanted: Remote ports.

    Raises:
        ValueError: A whole line is not of that format.
    """
    suffixes = {b"%04X" % port for port in wanted}
    for line in islice(lines, 1, None):
        fields = line.split(None, 10)
        if not line.endswith(b"\n"):
            return
        if len(fields) < 10:
            raise ValueError(f"/proc/net/tcp: not a line of it: {line!r}")
        if fields[2][-4:] in suffixes:
            yield Connection(parse_address(fields[2]), int(fields[3], 16), int(fields[9]))
