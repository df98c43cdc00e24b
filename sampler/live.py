"""The live line in a terminal."""

import shutil
from typing import TextIO

from tidemark.sampler.recorder import Glance

_MIB = 1024 * 1024


def describe(glance: Glance) -> str:
    """The last sample in one line; what could not be read is a dash."""
    minutes, seconds = divmod(int(glance.elapsed_s), 60)
    return (
        f"{minutes:3d}:{seconds:02d}  {glance.processes} processes"
        f"  fds {_figure(glance.fds)}  threads {glance.threads:,}"
        f"  rss {glance.rss_bytes / _MIB:,.0f} MiB"
        f"  connections {_figure(glance.connections)}  TIME_WAIT {_figure(glance.time_wait)}"
        f"  (sampler {glance.cost_share:.1%} of a core)"
    )


def _figure(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


class LiveLine:
    """Redraws one line with every sample; silent where the stream is no terminal.

    Args:
        stream: Usually `sys.stderr`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = False
        self._enabled = stream.isatty()

    def show(self, glance: Glance) -> None:
        """Draw the line anew, cut to the width of the terminal."""
        if self._enabled:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r" + describe(glance)[:width].ljust(width))
            self._stream.flush()
            self._drawn = True

    def close(self) -> None:
        """End the line, so that what comes next begins a new one."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
