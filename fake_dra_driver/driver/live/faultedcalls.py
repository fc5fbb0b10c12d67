"""Calls of the kubelet that fail or take long, because a DeviceFault hits a device of their claim."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.dra import PrepareError
from fake_dra_driver.driver.fault.effects import CallFault, FaultEffects
from fake_dra_driver.driver.fault.target import Holders
from fake_dra_driver.driver.live.failurecounts import Call, FailureCounts
from fake_dra_driver.driver.live.source import MockNodeSource
from fake_dra_driver.driver.node.callfaults import CallFaults
from fake_dra_driver.driver.node.prepared import FakePreparedClaim
from fake_dra_driver.runtime import loop_time

__all__ = ["FaultedCalls", "faults_met", "names_of"]

_REPEATED_WITHIN_SECONDS: Final = 150.0
"""A kubelet asks again within 2 minutes: 10 s after a failure, and later when it has much to do."""


@dataclass(slots=True)
class _Caller:
    """A claim whose preparing a fault has met."""

    claim: NamespacedName
    devices: Sequence[str]
    met_at: float
    """Of the loop's time: when its last call came or was answered."""


class FaultedCalls(CallFaults):
    """Meets each call with what is wrong at that moment.

    Args:
        node: the devices, and what is wrong with them.
        counts: of the calls that have failed.
        known: the faults that there are; of others no count is kept.
        failed: is told of each call that fails, and by which fault.
        met: is told when ``callers`` has one more.
    """

    def __init__(
        self,
        node: MockNodeSource,
        counts: FailureCounts,
        known: Callable[[], Collection[UID]],
        failed: Callable[[str, Call], None],
        met: Callable[[], None],
    ) -> None:
        self._node = node
        self._counts = counts
        self._known = known
        self._failed = failed
        self._met = met
        self._news = asyncio.Event()
        """Set, and then replaced, when calls that wait have something to look at."""
        self._delayed: dict[str, str] = {}
        """By UID: claims whose calls wait, and the fault that has them wait."""
        self._callers: dict[str, _Caller] = {}
        """By UID of the claim."""
        node.subscribe(self._wake)

    @override
    async def before_prepare(self, claim: FakePreparedClaim) -> None:
        if not self._is_singled_out(claim):
            await self._meet(claim, "prepare")
            return
        caller = self._note(claim)
        try:
            await self._meet(claim, "prepare")
        finally:
            caller.met_at = loop_time()

    @override
    async def before_unprepare(self, claim: FakePreparedClaim) -> None:
        await self._meet(claim, "unprepare")

    def doing(self, claim_uid: str) -> str:
        """What a claim's call waits for, in words for the kubelet; empty where it does not."""
        fault = self._delayed.get(claim_uid)
        return "" if fault is None else f"DeviceFault {fault} delays it"

    def callers(self) -> Holders:
        """By device: the claims that a fault about them keeps from being prepared, or has until a moment ago."""
        gone = loop_time() - _REPEATED_WITHIN_SECONDS
        for uid in [uid for uid, each in self._callers.items() if each.met_at < gone and uid not in self._delayed]:
            del self._callers[uid]
        callers: defaultdict[str, set[NamespacedName]] = defaultdict(set)
        for caller in self._callers.values():
            for name in caller.devices:
                callers[name].add(caller.claim)
        return callers

    def _is_singled_out(self, claim: FakePreparedClaim) -> bool:
        return any(fault.claim is not None for fault in self._faults_of(claim, "prepare"))

    def _note(self, claim: FakePreparedClaim) -> _Caller:
        known = self._callers.get(claim.uid)
        devices = names_of(claim, {device.device.uuid: device.name for device in self._node.current.devices})
        caller = _Caller(NamespacedName(claim.namespace, claim.name), devices, loop_time())
        self._callers[claim.uid] = caller
        if known is None:
            self._met()
        return caller

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _meet(self, claim: FakePreparedClaim, call: Call) -> None:
        await self._delay(claim, call)
        for fault in self._faults_of(claim, call):
            if fault.message and await self._fails(fault, call):
                raise PrepareError(f"{fault.message} (DeviceFault {fault.fault})")

    async def _delay(self, claim: FakePreparedClaim, call: Call) -> None:
        """Waits as long as the slowest fault says, and no longer than it is there."""
        begun = loop_time()
        try:
            while slowest := max(self._faults_of(claim, call), key=lambda each: each.delay_seconds, default=None):
                if (left := begun + slowest.delay_seconds - loop_time()) <= 0:
                    return
                self._delayed[claim.uid] = slowest.fault
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._news.wait()
        finally:
            self._delayed.pop(claim.uid, None)

    def _faults_of(self, claim: FakePreparedClaim, call: Call) -> list[CallFault]:
        """The faults that a call meets now, each once."""
        effects = self._node.effects
        if not (effects.prepare or effects.unprepare):
            return []
        names = {device.device.uuid: device.name for device in self._node.current.devices}
        return list(faults_met(claim, call, effects, names))

    async def _fails(self, fault: CallFault, call: Call) -> bool:
        try:
            fails = await self._counts.take(fault.uid, call, fault.times, self._known())
        except OSError as error:
            raise PrepareError(f"{fault.message} (DeviceFault {fault.fault}; it is not counted: {error})") from error
        if fails:
            self._failed(fault.fault, call)
        return fails


def faults_met(
    claim: FakePreparedClaim, call: Call, effects: FaultEffects, names: Mapping[str, str]
) -> Sequence[CallFault]:
    """The faults that a call for a claim meets, each once.

    Args:
        claim: the claim.
        call: what is called.
        effects: what is wrong with the node.
        names: as for ``names_of``.
    """
    by_device = effects.prepare if call == "prepare" else effects.unprepare
    if not by_device:
        return ()
    key = NamespacedName(claim.namespace, claim.name)
    met = (each for name in names_of(claim, names) for each in by_device.get(name, ()) if each.claim in (None, key))
    return tuple({each.fault: each for each in met}.values())


def names_of(claim: FakePreparedClaim, names: Mapping[str, str]) -> list[str]:
    """The names of a claim's devices, each once.

    Args:
        claim: the claim.
        names: by UUID, of the devices of the node: a classic claim has no names.
    """
    found = (names.get(device.key, "") if device.result is None else device.result.device for device in claim.devices)
    return list(dict.fromkeys(found))
