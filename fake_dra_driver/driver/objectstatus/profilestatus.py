"""Says of each DeviceProfile whether it can be used, how many nodes it describes, and which others compete with it.

It is tried on one of its nodes. What is wrong with it on another node alone, such as a template that uses a label which
that node does not have, the plugin there says.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.objectstatus.condition import Conditions
from fake_dra_driver.driver.objectstatus.statuswriter import StatusWriter
from fake_dra_driver.runtime import Reconciler, Request, Result

__all__ = ["CONFLICT", "VALID", "ProfileStatusReconciler"]

VALID: Final = "Valid"
"""Whether nodes can have what the profile says."""
CONFLICT: Final = "Conflict"
"""Whether another profile of the same priority is for some of the same nodes."""
_MAX_PROBLEMS: Final = 20
"""How many problems a message lists; the rest are counted."""
_MAX_NODES: Final = 3

log = logger.bind(component="profilestatus")


class ProfileStatusReconciler(Reconciler):
    """Reconciles the status of one DeviceProfile.

    Args:
        catalog: has the profiles.
        writer: writes the status.
        now: the wall clock.
    """

    def __init__(self, catalog: MockCatalog, writer: StatusWriter, now: Callable[[], datetime]) -> None:
        self._catalog = catalog
        self._writer = writer
        self._now = now

    @override
    async def reconcile(self, request: Request) -> Result:
        profile = self._catalog.profiles.get(request)
        if profile is None or profile.is_deleting or profile.spec.driver_name != self._catalog.driver:
            return Result()
        before, generation = profile.status, profile.metadata.generation
        conditions = Conditions(before.conditions, generation, self._now())
        await self._state_validity(profile, conditions)
        nodes = self._state_conflict(request.name, conditions)
        if conditions.changed or (before.observed_generation, before.nodes) != (generation, nodes):
            await self._writer.write(profile, {"observedGeneration": generation, "nodes": nodes}, conditions)
            valid, conflict = conditions.found
            log.info("DeviceProfile judged", profile=request.name, valid=valid.status, conflict=conflict.status)
        return Result()

    async def _state_validity(self, profile: DeviceProfile, conditions: Conditions) -> None:
        problems = await self._catalog.problems_of(profile)
        if not problems:
            conditions.state(VALID, True, "Valid")
            return
        more = len(problems) - _MAX_PROBLEMS
        listed = "; ".join(problems[:_MAX_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
        conditions.state(VALID, False, "Invalid", listed)

    def _state_conflict(self, name: str, conditions: Conditions) -> int:
        """Says which profiles compete with it; returns how many nodes it describes."""
        nodes, rivals = 0, dict[str, list[str]]()
        winners = set[str]()
        for node, chosen in self._catalog.choices().items():
            if chosen.profile is None:
                continue
            winner = chosen.profile.metadata.name
            nodes += winner == name
            others = {winner, *chosen.rivals}
            if name in others and len(others) > 1:
                winners.add(winner)
                for other in others - {name}:
                    rivals.setdefault(other, []).append(node)
        if not rivals:
            conditions.state(CONFLICT, False, "NoConflict")
            return nodes
        told = "; ".join(f"{other} on {_listed(on)}" for other, on in sorted(rivals.items()))
        outcome = f"{', '.join(sorted(winners))} counts there, the first by name"
        message = f"of the same priority: {told}; {outcome}: give them different values of spec.priority"
        conditions.state(CONFLICT, True, "SamePriority", message)
        return nodes


def _listed(nodes: Sequence[str]) -> str:
    found = sorted(nodes)
    more = len(found) - _MAX_NODES
    return ", ".join(found[:_MAX_NODES]) + (f" and {more} more" if more > 0 else "")
