"""The entry of a node in the status of a DeviceFault. Pure."""

from datetime import datetime
from typing import Final

from fake_dra_driver.api.devicefault import MAX_LISTED_DEVICES, DeviceFault, FaultOnNode
from fake_dra_driver.driver.fault.evaluation import FaultHit

__all__ = ["entry_of"]

_MAX_MESSAGE: Final = 1024


def entry_of(
    fault: DeviceFault, node: str, hit: FaultHit, before: FaultOnNode | None, now: datetime, *, times: int = 0
) -> FaultOnNode:
    """What a fault does on a node.

    Args:
        fault: the fault.
        node: its name.
        hit: what it does at this moment.
        before: the entry that there is.
        now: the wall clock.
        times: how many calls of the kubelet have failed.
    """
    since: datetime | None = None
    if hit.does_something:
        # As the API has times: in whole seconds.
        since = before.since if before is not None and before.since is not None else now.replace(microsecond=0)
    fields = {
        "node": node,
        "devices": hit.devices[:MAX_LISTED_DEVICES],
        "device_count": len(hit.devices),
        "since": since,
        "times": times,
        "message": hit.problem[:_MAX_MESSAGE],
        "observed_generation": fault.metadata.generation,
    }
    return FaultOnNode(**{name: value for name, value in fields.items() if value})
