"""The side of the master: it has the run, and workers that send its load."""

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import gevent
from locust.runners import MasterRunner

from tidemark.distributed import channel
from tidemark.distributed.channel import listen, tell_worker
from tidemark.record.endpoints import is_loopback
from tidemark.record.errors import TidemarkError
from tidemark.record.events import WorkerLost
from tidemark.record.metadata import ABORTED, COMPLETED
from tidemark.run.children import say
from tidemark.run.generators import Generators
from tidemark.run.journal import Ending
from tidemark.run.orders import Orders
from tidemark.run.session import Session

LEAD_S = 1.5
"""So long after it was ordered the load begins, that all have their orders by then."""
END_LEAD_S = 0.5
"""So long after it was ordered the load ends; longer than a user sleeps without looking up."""
REDEAL_LEAD_S = 0.5
POLL_S = 0.05
MOST_STEP_S = 0.5
"""What a master that was stopped itself takes for the time that has gone by meanwhile."""
GREETING_S = 5.0
DEATH_S = 0.5
"""So long after its last report a process that has ended may still be heard of."""


@dataclass(slots=True)
class Hand:
    """A worker that has said hello.

    Attributes:
        client_id: what Locust calls it.
        host: the host it runs on.
        pid: its process there.
        round_trip_s: how long a message to it and back takes; None until that was measured.
        ahead_s: what this host's clock is ahead of its own.
    """

    client_id: str
    host: str
    pid: int
    round_trip_s: float | None = None
    ahead_s: float | None = None

    def to_json(self, name: str) -> dict[str, Any]:
        """As it stands in `generators` of run.json."""
        clock = {"round_trip_s": self.round_trip_s, "clock_behind_s": self.ahead_s}
        told = {key: None if value is None else round(value, 6) for key, value in clock.items()}
        return {"name": name, "host": self.host, "pid": self.pid, **told}


@dataclass(slots=True)
class Member:
    """A worker that takes part in the run.

    Attributes:
        index: which of the generators it is, from 0.
        name: what tables and events call it.
        hand: who it is.
        number: of the last of its reports that was taken down.
        silent_s: how long it has said nothing.
        is_done: whether it has reported for the last time.
        is_lost: whether it does not take part any more.
    """

    index: int
    name: str
    hand: Hand
    number: int = 0
    silent_s: float = 0.0
    is_done: bool = False
    is_lost: bool = False


