"""Says of each DeviceFault whether it does something, and if not, why.

What it does on a node, the node's plugin says, in an entry of its own. Here that is summed up in the condition
``Active``, which is the only one to tell of a fault that means no device at all.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.devicefault import ACTIVE, DeviceFault, DeviceFaultStatus, FaultOnNode
from fake_dra_driver.driver.fault.evaluation import end_of
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.objectstatus.condition import Conditions
from fake_dra_driver.driver.objectstatus.nomatch import KnownNode, is_about_calls, why_nothing_matches
from fake_dra_driver.driver.objectstatus.statuswriter import StatusWriter
from fake_dra_driver.runtime import Reconciler, Request, Result

__all__ = ["FaultStatusReconciler"]

_PATIENCE: Final = timedelta(seconds=2)
"""How long the plugins may take to say that a fault hits something. They need a fraction of a second."""
_LOOK_AGAIN_SECONDS: Final = 30.0
"""Nodes and devices come and go, and with them what a fault without devices could mean."""
_MAX_NODES: Final = 3
_MAX_DEVICES: Final = 4
"""How many nodes, and devices of each, a message names."""

log = logger.bind(component="faultstatus")


class FaultStatusReconciler(Reconciler):
    """Reconciles the conditions of one DeviceFault.

    Args:
        catalog: has the faults.
        nodes: what is known of the driver's nodes.
        writer: writes the status.
        now: the wall clock.
        entries_beside: what a fault does on nodes without a plugin, by node; its status may not have room for all.
            None: that is not known yet, and what an earlier process has made of it stays until it is.
    """

    def __init__(
        self,
        catalog: MockCatalog,
        nodes: Callable[[], Sequence[KnownNode]],
        writer: StatusWriter,
        now: Callable[[], datetime],
        entries_beside: Callable[[DeviceFault], Mapping[str, FaultOnNode] | None] = lambda _fault: {},
    ) -> None:
        self._catalog = catalog
        self._nodes = nodes
        self._writer = writer
        self._now = now
        self._entries_beside = entries_beside

    @override
    async def reconcile(self, request: Request) -> Result:
        fault = self._catalog.faults.get(request)
        if fault is None or fault.is_deleting or fault.spec.driver_name != self._catalog.driver:
            return Result()
        now, generation = self._now(), fault.metadata.generation
        before = fault.status or DeviceFaultStatus()
        beside = self._entries_beside(fault)
        if beside is None and before.observed_generation == generation:
            return Result()
        conditions = Conditions(before.conditions, generation, now)
        entries = {**{entry.node: entry for entry in before.nodes}, **(beside or {})}
        again = self._state(fault, [entries[node] for node in sorted(entries)], conditions, now)
        if conditions.changed or before.observed_generation != generation:
            await self._writer.write(fault, {"observedGeneration": generation}, conditions)
            (active,) = conditions.found
            log.info("DeviceFault judged", fault=request.name, active=active.status, why=active.reason)
        return Result(requeue_after=again)

    def _state(
        self, fault: DeviceFault, entries: Sequence[FaultOnNode], conditions: Conditions, now: datetime
    ) -> float | None:
        """Says whether it does something; returns when that may change by itself."""
        end = end_of(fault)
        if end is not None and end <= now:
            ended = f"it ended at {end:%Y-%m-%dT%H:%M:%SZ}, {fault.spec.duration} after its creation"
            conditions.state(ACTIVE, False, "Expired", ended)
            return None
        until_end = None if end is None else (end - now).total_seconds()
        hit = [entry for entry in entries if entry.since is not None]
        problems = [f"{entry.node}: {entry.message}" for entry in entries if entry.message]
        if hit:
            conditions.state(ACTIVE, True, "Hit", _summary(hit))
            return until_end
        if problems:
            conditions.state(ACTIVE, False, "Problem", "; ".join(problems[:_MAX_NODES]))
            return until_end
        patience = (fault.metadata.creation_timestamp or now) + _PATIENCE - now
        if patience > timedelta():
            conditions.state(ACTIVE, None, "Waiting", "the kubelet plugins have not yet said what it does")
            again = patience.total_seconds()
        elif fault.spec.random is not None and entries:
            conditions.state(ACTIVE, False, "AllWork", "at the moment all devices work that it means")
            return until_end
        else:
            self._tell_nothing_hit(fault, entries, conditions)
            again = _LOOK_AGAIN_SECONDS
        return again if until_end is None else min(again, until_end)

    def _tell_nothing_hit(self, fault: DeviceFault, entries: Sequence[FaultOnNode], conditions: Conditions) -> None:
        target, driver, nodes = fault.spec.target, self._catalog.driver, self._nodes()
        why = why_nothing_matches(target, driver, nodes)
        of_any_claim = target.model_copy(update={"claim": None})
        if is_about_calls(fault.spec) and why != why_nothing_matches(of_any_claim, driver, nodes):
            # It is not the devices that are wrong: the claim has not been asked for, or is gone.
            failed = sum(entry.times for entry in entries)
            calls = f"; {failed} call{'' if failed == 1 else 's'} failed before" if failed else ""
            conditions.state(ACTIVE, False, "NoCall", f"{why}, and none is about to be{calls}")
        else:
            conditions.state(ACTIVE, False, "NothingMatches", why)


def _summary(hit: Sequence[FaultOnNode]) -> str:
    count = sum(entry.device_count for entry in hit)
    devices = f"{count} device{'' if count == 1 else 's'}"
    named = [_on_node(entry) for entry in sorted(hit, key=lambda entry: entry.node)[:_MAX_NODES]]
    more = f" and {len(hit) - _MAX_NODES} more" if len(hit) > _MAX_NODES else ""
    return f"{devices} of {len(hit)} node{'' if len(hit) == 1 else 's'}: {', '.join(named)}{more}"


def _on_node(entry: FaultOnNode) -> str:
    if not entry.device_count:
        return entry.node
    more = entry.device_count - min(len(entry.devices), _MAX_DEVICES)
    devices = ", ".join(entry.devices[:_MAX_DEVICES])
    return f"{entry.node} ({devices}{f' and {more} more' if more else ''})"
