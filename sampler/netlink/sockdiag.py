"""`NETLINK_SOCK_DIAG`: asking the kernel for TCP sockets, filtered before they are copied.

Layouts: linux/netlink.h, linux/inet_diag.h, sock_diag(7). The request is the older
`TCPDIAG_GETSOCK`, because it walks the table once for IPv4 and IPv6, where the newer one
needs a walk for each; `ss -t` without a family does the same.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator

from tidemark.sampler.brokers import IPAddress
from tidemark.sampler.errors import DumpInterruptedError, NetlinkError

NETLINK_SOCK_DIAG = 4
TCPDIAG_GETSOCK = 18

NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN = 1, 2, 3, 4
NLM_F_REQUEST, NLM_F_DUMP, NLM_F_DUMP_INTR = 0x1, 0x300, 0x10

HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port."""

ALL_STATES = 0xFFFF
"""Bit N asks for TCP state N."""

_INET_DIAG_REQ_BYTECODE = 1
_BC_JMP, _BC_S_COND, _BC_D_COND = 1, 7, 8
_OP = struct.Struct("=BBH")
_HOST_CONDITION = struct.Struct("=BBHi")
ATTRIBUTE = struct.Struct("=HH")
"""struct nlattr: length, type."""

_REQUEST = struct.Struct("=4x48xII")
_ERROR_CODE = struct.Struct("=i")

BUFFER_BYTES = 65536
"""Twice what the kernel puts into one read of a dump (32 KiB, af_netlink.c)."""


def filter_bytecode(remotes: Iterable[tuple[IPAddress, int]]) -> bytes:
    """The program that lets through sockets whose remote end is one of these.

    A condition on an IPv4 address also holds for the IPv4-mapped form of it. Each
    instruction says how far to go on if it holds and if not; to arrive exactly at the end
    is to accept, beyond it to refuse (net/ipv4/inet_diag.c, inet_diag_bc_run).

    Raises:
        ValueError: There is no remote end, so that nothing could be let through.
    """
    conditions = [_condition(address, port) for address, port in remotes]
    if not conditions:
        raise ValueError("no remote end to filter by")
    program = b""
    for number, condition in enumerate(reversed(conditions)):
        size = _OP.size + len(condition)
        jump = _OP.pack(_BC_JMP, _OP.size, _OP.size + len(program)) if number else b""
        program = _OP.pack(_BC_D_COND, size, size + _OP.size) + condition + jump + program
    return program


def exclusion_bytecode(remotes: Iterable[tuple[IPAddress, int]]) -> bytes:
    """The program that lets through all sockets but those of connections to one of these.

    Where the remote end is on this host, its own sockets are left out as well: those with its
    port as their own. A condition that holds leads to a jump beyond the end, which is to refuse;
    one that does not passes over that jump. Without a remote end the program is empty, and lets
    everything through.
    """
    known = list(remotes)
    conditions = [(_BC_D_COND, _condition(address, port)) for address, port in known]
    conditions += [(_BC_S_COND, _port_condition(port)) for port in {port for _, port in known}]
    program = b""
    for kind, condition in conditions:
        size = _OP.size + len(condition)
        jump = _OP.pack(_BC_JMP, _OP.size, _OP.size + len(program) + _OP.size)
        program = _OP.pack(kind, size, size + _OP.size) + condition + jump + program
    return program


def _port_condition(port: int) -> bytes:
    return _HOST_CONDITION.pack(socket.AF_UNSPEC, 0, 0, port)


def _condition(address: IPAddress, port: int) -> bytes:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return _HOST_CONDITION.pack(family, address.max_prefixlen, 0, port) + address.packed


def dump_request(bytecode: bytes, sequence: int, states: int = ALL_STATES) -> bytes:
    """The whole message that asks for a dump.

    Args:
        bytecode: See `filter_bytecode`; empty for all sockets.
        sequence: Comes back in every answer.
        states: Bit N asks for TCP state N.
    """
    body = _REQUEST.pack(states, 0)
    if bytecode:
        attribute = ATTRIBUTE.pack(ATTRIBUTE.size + len(bytecode), _INET_DIAG_REQ_BYTECODE)
        body += attribute + bytecode
    flags = NLM_F_REQUEST | NLM_F_DUMP
    return HEADER.pack(HEADER.size + len(body), TCPDIAG_GETSOCK, flags, sequence, 0) + body


Run = tuple[int, int, bytes]
"""Messages of one type and length: type, length, and the bytes of all of them."""

_NEEDLE_BYTES = 12
"""How much of a header is searched for: from its length to its sequence."""
_FIRST_SEQUENCE = 0xB7E5A000
"""Ends the bytes that are searched for; two rare bytes there make the search skip ahead."""
_TELLING = (0, 1, 4, 5, 6)
"""Bytes of a header that can differ within one read: length, type, flags."""


