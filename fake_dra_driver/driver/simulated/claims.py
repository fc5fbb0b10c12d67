"""Which claims are prepared on simulated nodes: those that are allocated there, and that a pod may use.

That is when a kubelet has them prepared: a claim is reserved for its pods before they start, and as long as they run.
What a claim has stays its own until then, whatever becomes of its devices; the node's NodeAllocationState, and what the
claim's own status says, tell a controller that was started again what that is. What cannot be prepared is said in the
words of a plugin, and looked at again when the node has changed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic

from loguru import logger

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra import ClaimEvents, NodeClaim, PreparedClaim, PrepareError, disputed_devices, find_holder
from fake_dra_driver.driver.fault.effects import NO_FAULTS, FaultEffects
from fake_dra_driver.driver.fault.offer import present_node
from fake_dra_driver.driver.live.failurecounts import Call
from fake_dra_driver.driver.live.lostdevices import LostDevices
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.simulated.calls import Answer, SimulatedCalls
from fake_dra_driver.driver.simulated.claimsofmode import ClaimsOfMode, NodeClaims, UsedT
from fake_dra_driver.driver.simulated.fleet import Fleet
from fake_dra_driver.driver.simulated.simulatednode import SimulatedNode
from fake_dra_driver.runtime import EventSink

__all__ = ["NodeLook", "SimulatedClaims"]

log = logger.bind(component="simulatedclaims")

_UNHEARD: Final = Answer("the plugin is not registered")
"""For no call is made as long as a kubelet does not know the plugin."""


@dataclass(frozen=True, slots=True)
class NodeLook:
    """What a look at a node has shown."""

    node: SimulatedNode | None
    """What the node has, where that was looked at; it is not as long as nothing but claims has changed."""
    prepared: Mapping[str, FakePreparedClaim]
    """By UID: what is prepared there now."""
    again_seconds: float | None
    """When to look again; None: when something changes."""


@dataclass(slots=True)
class _Node:
    """What is remembered of a node."""

    prepared: dict[str, FakePreparedClaim] = field(default_factory=dict)
    """By UID."""
    refused: Mapping[Call, set[str]] = field(default_factory=lambda: {"prepare": set(), "unprepare": set()})
    """UIDs of claims that cannot be prepared, or unprepared, before the node has changed."""
    calls: SimulatedCalls = field(default_factory=SimulatedCalls)
    effects: FaultEffects = NO_FAULTS
    """What is wrong with the node."""
    names: Mapping[str, str] = field(default_factory=dict)
    """By UUID: the devices' names, where faults are about calls; else nothing."""
    is_news: bool = True
    """Whether what the node has may have changed."""
    is_restored: bool = False
    """Whether it is known what was prepared before this program was started."""
    lost: LostDevices | None = None
    """Tells of devices that have gone; None: what is prepared has not been compared with the node yet."""


