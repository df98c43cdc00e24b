"""`python -m tidemark.agent.fetch`: what agents on other hosts record becomes part of a run.

A child of the run, in the place of its sampler. It asks each agent once a tick what there is, and
fetches from where it stopped, so that a cut connection loses nothing. At the end it fetches what
was recorded until then, for as long as `END_S`.
"""

import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tidemark.agent.client import Client, Look, client_tls
from tidemark.agent.clocks import ClockEstimate, Exchange
from tidemark.agent.copying import RowCopier, RunTime, copied_event
from tidemark.agent.errors import AgentError
from tidemark.agent.guard import read_token
from tidemark.agent.named import NamedAgent, check_agents, check_pair, read_agents
from tidemark.agent.shelf import APPENDED
from tidemark.agent.store import TABLES, Store
from tidemark.record.clock import RunClock
from tidemark.record.command_line import announce, run_command
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import DiskFullError, TidemarkError
from tidemark.record.events import AgentBack, AgentLost, ClockCompared, SamplerLost, SamplerStarted
from tidemark.record.layout import EVENTS_JSONL
from tidemark.record.options import REQUIRED, Option, number, path
from tidemark.record.retention import RETAIN
from tidemark.sampler.options import LONGEST_S

EXIT_CANNOT_TELL = 3
END_S = 20.0
"""So long the end of a recording is waited for."""
_MOST_FIRST_LOOKS = 20
_GOOD_S = 0.002
"""An uncertainty of the clocks that is good enough to begin with; a loaded host has more."""
_PAUSE_S = 0.5
_LOST_S = 3.0
"""An agent that is silent for longer is lost until it answers again."""

OPTIONS: tuple[Option, ...] = (
    Option("agent", read_agents, REQUIRED, "where to fetch from", "ID=URL", is_repeatable=True),
    Option("agent_token_file", path, None, "a file that holds the token", "FILE"),
    Option("agent_ca", path, None, "who signed the agents' certificates, PEM", "FILE"),
    Option("agent_cert", path, None, "the certificate that is shown to them, PEM", "FILE"),
    Option("agent_key", path, None, "its private key, PEM", "FILE"),
    Option("out", path, REQUIRED, "the run directory", "DIR"),
    Option("interval", number(0.01), 1.0, "seconds between two looks", "SECONDS"),
    RETAIN,
    Option("started_monotonic", number(-LONGEST_S), REQUIRED, "when the run began", "SECONDS"),
)


