"""What ``kubectl get nas`` shows of ``spec``, in which it cannot count: how many devices are allocated, which models.

Each writer of what a text depends on writes the text in the same request: the controller with each write of
``allocatedClaims``, the publisher when it publishes another inventory. Nothing is decided on them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from fake_dra_driver.api.fake import ALLOCATED_ANNOTATION, MODELS_ANNOTATION, AllocatedDevices, NodeAllocationState
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.runtime.patch import Operation, annotate

__all__ = ["allocated_of", "models_of", "recount"]


def allocated_of(entries: Mapping[str, AllocatedDevices], devices: int) -> str:
    """Such as ``5/8``: devices that the entries hold, of so many. One that several claims share counts once."""
    held = {device.uuid for entry in entries.values() if entry.fake is not None for device in entry.fake.devices}
    return f"{len(held)}/{devices}"


def models_of(inventory: Sequence[Device]) -> str:
    """Such as ``4 A100, 4 H100``; the name alone where all devices have the same model."""
    models = Counter(device.model for device in inventory)
    return ", ".join(model if len(models) == 1 else f"{number} {model}" for model, number in models.items())


def recount(state: NodeAllocationState, inventory: Sequence[Device]) -> Sequence[Operation]:
    """What a JSON patch has to do so that the texts are about an inventory; fails where the ledger is faster."""
    annotations, devices = state.metadata.annotations, len(inventory)
    number, models = {}, {MODELS_ANNOTATION: models_of(inventory)}
    if not annotations.get(ALLOCATED_ANNOTATION, "").endswith(
        f"/{devices}"
    ):  # else the controller's, which knows better
        number = {ALLOCATED_ANNOTATION: allocated_of(state.spec.allocated_claims, devices)}
    if annotations.get(MODELS_ANNOTATION) == models[MODELS_ANNOTATION]:
        models = {}
    return annotate(annotations, {**number, **models}, tested=number) if number or models else ()
