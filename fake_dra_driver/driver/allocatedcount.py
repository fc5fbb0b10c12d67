"""How many devices of a node are allocated, as ``kubectl get nas`` shows it: it cannot count what is in ``spec``.

Each writer of what the number depends on writes the number in the same request: the controller with each write of
``allocatedClaims``, the publisher when it publishes another inventory. Nothing is decided on it.
"""

from collections.abc import Mapping, Sequence

from fake_dra_driver.api.fake import ALLOCATED_ANNOTATION, AllocatedDevices, NodeAllocationState
from fake_dra_driver.runtime.patch import Operation, annotate

__all__ = ["allocated_of", "recount"]


def allocated_of(entries: Mapping[str, AllocatedDevices], devices: int) -> str:
    """Such as ``5/8``: devices that the entries hold, of so many. One that several claims share counts once."""
    held = {device.uuid for entry in entries.values() if entry.fake is not None for device in entry.fake.devices}
    return f"{len(held)}/{devices}"


def recount(state: NodeAllocationState, devices: int) -> Sequence[Operation]:
    """What a JSON patch has to do so that the number is of so many devices; fails where the ledger is faster."""
    annotations = state.metadata.annotations
    if annotations.get(ALLOCATED_ANNOTATION, "").endswith(f"/{devices}"):
        return ()  # the controller's, which knows better
    number = {ALLOCATED_ANNOTATION: allocated_of(state.spec.allocated_claims, devices)}
    return annotate(annotations, number, tested=number)
