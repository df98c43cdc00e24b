"""`host:port`, as brokers and services are named everywhere."""

import ipaddress
import re

from tidemark.record.errors import EndpointError

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?", re.ASCII | re.IGNORECASE)


def parse_endpoint(text: str) -> tuple[str, int]:
    """Split `host:port`, `[v6]:port` into host and port.

    Raises:
        EndpointError: It is not of that form, or the port is not 1 to 65535.
    """
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    well_formed = colon and host and (bracketed or ":" not in host) and port.isascii()
    if not well_formed or not port.isdigit() or not 0 < int(port) < 65536:
        raise EndpointError(
            f"{text[:80]!r} is not host:port with a port from 1 to 65535, "
            "for example localhost:9092 or [::1]:9092"
        )
    return host, int(port)


def shown_endpoint(host: str, port: int) -> str:
    """`host:port`, with the brackets that an IPv6 address has there."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def name_in(authority: str) -> str:
    """The name or address in a `Host` header or URL, `NAME` or `NAME:PORT`; empty if malformed.

    Anything more than that, user names included, is malformed.
    """
    found = _AUTHORITY.fullmatch(authority)
    return found[1].strip("[]").lower() if found else ""


def is_host(text: str) -> bool:
    """Whether a text is the name or the address of a host, without port and brackets."""
    if ":" not in text:
        return name_in(text) == text.lower() != ""
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def is_loopback(name: str) -> bool:
    """Whether a host's name or address means this machine, seen from itself."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