class Fetcher:
    """Fetches from one agent.

    Args:
        named: The agent.
        client: Asks it.
        store: Where to.
        clock: The run's.
    """

    def __init__(self, named: NamedAgent, client: Client, store: Store, clock: RunClock) -> None:
        self._id = named.id
        self._client = client
        self._store = store
        self._clock = clock
        self._estimate = ClockEstimate()
        self._heard_s = time.monotonic()
        self._lost_since_s: float | None = None
        self._agent = ""

    def begin(self) -> dict[str, Any]:
        """Ask for the first time; what the run is to know of it.

        Raises:
            AgentError: It does not answer, or not to us.
        """
        look = self._client.look()
        self._adopt(look)
        if self._offsets:  # another fetcher had got so far
            self._store.say(self._clock.now(), SamplerStarted(source="agent"))
        for _ in range(_MOST_FIRST_LOOKS):
            self._estimate.learn(self._client.look().exchange)
            if self._held.uncertainty_s < _GOOD_S:
                break
        self._compare()
        held = self._held
        targets = [
            {**target, "id": self._name(str(target["id"]))}
            for target in look.run.get("targets", ())
        ]
        return {
            "id": self._id,
            "targets": targets,
            "clock_offset_s": round(held.wall_ahead_s, 6),
            "uncertainty_s": round(held.uncertainty_s, 6),
            "missing_rights": look.missing_rights,
        }

    def follow(self, interval_s: float, stop: threading.Event) -> bool:
        """Fetch until the end, and then what was recorded by then; whether that was all of it."""
        while not stop.wait(max(interval_s, _PAUSE_S)):
            self._try()
        deadline_s = time.monotonic() + END_S
        while not self._try():
            if time.monotonic() > deadline_s:
                reason = "the end of its recording was not fetched; it is in its own folder"
                self._store.say(self._clock.now(), AgentLost(self._id, reason))
                sys.stderr.write(f"{self._client.shown}: {reason}\n")
                return False
            time.sleep(_PAUSE_S)
        return True

    def _try(self) -> bool:
        """Fetch what there is; whether that was all of it."""
        try:
            self._round()
        except (AgentError, DiskFullError) as error:
            now_s = time.monotonic()
            if self._lost_since_s is None and now_s - self._heard_s > _LOST_S:
                self._lost_since_s = self._heard_s
                self._store.say(self._clock.now(), AgentLost(self._id, str(error)))
            return False
        now_s = time.monotonic()
        if self._lost_since_s is not None:
            back = AgentBack(self._id, round(now_s - self._lost_since_s, 3))
            self._store.say(self._clock.now(), back)
            self._lost_since_s = None
        self._heard_s = now_s
        return True

    def _round(self) -> None:
        look = self._client.look()
        if look.agent != self._agent:
            reason = "another agent records in its place: what came between was seen by none"
            self._store.say(self._clock.now(), SamplerLost(reason))
            self._adopt(look)
        if self._estimate.learn(look.exchange):
            self._compare()
        for name in APPENDED:
            while self._offsets.get(name, 0) < look.sizes[name]:
                if not self._fetch(name):
                    break

    def _adopt(self, look: Look) -> None:
        """Take up a recording, from its beginning or from where it was left."""
        self._agent = look.agent
        self._are_several = len(look.targets) > 1
        self._offsets = self._store.offsets(self._id, look.agent)
        self._estimate.learn(look.exchange)
        self._run_time = RunTime(self._clock, self._estimate, look.began_monotonic_s)
        self._copiers = {
            name: RowCopier(table, self._run_time, self._name, self._store.reached(self._id, name))
            for name, table in TABLES.items()
        }

    def _fetch(self, name: str) -> bool:
        """Fetch one piece of a file; whether there was any."""
        data, following = self._client.piece(name, self._offsets.get(name, 0), self._agent)
        if not data:
            return False
        offsets = {**self._offsets, name: following}
        if name == EVENTS_JSONL:
            told = (copied_event(line, self._run_time, self._name) for line in data.splitlines())
            self._store.tell(filter(None, told), self._id, self._agent, offsets)
        else:
            copier = self._copiers[name]
            rows = list(copier.rows(data))
            self._store.append(name, rows, self._id, self._agent, offsets, reached=copier.reached)
        self._offsets = offsets
        return True

    def _name(self, target: str) -> str:
        """The id here of a target there."""
        return f"{self._id}-{target}" if self._are_several and target else self._id

    @property
    def _held(self) -> Exchange:
        held = self._estimate.held
        assert held is not None, "learnt when the recording was taken up"  # noqa: S101
        return held

    def _compare(self) -> None:
        held = self._held
        ahead_s, uncertainty_s = round(held.wall_ahead_s, 6), round(held.uncertainty_s, 6)
        self._store.say(self._clock.now(), ClockCompared(self._id, ahead_s, uncertainty_s))


def fetch(values: Mapping[str, Any]) -> int:
    """Fetch from every agent until a signal; announces on stdout that all have answered.

    Returns the exit code: 3 where the end of what one of them recorded was not fetched.

    Args:
        values: A checked value for each of `OPTIONS`, by name.

    Raises:
        TidemarkError: An agent does not answer, or the run directory cannot be written.
    """
    stop = threading.Event()
    for number_ in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number_, lambda *_: stop.set())
    token_file: Path | None = values["agent_token_file"]
    check_agents(values["agent"], token_file)
    check_pair(values["agent_cert"], values["agent_key"])
    token = read_token(token_file) if token_file else None
    tls = client_tls(values["agent_ca"], values["agent_cert"], values["agent_key"])
    clock = RunClock(values["started_monotonic"])
    with ExitStack() as stack:
        store = Store(RunDirectory(values["out"]), values["retain"])
        stack.callback(store.close)
        fetchers = []
        for named in values["agent"]:
            client = Client(named.url, token, tls)
            stack.callback(client.close)
            fetchers.append(Fetcher(named, client, store, clock))
        announce(ready=True, agents=[fetcher.begin() for fetcher in fetchers])
        return 0 if _follow_all(fetchers, values["interval"], stop) else EXIT_CANNOT_TELL


def _follow_all(fetchers: Sequence[Fetcher], interval_s: float, stop: threading.Event) -> bool:
    failed: list[TidemarkError] = []
    whole: list[bool] = []

    def follow(fetcher: Fetcher) -> None:
        try:
            whole.append(fetcher.follow(interval_s, stop))
        except TidemarkError as error:  # the run directory's
            failed.append(error)
            stop.set()

    threads = [threading.Thread(target=follow, args=(one,)) for one in fetchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # signals are looked at in between
            thread.join(_PAUSE_S)
    if failed:
        raise failed[0]
    return all(whole)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch until a signal ends it; every error is one line and an exit code."""
    description = "Fetch what agents record into a run."
    return run_command(fetch, OPTIONS, "python -m tidemark.agent.fetch", description, arguments)


if __name__ == "__main__":
    sys.exit(main())
