"""Which claims are prepared on simulated nodes: those that are allocated there, and that a pod may use.

That is when a kubelet has them prepared: a claim is reserved for its pods before they start, and as long as they run.
What a claim has stays its own until then, whatever becomes of its devices; the node's NodeAllocationState, and what the
claim's own status says, tell a controller that was started again what that is. What cannot be prepared is said in the
words of a plugin. A kubelet would ask again and again; here a claim is looked at again when something has changed on
which the answer depends: the node, what the claim was allocated, or another claim that has a device of it.
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
    holdings: dict[str, object] = field(default_factory=dict)
    """By UID: what claims were allocated when they were prepared, or could not be; not of those that were restored."""
    refused: dict[str, frozenset[str]] = field(default_factory=dict)
    """By UID: claims that cannot be prepared before the node has changed, or one of these devices has become free."""
    stuck: set[str] = field(default_factory=set)
    """UIDs of claims that cannot be unprepared before the node has changed."""
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
        if self._nodes.pop(node, None) is not None:
            self._claims.forget(node)

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
        self._forget_outdated(known, used)
        is_news, known.is_news = is_news or known.is_news, False
        try:
            return await self._look(name, known, used, is_news=is_news)
        except BaseException:
            known.is_news = known.is_news or is_news
            raise

    async def _look(self, name: str, known: _Node, used: Mapping[str, UsedT], *, is_news: bool) -> NodeLook | None:
        node = None
        if is_news:
            if (node := await self._look_at(name, known)) is None:
                return None
            known.refused.clear()
            known.stuck.clear()
            known.calls.forget_faults(self._fleet.has_fault)
        pauses = self._unprepare(name, known, used)
        pending = used.keys() - known.prepared.keys() - known.refused.keys()
        if pending and node is None and (node := await self._look_at(name, known)) is None:
            return None
        if node is not None and node.mock is not None and used:
            claims = self._claims.on_node(node.mock, known.effects, known.prepared)
            pauses += await self._prepare(name, known, claims, [used[uid] for uid in sorted(pending)])
            if self._nodes.get(name) is not known:
                return None  # another speaks for the node by now
            told = used.keys() & known.prepared.keys()
            for uid in sorted(told if is_news else told & pending):
                claims.report(used[uid], known.prepared[uid])
            if is_news or known.lost is None:
                self._tell_lost(node.mock, known)
        return NodeLook(node, known.prepared, min(pauses, default=None))

    async def _look_at(self, name: str, known: _Node) -> SimulatedNode | None:
        node = await self._fleet.node(name)
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

    def _forget_outdated(self, known: _Node, used: Mapping[str, UsedT]) -> None:
        """What was found about claims that no pod may use any more, or that were allocated something else since."""
        for uid, each in used.items():
            prepared = known.prepared.get(uid)
            if (held := known.holdings.get(uid)) is not None:
                is_outdated = held != each.holding
            else:
                is_outdated = prepared is not None and not self._claims.is_current(each, prepared)
            if is_outdated:
                known.holdings.pop(uid, None)
                known.refused.pop(uid, None)
                known.calls.forget(uid)
                if prepared is not None:
                    self._end(known, prepared)
        for uid in known.refused.keys() - used.keys():
            del known.refused[uid]
        for uid in known.holdings.keys() - used.keys() - known.prepared.keys():
            del known.holdings[uid]
        known.stuck -= used.keys()
        known.calls.forget_others(used.keys() | known.prepared.keys())

    def _end(self, known: _Node, claim: FakePreparedClaim) -> None:
        """A claim is not prepared any more: others may have waited for its devices."""
        del known.prepared[claim.uid]
        known.holdings.pop(claim.uid, None)
        self._claims.withdraw(claim)
        for uid in [uid for uid, devices in known.refused.items() if devices & claim.keys]:
            del known.refused[uid]

    def _unprepare(self, name: str, known: _Node, used: Mapping[str, UsedT]) -> list[float]:
        """Returns in how many seconds to look again."""
        pauses = []
        for uid in sorted(known.prepared.keys() - used.keys() - known.stuck):
            claim = known.prepared[uid]
            answer = self._call(name, known, claim, "unprepare")
            if answer.is_success:
                self._end(known, claim)
                log.debug("Claim unprepared", node=name, claim_uid=uid)
            elif answer.again_seconds is not None:
                pauses.append(answer.again_seconds)
            else:
                known.stuck.add(uid)
        return pauses

    async def _prepare(
        self, name: str, known: _Node, claims: NodeClaims[UsedT], pending: Sequence[UsedT]
    ) -> list[float]:
        """The same."""
        answers = [await self._prepare_claim(name, known, claims, each) for each in pending]
        return [answer.again_seconds for answer in answers if answer.again_seconds is not None]

    def _tell_lost(self, mock: MockNode, known: _Node) -> None:
        # Of what was lost before this program was started, people have been told.
        is_told = known.lost is None
        if known.lost is None:
            known.lost = LostDevices(mock.node, self._claims.kind.api_version, self._events)
        there = {device.device.uuid for device in present_node(mock, known.effects).devices}
        known.lost.look(there, known.prepared, is_told=is_told)

    async def _prepare_claim(self, name: str, known: _Node, claims: NodeClaims[UsedT], used: UsedT) -> Answer:
        uid, awaited = used.identity.uid, frozenset[str]()
        known.holdings[uid] = used.holding
        try:
            # Templates of a profile may take a while, on what a tenant says; the lease has to be renewed meanwhile.
            claim = _prepared(used.identity, await asyncio.to_thread(claims.devices, used))
            if (rival := find_holder(known.prepared, claim)) is not None:
                awaited = disputed_devices(claim, rival)
                raise PrepareError(
                    f"device {min(awaited)} is still prepared for claim {rival.namespace}/{rival.name} "
                    f"({rival.uid}); nothing was prepared"
                )
        except PrepareError as error:
            answer = self._failed(name, used.identity, "prepare", Answer(str(error)))
        else:
            answer = self._call(name, known, claim, "prepare")
        if answer.is_success:
            known.prepared[uid] = claim
            log.debug("Claim prepared", node=name, claim_uid=uid)
        elif answer.again_seconds is None:
            known.refused[uid] = awaited
        return answer

    def _call(self, name: str, known: _Node, claim: FakePreparedClaim, call: Call) -> Answer:
        if known.effects.deregistered:
            return _UNHEARD
        answer = known.calls.meet(claim, call, known.effects, known.names)
        if not answer.failure:
            return answer
        if answer.fault is not None:
            self._call_failed(name, answer.fault)
        return self._failed(name, NodeClaim(claim.namespace, claim.name, UID(claim.uid)), call, answer)

    def _failed(self, name: str, claim: NodeClaim, call: Call, answer: Answer) -> Answer:
        """Tells people why a call has failed."""
        ClaimEvents(self._events, name, lambda: self._claims.kind).call_failed(call, claim, answer.failure)
        return answer


def _prepared(claim: NodeClaim, devices: Sequence[FakePreparedDevice]) -> FakePreparedClaim:
    """Without what containers see, of which there are none."""
    lean = (FakePreparedDevice(each.uuid, each.model, each.parent_uuid, each.result) for each in devices)
    return PreparedClaim(claim.uid, claim.namespace, claim.name, tuple(lean))
