"""What the companion of a run is asked by the page, and only that, with its token."""

import http.client
from urllib.parse import quote, urlsplit

from tidemark.run.companion import Address

TIMEOUT_S = 3.0
MOST_BYTES = 64 << 20


class UnansweredError(Exception):
    """The companion did not answer; the message says how that came."""


def ask_live(address: Address, since: str) -> bytes:
    """The answer to `live.json`, as it is.

    Args:
        address: Where the companion is.
        since: What the page has seen already.

    Raises:
        UnansweredError: There is none within a few seconds.
    """
    return _ask(address, f"/live.json?since={quote(since[:40], safe='')}")


def ask_metrics(address: Address) -> bytes:
    """The answer to `metrics`, as it is.

    Args:
        address: Where the companion is.

    Raises:
        UnansweredError: There is none within a few seconds.
    """
    return _ask(address, "/metrics")


def _ask(address: Address, path: str) -> bytes:
    there = urlsplit(address.url)
    connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"X-Tidemark-Token": address.token})
        answer = connection.getresponse()
        body = answer.read(MOST_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise UnansweredError(f"what shows the run does not answer ({error})") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise UnansweredError(f"what shows the run answers with {answer.status}")
    return body
