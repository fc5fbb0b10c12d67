"""What DeviceFaults do on one node, in their status: each plugin writes the entry of its own node, and no other."""

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.devicefault import DeviceFault, FaultOnNode
from fake_dra_driver.driver.fault.entry import entry_of
from fake_dra_driver.driver.fault.evaluation import FaultHit
from fake_dra_driver.driver.live.failurecounts import FailureCounts
from fake_dra_driver.runtime import (
    Client,
    Controller,
    Informer,
    InvalidError,
    NotFoundError,
    Reconciler,
    Request,
    Result,
    loop_time,
    utc_now,
)

__all__ = ["FaultStatusWriter", "own_entry"]

_DELAY_SECONDS: Final = 0.2
"""Before an entry is written, so that what changes at once is one write."""
_PAUSE_SECONDS: Final = 10.0
"""Before the entry of a fault is written again whose devices fail at random: there may be many, on many nodes."""

log = logger.bind(component="devicefaults")


class FaultStatusWriter(Reconciler):
    """Keeps the entries of a node in line. ``controller`` is for the one who runs it.

    Args:
        client: writes them.
        faults: has the objects.
        node: its name.
        driver: whose plugin this is; the node may have those of others, which say what their faults do.
        counts: of the calls that have failed.
        now: the wall clock.
    """

    def __init__(
        self,
        client: Client,
        faults: Informer[DeviceFault],
        node: str,
        driver: str,
        counts: FailureCounts,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._faults = faults
        self._node = node
        self._driver = driver
        self._counts = counts
        self._now = now
        self._hits: Mapping[str, FaultHit] = {}
        self._not_before: dict[str, float] = {}
        """By fault whose entry was just written: when it may be written again."""
        # A field manager has at most 128 characters, a node's name up to 253.
        self._manager = f"node-{sha256(f'{driver}/{node}'.encode()).hexdigest()[:32]}"
        self.controller = Controller("devicefaultstatus", self)
        self.controller.watch(faults)

    def report(self, hits: Mapping[str, FaultHit]) -> None:
        """What faults do at this moment, by name. Returns at once."""
        before, self._hits = self._hits, hits
        for name in before.keys() | hits.keys():
            if before.get(name) != hits.get(name):
                self.count_changed(name)

    def count_changed(self, fault: str) -> None:
        """A call has failed by this fault. Returns at once."""
        self.controller.enqueue(Request("", fault), after=_DELAY_SECONDS)

    @override
    async def reconcile(self, request: Request) -> Result:
        fault = self._faults.get(request)
        if fault is None or fault.spec.driver_name != self._driver:
            self._not_before.pop(request.name, None)
            return Result()
        if (left := self._not_before.get(request.name, 0.0) - loop_time()) > 0:
            return Result(requeue_after=left)
        entries = () if fault.status is None else fault.status.nodes
        before = next((entry for entry in entries if entry.node == self._node), None)
        entry = await self._entry(fault, before)
        if entry == (before or FaultOnNode(node=self._node, observed_generation=fault.metadata.generation)):
            return Result()
        try:
            await self._client.apply(
                DeviceFault,
                request,
                {"metadata": {"uid": fault.uid}, "status": {"nodes": [entry.to_wire()]}},
                field_manager=self._manager,
                force=True,
                subresource="status",
            )
        except NotFoundError:
            return Result()
        except InvalidError as error:
            # Of the nodes of a large cluster not all have room. What a fault does does not depend on it.
            log.info("Effects are not in the status of the DeviceFault", fault=request.name, error=str(error))
        if fault.spec.random is not None:
            self._not_before[request.name] = loop_time() + _PAUSE_SECONDS
        return Result()

    async def _entry(self, fault: DeviceFault, before: FaultOnNode | None) -> FaultOnNode:
        counts = await self._counts.read() if _counts_calls(fault) else {}
        hit = self._hits.get(fault.metadata.name, FaultHit())
        return entry_of(fault, self._node, hit, before, self._now(), times=sum(counts.get(fault.uid, {}).values()))


def own_entry(node: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """For an informer: leaves what other nodes say out of raw DeviceFaults, of which each node has all."""

    def without_others(raw: dict[str, Any]) -> dict[str, Any]:
        status = raw.get("status")
        nodes = status.get("nodes") if isinstance(status, dict) else None
        if isinstance(nodes, list):
            raw["status"] = {"nodes": [each for each in nodes if isinstance(each, dict) and each.get("node") == node]}
        return raw

    return without_others


def _counts_calls(fault: DeviceFault) -> bool:
    effects = fault.spec.effects
    return any(call is not None and call.fail is not None for call in (effects.prepare, effects.unprepare))