class SimulatedClaims(Generic[UsedT]):
    """Keeps what is prepared on each node in line with the claims.

    Args:
        claims: those of the cluster.
        fleet: the nodes.
        events: tells people.
        call_failed: is told of each call that a fault makes fail: the node, and the UID of the fault.
    """

    def __init__(
        self,
        claims: ClaimsOfMode[UsedT],
        fleet: Fleet,
        events: EventSink,
        call_failed: Callable[[str, UID], None] = lambda _node, _fault: None,
    ) -> None:
        self._claims = claims
        self._fleet = fleet
        self._events = events
        self._call_failed = call_failed
        self._nodes: dict[str, _Node] = {}

    def changed(self, node: str) -> None:
        """What a node has may have changed."""
        if (known := self._nodes.get(node)) is not None:
            known.is_news = True

    def forget(self, node: str) -> None:
        """A node is not simulated any more."""
        self._nodes.pop(node, None)

    async def look(self, state: NodeAllocationState, *, is_news: bool = False) -> NodeLook | None:
        """Prepares and unprepares what is to be on a node; None: it is not simulated any more.

        One node is looked at once at a time.

        Args:
            state: the node's object.
            is_news: whether the node is to be looked at in any case.

        Raises:
            RuntimeLayerError: it cannot be told what the node has. All stays as it is.
        """
        name = state.metadata.name
        known = self._nodes.setdefault(name, _Node())
        used: dict[str, UsedT] = {each.identity.uid: each for each in self._claims.in_use(state)}
        if not known.is_restored:
            self._restore(known, used, state)
        for uid in [uid for uid, each in used.items() if uid in known.prepared]:
            if not self._claims.is_current(used[uid], known.prepared[uid]):
                del known.prepared[uid]
        is_news = is_news or known.is_news
        pending = used.keys() - known.prepared.keys() - known.refused["prepare"]
        node = await self._look_at(name, known) if is_news or pending else None
        if node is None and (is_news or pending):
            return None
        pauses = self._unprepare(name, known, used, is_news=is_news)
        if node is not None and node.mock is not None and used:
            pauses += await self._prepare(node.mock, known, used, is_news=is_news)
        return NodeLook(node, known.prepared, min(pauses, default=None))

    async def _look_at(self, name: str, known: _Node) -> SimulatedNode | None:
        was_news, known.is_news = known.is_news, False
        try:
            node = await self._fleet.node(name)
        except BaseException:
            known.is_news = known.is_news or was_news
            raise
        if node is not None:
            known.effects = node.effects
            devices = node.mock.devices if node.mock and (node.effects.prepare or node.effects.unprepare) else ()
            known.names = {each.device.uuid: each.name for each in devices}
        return node

    def _restore(self, known: _Node, used: Mapping[str, UsedT], state: NodeAllocationState) -> None:
        for uid in sorted(used.keys() & state.spec.prepared_devices.keys()):
            if devices := self._claims.restored(used[uid], state):
                known.prepared[uid] = _prepared(used[uid].identity, devices)
        self._claims.withdraw_unused(state)
        known.is_restored = True

    def _unprepare(self, name: str, known: _Node, used: Mapping[str, UsedT], *, is_news: bool) -> list[float]:
        """Returns in how many seconds to look again."""
        ended = known.prepared.keys() - used.keys()
        stuck = set() if is_news else known.refused["unprepare"]
        pauses = []
        for uid in sorted(ended - stuck):
            claim = known.prepared[uid]
            answer = self._call(name, known, claim, "unprepare")
            if answer.is_success:
                del known.prepared[uid]
                self._claims.withdraw(claim)
                log.debug("Claim unprepared", node=name, claim_uid=uid)
            elif answer.again_seconds is not None:
                pauses.append(answer.again_seconds)
        known.refused["unprepare"] &= known.prepared.keys() - used.keys()
        return pauses

    async def _prepare(self, mock: MockNode, known: _Node, used: Mapping[str, UsedT], *, is_news: bool) -> list[float]:
        """The same. Also has the claims say what they have."""
        claims = self._claims.on_node(mock, known.effects, known.prepared)
        told = known.prepared.keys() & used.keys() if is_news else set()
        refused = set() if is_news else known.refused["prepare"]
        pauses = []
        for uid in sorted(used.keys() - known.prepared.keys() - refused):
            answer = await self._prepare_claim(mock.node, known, claims, used[uid])
            if answer.is_success:
                told.add(uid)
            elif answer.again_seconds is not None:
                pauses.append(answer.again_seconds)
        known.refused["prepare"] &= used.keys() - known.prepared.keys()
        for uid in sorted(told):
            claims.report(used[uid], known.prepared[uid])
        if is_news or known.lost is None:
            self._tell_lost(mock, known)
        return pauses

    def _tell_lost(self, mock: MockNode, known: _Node) -> None:
        # Of what was lost before this program was started, people have been told.
        is_told = known.lost is None
        if known.lost is None:
            known.lost = LostDevices(mock.node, self._claims.kind.api_version, self._events)
        there = {device.device.uuid for device in present_node(mock, known.effects).devices}
        known.lost.look(there, known.prepared, is_told=is_told)

    async def _prepare_claim(self, name: str, known: _Node, claims: NodeClaims[UsedT], used: UsedT) -> Answer:
        try:
            # Templates of a profile may take a while, on what a tenant says; the lease has to be renewed meanwhile.
            claim = _prepared(used.identity, await asyncio.to_thread(claims.devices, used))
            if (rival := find_holder(known.prepared, claim)) is not None:
                raise PrepareError(
                    f"device {min(disputed_devices(claim, rival))} is still prepared for claim {rival.namespace}/"
                    f"{rival.name} ({rival.uid}); nothing was prepared"
                )
        except PrepareError as error:
            return self._failed(name, known, used.identity, "prepare", Answer(str(error)))
        answer = self._call(name, known, claim, "prepare")
        if answer.is_success:
            known.prepared[claim.uid] = claim
            log.debug("Claim prepared", node=name, claim_uid=claim.uid)
        return answer

    def _call(self, name: str, known: _Node, claim: FakePreparedClaim, call: Call) -> Answer:
        if known.effects.deregistered:
            return _UNHEARD
        answer = known.calls.meet(claim, call, known.effects, known.names)
        if not answer.failure:
            return answer
        if answer.fault is not None:
            self._call_failed(name, answer.fault)
        return self._failed(name, known, NodeClaim(claim.namespace, claim.name, UID(claim.uid)), call, answer)

    def _failed(self, name: str, known: _Node, claim: NodeClaim, call: Call, answer: Answer) -> Answer:
        """Tells people why a call has failed."""
        if answer.again_seconds is None:
            known.refused[call].add(claim.uid)
        ClaimEvents(self._events, name, lambda: self._claims.kind).call_failed(call, claim, answer.failure)
        return answer


def _prepared(claim: NodeClaim, devices: Sequence[FakePreparedDevice]) -> FakePreparedClaim:
    """Without what containers see, of which there are none."""
    lean = (FakePreparedDevice(each.uuid, each.model, each.parent_uuid, each.result) for each in devices)
    return PreparedClaim(claim.uid, claim.namespace, claim.name, tuple(lean))
