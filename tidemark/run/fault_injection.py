"""Injects the faults of a run while its load goes on."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

import psutil

from tidemark.record.events import (
    BrokerDown,
    BrokerUp,
    Event,
    FaultEnded,
    FaultFailed,
    FaultStarted,
    WorkerKilled,
)
from tidemark.run.children import Child, say
from tidemark.run.errors import ChildError
from tidemark.run.faults import KINDS, Fault

BROKER_TIMEOUT_S = 60.0  # a real broker that was killed takes its time to start again
LOOK_S = 0.1
VICTIM = 1  # id of the broker that a single-broker fault hits


class FaultInjector:
    """Does to a run what its faults say, one after the other.

    Args:
        tell: where events go.
        faults: in the order in which they happen, none within another.
        broker: the embedded cluster, which takes commands; None for somebody else's.
        brokers: its `host:port`s, in the order of their ids from 1.
        target_pid: the master of the target's workers; None for somebody else's.
    """

    def __init__(
        self,
        tell: Callable[[Event], None],
        faults: Sequence[Fault],
        broker: Child | None,
        brokers: Sequence[str],
        target_pid: int | None,
    ) -> None:
        self._tell, self._faults = tell, faults
        self._broker = broker
        self._brokers = brokers
        self._target_pid = target_pid
        self._down: list[int] = []
        self._up_action = ""
        self._healing = threading.Lock()

    def follow(self, began_s: float, is_over: Callable[[], bool]) -> None:
        """Wait for each fault's time and let it happen, until the run is over.

        Args:
            began_s: when the load began, on the monotonic clock.
            is_over: whether the run has ended meanwhile.
        """
        for fault in self._faults:
            self._wait(began_s + fault.start_s, is_over)
            if is_over():
                return
            try:
                self._happen(fault, is_over)
            except ChildError as error:
                say(f"fault {fault}: {error}")
                self._tell(FaultFailed(fault=str(fault), reason=str(error)))
                with contextlib.suppress(ChildError):  # tried again at the end of the run
                    self.heal()

    @staticmethod
    def _wait(until_s: float, is_over: Callable[[], bool]) -> None:
        """Wait for a time of the monotonic clock, or for the end of the run."""
        while (left_s := until_s - time.monotonic()) > 0 and not is_over():
            time.sleep(min(left_s, LOOK_S))

    def _happen(self, fault: Fault, is_over: Callable[[], bool]) -> None:
        self._tell(FaultStarted(fault=str(fault), kind=fault.kind))
        done = KINDS[fault.kind]
        if done is None:
            self._tell(WorkerKilled(pid=self._kill_worker()))
        else:
            if self._broker is None:
                raise ChildError("brokers that somebody else runs are not touched")
            everyone = list(range(1, len(self._brokers) + 1))
            victims = everyone if done.everyone else [VICTIM]
            began_s = time.monotonic()
            with self._healing:
                # Noted first: one that does not answer in time may obey all the same, later.
                self._down, self._up_action = victims, done.up
                self._change(victims, done.down, BrokerDown)
            self._wait(began_s + fault.duration_s, is_over)
            self.heal()
        self._tell(FaultEnded(fault=str(fault), kind=fault.kind))

    def heal(self) -> None:
        """Bring back every broker that is down; a run may end in the middle of a fault.

        When somebody else is at it already, wait until they are back. Who calls it again after it
        has failed tries again.

        Raises:
            ChildError: the brokers did not come back.
        """
        with self._healing:
            if self._down:
                self._change(self._down, self._up_action, BrokerUp)
            self._down = []

    def _change(
        self, victims: Sequence[int], action: str, event: type[BrokerDown | BrokerUp]
    ) -> None:
        assert self._broker is not None, "seen to before"  # noqa: S101
        self._broker.ask({"do": action, "brokers": list(victims)}, BROKER_TIMEOUT_S)
        for victim in victims:
            self._tell(event(broker=self._brokers[victim - 1], action=action))

    def _kill_worker(self) -> int:
        """Kill the worker with the most threads, which is one that serves; return its PID."""
        if self._target_pid is None:
            raise ChildError("a service that somebody else runs is not killed")
        workers = psutil.Process(self._target_pid).children()
        if not workers:
            raise ChildError("the target has no worker at the moment")
        victim = max(workers, key=psutil.Process.num_threads)
        victim.kill()
        return victim.pid
