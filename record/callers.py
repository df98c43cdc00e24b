"""Who may ask a page that is served on this machine, and who may not.

Any site that a browser has open can send requests to 127.0.0.1: a form, an image, a script, and
with a name of its own that it lets resolve to 127.0.0.1 it reads the answers too. So every request
has to name this machine (`Host`) and to come from the page itself (`Origin`, `Sec-Fetch-Site`).

Sources: the Fetch standard (https://fetch.spec.whatwg.org/#origin-header), Fetch Metadata
(https://www.w3.org/TR/fetch-metadata/).
"""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from tidemark.record.endpoints import is_loopback, name_in


def why_refused(
    method: str,
    headers: Mapping[str, str],
    names: Collection[str],
    *,
    is_page: bool,
    remedy: str = "allow it with --web-allow-host NAME",
) -> str | None:
    """Why a request must not be answered; None if it may be.

    Args:
        method: GET, POST, ...
        headers: Its headers.
        names: The hosts, beside this one's loopback names, that the page may be reached as.
        is_page: Whether the page itself is asked for: a link to it may stand anywhere.
        remedy: What to do about a name that is none of this page.
    """
    host = headers.get("Host", "")
    name = name_in(host)
    if not name or not (is_loopback(name) or name in names):
        return f"{host[:80]!r} is no name of this page: {remedy}"
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
    is_link = (
        is_page
        and method in {"GET", "HEAD"}
        and headers.get("Sec-Fetch-Dest", "document") == "document"
    )
    if origin is not None:
        is_own = authority(origin) == host.lower() and site in {None, "same-origin"}
    elif site is not None:
        is_own = is_link or site in {"none", "same-origin"}
    else:  # an old browser, or none at all
        referer = headers.get("Referer")
        is_own = is_link or referer is None or authority(referer) == host.lower()
    return None if is_own else "this was asked for by another site: use the page itself"


def authority(url: str) -> str:
    """The `Host` that a URL names; empty if it is malformed."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
