"""How many devices the nodes have, whatever their drivers: as they list them in NodeAllocationStates, else in slices.

A driver that follows the one of classic DRA has a NodeAllocationState for each node in a group of its own, in which all
devices of the node are; ResourceSlices may be hundreds of times as much to read.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from fake_dra_driver.api.resource.v1 import GROUP
from fake_dra_driver.cluster.apiserver import ApiServer

__all__ = ["devices_by_node"]

_STATES: Final = "nodeallocationstates"
_SLICES: Final = "resourceslices"


async def devices_by_node(server: ApiServer) -> Mapping[str, int]:
    """How many devices each node has; one without any is not there."""
    states = [body for group in _groups(server, _STATES) for body in server.stored(group, _STATES)]
    if states:
        return await asyncio.to_thread(_in_states, states)
    return await asyncio.to_thread(_in_slices, server.stored(GROUP, _SLICES))


def _groups(server: ApiServer, plural: str) -> Sequence[str]:
    return sorted({resource.group for resource in server.registry if resource.plural == plural})


def _in_states(bodies: Sequence[bytes]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for state in map(json.loads, bodies):
        counts[state["metadata"]["name"]] += len((state.get("spec") or {}).get("allocatableDevice") or ())
    return counts


def _in_slices(bodies: Sequence[bytes]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for spec in (json.loads(body)["spec"] for body in bodies):
        if node := spec.get("nodeName"):
            counts[node] += len(spec.get("devices") or ())
    return counts
