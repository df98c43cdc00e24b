"""`host:port`, as brokers and services are named everywhere."""

from tidemark.record.errors import EndpointError


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
            f"{text!r} is not host:port with a port from 1 to 65535, "
            "for example localhost:9092 or [::1]:9092"
        )
    return host, int(port)