class Master:
    """The workers of a master, and what they do for the run under way.

    Args:
        runner: Locust's.
        needs_all: whether every worker needs a user, lest nobody sends its share.
        has_forked: whether the workers are children of this process.
    """

    def __init__(
        self, runner: MasterRunner, needs_all: Callable[[], bool], *, has_forked: bool
    ) -> None:
        self._runner = runner
        self._needs_all = needs_all
        self._has_forked = has_forked
        self._hands: dict[str, Hand] = {}
        self._strangers: set[str] = set()
        self._members: dict[str, Member] = {}
        self._session: Session | None = None
        self._generators: Generators | None = None
        self._run_id = ""
        self._began_s = 0.0
        self._looked_s = 0.0
        self._is_hurried = self._is_ending = False
        self._start, self._stop = runner.start, runner.stop
        self._handle = runner.handle_message

    def install(self) -> None:
        """Listen to workers, and let nothing end the load before each has reported it all."""
        listen(self._runner, self._hear)
        self._runner.start = self._start_all  # type: ignore[method-assign]
        self._runner.stop = self._stop_in_order  # type: ignore[method-assign]
        self._runner.handle_message = self._handle_message  # type: ignore[method-assign]

    # -- who is there --------------------------------------------------------------------------

    def await_hands(self, count: int, within_s: float) -> None:
        """Wait for workers.

        Raises:
            TidemarkError: so many have not come; one line.
        """
        until_s = time.monotonic() + within_s if within_s else float("inf")
        while len(self._ready()) < count:
            if time.monotonic() > until_s:
                raise TidemarkError(
                    f"{len(self._ready())} of {count} workers have connected within "
                    f"{within_s:g} s: start them with --worker --master-host, or wait longer "
                    "with --expect-workers-max-wait"
                )
            gevent.sleep(POLL_S)

    def expect_hands(self) -> None:
        """Expect that there are workers, and that each of them knows what is asked of it.

        Raises:
            TidemarkError: there is none, or one that is not ours.
        """
        until_s = time.monotonic() + GREETING_S
        while time.monotonic() < until_s and (not self._ready() or self._mute()):
            gevent.sleep(POLL_S)
        if mute := self._mute():
            raise TidemarkError(
                f"worker {mute[0]} does not answer: does its locustfile import tidemark.plugin?"
            )
        if not self._ready():
            raise TidemarkError(
                "no worker is connected, so that nobody would send anything: start some with "
                "--worker, or this one with --processes N"
            )

    def expect_near(self, url: str) -> None:
        """Expect that each worker reaches what the run drives.

        Raises:
            TidemarkError: it listens on this machine alone, and one of them is on another.
        """
        here = socket.gethostname()
        far = [hand.host for hand in self._ready() if hand.host != here]
        if far and is_loopback(urlsplit(url).hostname or ""):
            raise TidemarkError(
                f"{url} is reached from this machine alone, and a worker is on {far[0]}: drive a "
                "service that both reach, with --host",
                about=["host"],
            )

    def _ready(self) -> list[Hand]:
        """Those that can take part in a run that begins now, in the order in which they came."""
        ids = [client.id for client in self._runner.clients.ready]
        found = [self._hands[one] for one in ids if one in self._hands]
        return sorted(found, key=lambda hand: self._runner.get_worker_index(hand.client_id))

    def _mute(self) -> list[str]:
        ids = [client.id for client in self._runner.clients.ready]
        return [one for one in ids if one not in self._hands]

    def _living(self) -> list[Member]:
        return [one for one in self._members.values() if not one.is_lost]

    def _start_all(
        self,
        user_count: int,
        spawn_rate: float,
        wait: bool = False,
        user_classes: list[Any] | None = None,
    ) -> None:
        """Locust's `start`; where users only fetch what is due, each worker has one at once."""
        if self._is_ending:  # Locust deals out anew the users of each worker that has gone first
            return
        if self._needs_all() and user_count:
            user_count = max(user_count, len(self._runner.clients.all))
            spawn_rate = max(spawn_rate, user_count)
        self._start(user_count, spawn_rate, wait, user_classes)

    # -- the load ------------------------------------------------------------------------------

    def begin(self, session: Session, users: int) -> Generators:
        """Tell every worker what it has to send; the load begins in a second."""
        hands = self._ready()
        self._session = session
        self._is_ending = False
        self._members = {
            hand.client_id: Member(index, f"worker-{index + 1}", hand)
            for index, hand in enumerate(hands)
        }
        whole = Orders.of_run(session.plan.options, session.plan.run_id)
        self._run_id = whole.run_id
        names = [member.name for member in self._members.values()]
        self._generators = Generators(names, whole, session)
        self._began_s = time.monotonic() + LEAD_S
        self._looked_s = time.monotonic()
        begins_s = time.time() + LEAD_S
        for member in self._members.values():
            orders = Orders(
                whole.options,
                whole.run_id,
                whole.headers,
                member.index,
                len(hands),
                begins_s,
                users,
            )
            self._tell(member, channel.ORDERS, orders=orders.to_plain())
        told = [member.hand.to_json(member.name) for member in self._members.values()]
        session.journal.tell(generators=told)
        return self._generators

    def look(self) -> Ending | None:
        """Look after the workers, ten times a second; how the run has to end, or None."""
        now_s = time.monotonic()
        step_s, self._looked_s = min(now_s - self._looked_s, MOST_STEP_S), now_s
        if self._generators:
            self._generators.walk(self._load_s())
        for member in self._living():
            if member.is_done and self._is_ending:
                continue
            member.silent_s += step_s
            if why := self._why_lost(member):
                self._lose(member, why)
        if self._members and not self._living():
            return Ending(ABORTED, "all workers of the load generator are gone", cannot_tell=True)
        return None

    def judged(self, ending: Ending) -> Ending:
        """What an ending amounts to: what a lost worker did is not known to the last request."""
        lost = [member.name for member in self._members.values() if member.is_lost]
        if not lost:
            return ending
        names = f"{' and '.join(lost)} of {len(self._members)} workers"
        reason = f"{ending.reason}; {names} {'were' if len(lost) > 1 else 'was'} lost"
        cannot_tell = ending.cannot_tell or ending.outcome == COMPLETED
        return replace(ending, reason=reason, cannot_tell=cannot_tell)

    def _load_s(self) -> float:
        return time.monotonic() - self._began_s

    def _why_lost(self, member: Member) -> str | None:
        if self._runner.clients.get(member.hand.client_id) is None:
            return "it has left"
        if self._has_forked and member.silent_s > DEATH_S and _has_ended(member.hand.pid):
            return "its process has ended"
        if member.silent_s > channel.LOST_S:
            return f"it has said nothing for {member.silent_s:.0f} s"
        return None

    def _lose(self, member: Member, why: str) -> None:
        member.is_lost = True
        from_s = max(0.0, self._load_s()) + REDEAL_LEAD_S
        missing = self._generators.lose(member.index, from_s) if self._generators else None
        for other in self._living():
            self._tell(other, channel.LOST, generator=member.index, from_s=from_s)
        told = "an unknown number" if missing is None else str(missing)
        share = "the others send its share from now on" if self._living() else "none is left"
        say(f"{member.name} is lost: {why}; {told} of its requests are missing, {share}")
        if self._session:
            event = WorkerLost(worker=member.name, reason=why, missing=missing)
            self._session.journal.event(event)

    def _tell(self, member: Member, what: str, **more: Any) -> None:
        tell_worker(self._runner, member.hand.client_id, what, run=self._run_id, **more)

    # -- what workers say ----------------------------------------------------------------------

    def _handle_message(self, client_id: str, msg: Any) -> None:
        """Keep from Locust what would deal users to a worker that takes no part in the run."""
        member = self._members.get(client_id)
        if member is None and self._is_loaded() and msg.type == "client_ready":
            if client_id not in self._strangers:
                self._strangers.add(client_id)
                say("a worker has connected during a run: it takes part in the next one")
            return
        if member is not None and member.is_lost and msg.type in {"heartbeat", "stats"}:
            if msg.type == "heartbeat":
                self._dismiss(member)
            return
        self._handle(client_id, msg)

    def _is_loaded(self) -> bool:
        return self._session is not None

    def _dismiss(self, member: Member) -> None:
        why = "the master has given this worker up, because it said nothing for too long"
        self._tell(member, channel.REFUSED, why=why)

    def _hear(self, client_id: str, told: Mapping[str, Any]) -> None:
        if told["say"] == channel.HELLO:
            self._greet(client_id, told)
        elif told["say"] == channel.REPORT:
            self._take(client_id, told)

    def _greet(self, client_id: str, told: Mapping[str, Any]) -> None:
        if told["version"] != channel.VERSION:
            why = (
                f"the worker on {told['host']} has tidemark {told['version']}, and the master "
                f"{channel.VERSION}: install the same version on both"
            )
            say(why)
            tell_worker(self._runner, client_id, channel.REFUSED, why=why)
            return
        for gone in [one for one in self._hands if one not in self._runner.clients]:
            del self._hands[gone]
        hand = Hand(client_id, told["host"], told["pid"], told["round_trip_s"], told["ahead_s"])
        self._hands[client_id] = hand
        times = {"time_s": time.time(), "your_time_s": told["time_s"]}
        tell_worker(self._runner, client_id, channel.WELCOME, **times)

    def _take(self, client_id: str, report: Mapping[str, Any]) -> None:
        """Take a report down, once, in its turn."""
        member = self._members.get(client_id)
        if member is None or report["run"] != self._run_id:
            tell_worker(
                self._runner, client_id, channel.HEARD, run=report["run"], number=report["number"]
            )
            return
        if member.is_lost:
            self._dismiss(member)
            return
        member.silent_s = 0.0
        if report["number"] == member.number + 1:
            member.number += 1
            member.is_done = report["is_last"]
            if self._generators:
                self._generators.take(member.index, report)
        self._tell(member, channel.HEARD, number=member.number)

    # -- end -----------------------------------------------------------------------------------

    def _stop_in_order(self, send_stop_to_client: bool = True) -> None:
        """Locust's `stop`, once each worker has sent what was due and reported all of it."""
        self._drain()
        self._stop(send_stop_to_client)

    def _drain(self) -> None:
        session = self._session
        if session is None:
            return
        self.expect_end()
        until_s = self._load_s() + END_LEAD_S
        for member in self._living():
            self._tell(member, channel.END, until_s=until_s)
        timeout_s = session.plan.options.request_timeout + 2 * channel.LOST_S
        give_up_s = time.monotonic() + timeout_s + self._runner.environment.stop_timeout
        while not self._is_hurried and any(not one.is_done for one in self._living()):
            gevent.sleep(POLL_S)
            self._lose_undone(is_late=time.monotonic() > give_up_s)

    def _lose_undone(self, *, is_late: bool) -> None:
        """Go without those that do not say any more how they have ended."""
        self.look()
        for member in self._living():
            if is_late and not member.is_done:
                self._lose(member, "it does not say that it has ended")

    def expect_end(self) -> None:
        """The run is coming to its end: a worker that has reported it all may leave."""
        self._is_ending = True

    def hurry(self) -> None:
        """Wait for nobody any more."""
        self._is_hurried = True

    def finish(self) -> None:
        """The run is over: reports are not taken down any more."""
        self._session = self._generators = None
        self._is_ending = False
        self._strangers.clear()


def _has_ended(pid: int) -> bool:
    """Whether a child process has ended, waited for or not."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
