"""What DeviceFaults make of the calls that a kubelet would make for claims on simulated nodes. No I/O.

As on a node with a plugin (``live.faultedcalls``), a call takes longer, or fails as often as the fault says. A
controller asks again and again instead of waiting. How often a call has failed is remembered for as long as the program
leads, and the fault is there.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.driver.fault.effects import FaultEffects
from fake_dra_driver.driver.live.failurecounts import Call
from fake_dra_driver.driver.live.faultedcalls import faults_met
from fake_dra_driver.driver.node.prepared import FakePreparedClaim
from fake_dra_driver.runtime import loop_time

__all__ = ["Answer", "SimulatedCalls"]

REPEATED_AFTER_SECONDS: Final = 10.0
"""As a kubelet does after a failure."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a call; with neither a failure nor a time it has succeeded."""

    failure: str = ""
    again_seconds: float | None = None
    """When to call again; None: as soon as something changes."""
    fault: UID | None = None
    """Of the DeviceFault that has made it fail; None: it has not failed by one."""

    @property
    def is_success(self) -> bool:
        """Whether there is nothing to wait for."""
        return not self.failure and self.again_seconds is None


_SUCCESS: Final = Answer()
_CALLS: Final[tuple[Call, ...]] = ("prepare", "unprepare")


class SimulatedCalls:
    """Meets the calls of one node."""

    def __init__(self, clock: Callable[[], float] = loop_time) -> None:
        self._clock = clock
        self._begun: dict[tuple[str, Call], float] = {}
        """By UID of the claim: when a call began that faults delay."""
        self._repeated_at: dict[tuple[str, Call], float] = {}
        """By UID of the claim: when a call that has failed is made again."""
        self._failures: dict[tuple[UID, Call], int] = {}
        """By UID of the fault: how many calls it has made fail."""

    def meet(self, claim: FakePreparedClaim, call: Call, effects: FaultEffects, names: Mapping[str, str]) -> Answer:
        """What becomes of a call at this moment.

        Args:
            claim: with the devices that it is to get, or has.
            call: what is called.
            effects: what is wrong with the node.
            names: of its devices, by UUID.
        """
        key, now = (claim.uid, call), self._clock()
        faults = faults_met(claim, call, effects, names)
        if not faults:
            self.forget(claim.uid)
            return _SUCCESS
        slowest = max(fault.delay_seconds for fault in faults)
        due = max(self._begun.setdefault(key, now) + slowest, self._repeated_at.get(key, now))
        if due > now:
            return Answer(again_seconds=due - now)
        for fault in faults:
            failed = self._failures.get((fault.uid, call), 0)
            if fault.message and (fault.times is None or failed < fault.times):
                self._failures[fault.uid, call] = failed + 1
                self._begun[key] = self._repeated_at[key] = now + REPEATED_AFTER_SECONDS
                again_seconds = None if fault.times is None else REPEATED_AFTER_SECONDS
                return Answer(f"{fault.message} (DeviceFault {fault.fault})", again_seconds, fault.uid)
        self.forget(claim.uid)
        return _SUCCESS

    def forget(self, claim_uid: str) -> None:
        """A call for the claim starts from the beginning the next time."""
        for known in (self._begun, self._repeated_at):
            for call in _CALLS:
                known.pop((claim_uid, call), None)

    def forget_faults(self, has_fault: Callable[[UID], bool]) -> None:
        """Of faults that there are no more, it is not remembered how often a call has failed."""
        for key in [key for key in self._failures if not has_fault(key[0])]:
            del self._failures[key]

    def forget_others(self, claim_uids: AbstractSet[str]) -> None:
        """The same of all claims but these."""
        begun = {uid for known in (self._begun, self._repeated_at) for uid, _ in known}
        for uid in begun - claim_uids:
            self.forget(uid)
