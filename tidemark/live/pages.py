"""The files of the page of a run, and what a browser is told of them; quick to load."""

from importlib.resources import files

from tidemark.charts.parts import PARTS, part

PAGE = "index.html"
KINDS = {
    PAGE: "text/html; charset=utf-8",
    "scheme.js": "text/javascript; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "live.css": "text/css; charset=utf-8",
    "uPlot.min.js": "text/javascript; charset=utf-8",
    "uPlot.min.css": "text/css; charset=utf-8",
    "uPlot.LICENSE": "text/plain; charset=utf-8",
}
"""The files that are served, and no others."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def contents() -> dict[str, bytes]:
    """What stands in each of them."""
    return {name: _read(name) for name in KINDS}


def _read(name: str) -> bytes:
    if name in PARTS:
        return part(name).encode()
    return files("tidemark.live").joinpath("page", name).read_bytes()
