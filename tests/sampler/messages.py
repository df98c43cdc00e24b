"""Netlink messages as the kernel writes them, for the parsers' tests."""

import ipaddress
import socket
import struct

TCPDIAG_GETSOCK = 18


def header(length, kind=TCPDIAG_GETSOCK, flags=2, sequence=7, port=99):
    return struct.pack("=IHHII", length, kind, flags, sequence, port)


def sock(state=1, inode=1, remote=("127.0.0.1", 9092), *, cgroup=None, family=None, extra=b""):
    """One socket; attributes as a 6.x kernel orders them."""
    address = ipaddress.ip_address(remote[0])
    if family is None:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    packed = address.packed
    if family == socket.AF_INET6 and address.version == 4:
        packed = b"\0" * 10 + b"\xff\xff" + packed
    body = struct.pack("=BBBB", family, state, 0, 0)
    body += struct.pack("!HH", 40000, remote[1]) + b"\x7f\0\0\1".ljust(16, b"\0")
    body += packed.ljust(16, b"\0") + struct.pack("=III", 0, 5, 6)
    body += struct.pack("=IIIII", 0, 0, 0, 0, inode)
    assert len(body) == 72
    if state != 6:
        body += struct.pack("=HHB3x", 5, 8, 0) + extra
        if cgroup is not None:
            body += struct.pack("=HHQ", 12, 21, cgroup)
    return header(16 + len(body)) + body


def done(code=0, flags=2):
    return header(20, 3, flags) + struct.pack("=i", code)


def error(code):
    return header(36, 2) + struct.pack("=i", code) + bytes(16)
