"""The companion of a run: the child process that judges and shows it, and what it says of it.

    companion = Companion(session.path, facts_every_s=1.0, judge_every_s=60.0)
    companion.start()
    ...
    companion.facts                     # the latest, None before the first
    companion.address(timeout_s=10.0)   # where it serves the page's JSON, and the token for that
    companion.stop()

`facts` is what `tidemark.live.facts.Facts.to_json` makes: name, strategy, moment (elapsed_s,
origin_s, has_ended), state, levels by target (fds, fds_limit, connections, threads, rss_bytes,
...), requests, failures, rates, p99_ms, verdict, severity, reason, outlook, resources, trouble,
is_final. Beside it stands `heard_s`, when it was heard (`time.monotonic`).

It never ends a run: when it dies it is started again, some times, and that is said once. Works
in a process of Locust, where a thread is a greenlet and waiting lets the others go on, as well as
in any other.
"""

import contextlib
import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO, Any

from tidemark.record.process import signal_name
from tidemark.run.children import NURSERY, python_module, say
from tidemark.run.errors import ChildError
from tidemark.run.terminal import LentTerminal

MOST_STARTS = 4
PAUSE_S = 1.0
"""Before it is started again; each time twice as long."""
END_S = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a companion can be asked.

    Attributes:
        url: `http://127.0.0.1:PORT/`.
        token: What every request has to carry, as `X-Tidemark-Token`.
    """

    url: str
    token: str


class Companion:
    """The companion of a run directory, from `start` to `stop`.

    Args:
        path: The run directory; it must have a run.json.
        facts_every_s: How often it says what is known, seconds; None: never.
        judge_every_s: How often it judges the run while nobody looks at the page, seconds; None:
            only while somebody does.

    Attributes:
        path: The run directory.
        facts: What it said last; None before that.
    """

    def __init__(
        self,
        path: Path,
        *,
        facts_every_s: float | None = None,
        judge_every_s: float | None = None,
    ) -> None:
        self.path = path
        self.facts: dict[str, Any] | None = None
        self._command = python_module("tidemark.live", str(path), "--listen")
        self._inherited: tuple[int, ...] = ()
        self.ask_for(facts_every_s=facts_every_s, judge_every_s=judge_every_s)
        self._address: Address | None = None
        self._is_told = Event()  # that it listens, or that it never will
        self._is_stopped = Event()
        self._changing = Lock()  # one is not started while another is being stopped
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: Thread | None = None

    def ask_for(
        self,
        *,
        facts_every_s: float | None = None,
        judge_every_s: float | None = None,
        heartbeat_s: float | None = None,
        terminal: LentTerminal | None = None,
    ) -> None:
        """Let it do more; to be said before it is started.

        Args:
            facts_every_s: As above.
            judge_every_s: As above.
            heartbeat_s: How often a line of how the run is getting on is said, seconds.
            terminal: Where it draws the panel.
        """
        intervals = {"facts": facts_every_s, "judge": judge_every_s, "heartbeat": heartbeat_s}
        for what, every_s in intervals.items():
            if every_s is not None:
                self._command.append(f"--{what}-every={every_s:g}")
        if terminal is not None:
            self._inherited = (terminal.terminal, terminal.lines)
            self._command += [f"--terminal={terminal.terminal}", f"--lines={terminal.lines}"]

    def start(self) -> None:
        """Start it; returns at once. Does nothing while it is there, or once it is given up."""
        with self._changing:
            if self._thread is None or self._is_stopped.is_set():
                self._is_stopped.clear()
                self._is_told.clear()
                self._thread = Thread(target=self._keep, name="companion", daemon=True)
                self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it was started, and is neither stopped nor given up."""
        is_there = self._thread is not None and self._thread.is_alive()
        return is_there and not self._is_stopped.is_set()

    @property
    def is_given_up(self) -> bool:
        """Whether it has ended too often to be started again."""
        is_there = self._thread is None or self._thread.is_alive() or self._is_stopped.is_set()
        return not is_there

    def address(self, timeout_s: float) -> Address | None:
        """Where it can be asked; None if that is not known within `timeout_s` seconds."""
        self._is_told.wait(timeout_s)
        return self._address

    def stop(self) -> None:
        """End it and wait for that; safe to call again. `start` starts another one."""
        with self._changing:
            self._is_stopped.set()
            if self._process:
                self._process.terminate()
            if self._thread:
                self._thread.join(END_S)
            if self._process and self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    # -- the child -------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Have one until it is not wanted any more."""
        pause_s = PAUSE_S
        for start in range(1, MOST_STARTS + 1):
            try:
                why = self._accompany()
            except (ChildError, OSError) as error:
                why = str(error)
            self._address = None
            if self._is_stopped.is_set() or NURSERY.is_closed:
                break
            if start == MOST_STARTS:
                say(f"what shows the run ended again ({why}): there is no live view any more")
                break
            if start == 1:
                say(f"what shows the run ended by itself ({why}) and is started again; it goes on")
            self._is_told.clear()
            self._is_stopped.wait(pause_s)
            pause_s *= 2
        self._is_told.set()

    def _accompany(self) -> str:
        """Start one and hear what it says until it ends; how that came."""
        with tempfile.TemporaryFile() as complaints:
            process = NURSERY.start(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                start_new_session=True,
                pass_fds=self._inherited,
            )
            self._process = process
            if self._is_stopped.is_set():
                process.terminate()
            assert process.stdout is not None, "asked for"  # noqa: S101
            with process.stdout:
                for line in process.stdout:
                    self._take(line)
            code = process.wait()
            return _last_line(complaints) or signal_name(code) or f"exit code {code}"

    def _take(self, line: bytes) -> None:
        with contextlib.suppress(ValueError):  # it was killed while it wrote
            told: dict[str, Any] = json.loads(line)
            if "token" in told:
                self._address = Address(told["url"], told["token"])
                self._is_told.set()
            elif "heartbeat" in told:
                say(told["heartbeat"])
            else:
                self.facts = {**told, "heard_s": time.monotonic()}


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