def split_runs(data: bytes) -> list[Run]:
    """Sort what one read gave into runs of messages of the same type and length.

    Sockets of a kind have messages of one length, so that a run's figures can be taken by
    a stride, without a loop over its messages. TIME_WAIT, which is shorter, lies scattered
    among the others; the order of the messages is not kept.

    Args:
        data: Netlink messages, each beginning with its `nlmsghdr`.

    Raises:
        NetlinkError: A message is cut short or its length is impossible.
        DumpInterruptedError: A message has `NLM_F_DUMP_INTR`.
    """
    runs: list[Run] = []
    start = 0
    while start < len(data):
        kind, length = _check_header(data, start)
        stride = _aligned(length)
        count = _same_header(data, start, stride)
        end = start + count * stride
        if end < len(data) and start == 0:
            scattered = _split_scattered(data, end)
            if scattered is not None:
                return scattered
        runs.append((kind, length, data[start:end]))
        start = end
    return runs


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _check_header(data: bytes, start: int) -> tuple[int, int]:
    """Type and length of the message at `start`, which is there as a whole."""
    left = len(data) - start
    if left < HEADER.size:
        raise NetlinkError(f"netlink: {left} bytes left of a message's header")
    length, kind, flags, _, _ = HEADER.unpack_from(data, start)
    if length < HEADER.size or length > left:
        raise NetlinkError(f"netlink: a message of {length} bytes, {left} left")
    if flags & NLM_F_DUMP_INTR:
        raise DumpInterruptedError("netlink: the socket table changed under the dump")
    return kind, length


def _same_header(data: bytes, start: int, stride: int) -> int:
    """How many messages from `start` on have the type, length and flags of the first.

    A stride leads from one true header to the next as long as they are the same.
    """
    count = max((len(data) - start) // stride, 1)
    for offset in _TELLING:
        column = data[start + offset :: stride]
        if column.count(column[0]) < len(column):
            count = min(count, len(column) - len(column.lstrip(column[:1])))
    return count


def _split_scattered(data: bytes, second: int) -> list[Run] | None:
    """Sort messages of two kinds that lie mixed, without a step for each of the commoner kind.

    All headers of one kind begin with the same 12 bytes, length to sequence, so that
    looking for those of the shorter kind finds all of them. That nothing else was found
    shows when the rest has exactly the headers of the other kind, back to back.

    Args:
        data: What one read gave.
        second: Where the first message lies that differs from the first one.

    Returns:
        None if there are more than two kinds.
    """
    first, other = _check_header(data, 0), _check_header(data, second)
    rare_at, rare, common = (second, other, first) if other[1] < first[1] else (0, first, other)
    size, stride = _aligned(rare[1]), _aligned(common[1])
    if size >= stride or rare[0] != common[0]:
        return None
    pieces = data.split(data[rare_at : rare_at + _NEEDLE_BYTES])
    body = size - _NEEDLE_BYTES
    shorts = b"".join([bytes(_NEEDLE_BYTES) + piece[:body] for piece in pieces[1:]])
    longs = pieces[0] + b"".join([piece[body:] for piece in pieces[1:]])
    if len(shorts) != size * (len(pieces) - 1) or len(longs) % stride or not longs:
        return None
    if _check_header(longs, 0) != common or _same_header(longs, 0, stride) != len(longs) // stride:
        return None
    return [(common[0], common[1], longs), (rare[0], rare[1], shorts)]


def raise_for(kind: int, payload: bytes) -> None:
    """Turn an error message, or an error in the closing one, into an exception.

    Args:
        kind: Type of the message.
        payload: What follows its header; begins with 0 or a negative error number.

    Raises:
        NetlinkError: It tells an error, or is cut short.
    """
    if kind == NLMSG_OVERRUN:
        raise NetlinkError("netlink: the kernel lost messages (NLMSG_OVERRUN)")
    if kind == NLMSG_ERROR and len(payload) < _ERROR_CODE.size:
        raise NetlinkError("netlink: an error message without its number")
    code = _ERROR_CODE.unpack_from(payload)[0] if len(payload) >= _ERROR_CODE.size else 0
    if code or kind == NLMSG_ERROR:
        name = errno.errorcode.get(-code, str(-code))
        raise NetlinkError(f"netlink: the kernel refused the dump: {name} ({os.strerror(-code)})")


class SockDiag:
    """A socket for dumps, which stays in the network namespace that it was opened in.

    Raises:
        NetlinkError: This kernel has no `NETLINK_SOCK_DIAG`, or forbids it.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG
            )
        except OSError as error:
            raise NetlinkError(f"netlink: cannot be opened: {error.strerror}") from error
        self._buffer = bytearray(BUFFER_BYTES)
        self._sequence = _FIRST_SEQUENCE

    def dump(self, bytecode: bytes, states: int = ALL_STATES) -> Iterator[tuple[int, bytes]]:
        """Ask for the sockets that the program lets through.

        Yields:
            Length of each message and a run of such messages, see `split_runs`.

        Raises:
            DumpInterruptedError: The table changed under the dump; ask again.
            NetlinkError: The kernel refuses, or the answer is garbled.
        """
        self._sequence = _FIRST_SEQUENCE | (self._sequence + 1) & 0xFFF
        try:
            self._socket.send(dump_request(bytecode, self._sequence, states))
            while True:
                for kind, length, run in self._receive():
                    if kind == TCPDIAG_GETSOCK:
                        yield length, run
                    elif kind != NLMSG_NOOP:
                        raise_for(kind, run[HEADER.size :])
                        return
        except OSError as error:
            raise NetlinkError(f"netlink: {error.strerror}") from error

    def _receive(self) -> list[Run]:
        size = self._socket.recv_into(self._buffer, 0, socket.MSG_TRUNC)
        if size > len(self._buffer):
            raise NetlinkError(f"netlink: {size} bytes did not fit into {len(self._buffer)}")
        data = bytes(memoryview(self._buffer)[:size])
        sequence = HEADER.unpack_from(data)[3] if size >= HEADER.size else self._sequence
        return split_runs(data) if sequence == self._sequence else []

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
