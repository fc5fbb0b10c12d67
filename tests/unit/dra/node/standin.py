"""A device side that tests steer step by step, and a watch over what is logged."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import PrepareError, ReadyDevice

__all__ = ["LogWatch", "SteeredDriver", "ready_lamps"]


def ready_lamps(uid: str) -> tuple[ReadyDevice, ...]:
    """What ``SteeredDriver`` answers for a claim: two lamps that share a CDI device, the power supply."""
    return tuple(
        ReadyDevice("study", f"lamp-{number}", ("example.com/power=on", f"example.com/lamp={uid}-{number}"))
        for number in (0, 1)
    )


class SteeredDriver:
    """A NodeDriver whose work can be held up, refused or broken, claim by claim."""

    def __init__(self) -> None:
        self.prepared: dict[UID, NodeClaim] = {}
        self.errors: dict[tuple[str, UID], Exception] = {}
        """What prepare or unprepare of a claim raises."""
        self.devices: dict[UID, Sequence[ReadyDevice]] = {}
        """What these claims get; others get lamps."""
        self.gates: dict[UID, asyncio.Event] = {}
        """Work on these claims waits for the event."""
        self.log: list[tuple[str, UID]] = []
        """What began, in order."""
        self.busy: set[UID] = set()
        self.overlapped = False
        """Whether two pieces of work on one claim were ever under way at once."""
        self.most_busy = 0
        self._started: defaultdict[UID, asyncio.Event] = defaultdict(asyncio.Event)

    async def prepare(self, claim: NodeClaim) -> Sequence[ReadyDevice]:
        await self._work("prepare", claim)
        self.prepared[claim.uid] = claim
        return self.devices.get(claim.uid, ready_lamps(claim.uid))

    async def unprepare(self, claim: NodeClaim) -> None:
        await self._work("unprepare", claim)
        self.prepared.pop(claim.uid, None)

    async def wait_started(self, uid: str) -> None:
        """Returns once work on the claim has begun."""
        await self._started[UID(uid)].wait()

    def hold_up(self, uid: str) -> asyncio.Event:
        """Work on the claim waits until the event is set."""
        return self.gates.setdefault(UID(uid), asyncio.Event())

    def refuse(self, uid: str, error: Exception | None = None, *, verb: str = "prepare") -> None:
        self.errors[verb, UID(uid)] = error or PrepareError(f"{uid} holds nothing here")

    async def _work(self, verb: str, claim: NodeClaim) -> None:
        self.log.append((verb, claim.uid))
        self.overlapped |= claim.uid in self.busy
        self.busy.add(claim.uid)
        self.most_busy = max(self.most_busy, len(self.busy))
        self._started[claim.uid].set()
        try:
            if claim.uid in self.gates:
                await self.gates[claim.uid].wait()
            if (verb, claim.uid) in self.errors:
                raise self.errors[verb, claim.uid]
        finally:
            self.busy.discard(claim.uid)


class LogWatch:
    """What was logged at INFO and above, and a way to wait for a line: a running plugin tells of its steps there."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._changed = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self._changed.set()

    async def wait_for(self, *words: str) -> None:
        """Returns once a line holds all of the words."""
        async with asyncio.timeout(10):
            while not any(all(word in line for word in words) for line in self.lines):
                self._changed.clear()
                await self._changed.wait()
