"""From the scheduler's selection of a node to the written allocation, one pod at a time, by the server's own clock."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from tests.bench.audit import AuditedRequest, read_audit_log
from tests.bench.classic.world import ClassicWorld
from tests.bench.lab import Lab, Started

__all__ = ["reaction_times", "time_reactions"]

_SCHEDULER = "kube-scheduler"
_BIND_SECONDS = 60


async def time_reactions(
    lab: Lab[ClassicWorld], agent: str, program: AbstractAsyncContextManager[Started], *, pods: int
) -> Sequence[float]:
    """Milliseconds from selection to allocation for each of so many pods.

    Args:
        lab: where.
        agent: product in the User-Agent of the program.
        program: what serves the claims, not yet running.
        pods: how many to create, one after the other.
    """
    names = [f"single-{number:05}" for number in range(pods)]
    async with program, lab.world.bindings() as bindings:
        since = datetime.now(UTC)
        for name in names:
            await lab.world.add_pod_with_claim(name)
            if not await bindings.wait([name], _BIND_SECONDS):
                raise RuntimeError(f"pod {name} was not bound within {_BIND_SECONDS} s")
        await lab.world.remove_pods_and_claims()
    requests = await asyncio.to_thread(lambda: list(read_audit_log(lab.plane.audit_folder, since)))
    return list(reaction_times(requests, agent, names))


def reaction_times(requests: Sequence[AuditedRequest], agent: str, names: Iterable[str]) -> Iterable[float]:
    """Milliseconds from the end of the scheduler's last write about a pod to the end of the allocation's write.

    Pod and claim have the same name.

    Raises:
        ValueError: one of the claims was not allocated, or no node was selected.
    """
    for name in names:
        about = [request for request in requests if request.name == name and request.is_write and request.code < 300]
        # The first one: when the pod is gone, the driver may have to clear the status again.
        allocated = min(_times(about, agent, "resourceclaims/status"), default=None)
        selected = [at for at in _times(about, _SCHEDULER, "podschedulingcontexts") if allocated and at < allocated]
        if allocated is None or not selected:
            raise ValueError(f"the audit log does not say how claim {name} was allocated")
        yield (allocated - max(selected)).total_seconds() * 1000


def _times(requests: Iterable[AuditedRequest], agent: str, resource: str) -> Sequence[datetime]:
    return [request.answered for request in requests if (request.agent, request.resource) == (agent, resource)]
