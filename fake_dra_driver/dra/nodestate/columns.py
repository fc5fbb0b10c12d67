"""What ``kubectl get nas`` shows of ``spec``, in which it cannot count: how many devices are allocated, which models.

Each writer of what a text depends on writes the text in the same request: the controller with each write of
``allocatedClaims``, the publisher when it publishes another inventory. Nothing is decided on them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fake_dra_driver.dra.nodestate.layout import DeviceT, NodeStateLayout, StateT
from fake_dra_driver.runtime.patch import Operation, annotate, pointer, remove

__all__ = ["models_of", "recount"]

_WITHOUT_MODEL: Final = "other"


def models_of(layout: NodeStateLayout[Any, DeviceT, Any, Any], inventory: Sequence[DeviceT]) -> str:
    """Such as ``4 A100, 4 H100``; the name alone where all devices have the same model."""
    models = Counter(layout.model_of(device) for device in inventory)
    if len(models) == 1:
        return next(iter(models))
    return ", ".join(f"{number} {model or _WITHOUT_MODEL}" for model, number in models.items())


def recount(
    layout: NodeStateLayout[StateT, DeviceT, Any, Any],
    state: StateT,
    inventory: Sequence[DeviceT],
    others: Mapping[str, str] | None = None,
) -> Sequence[Operation]:
    """What a JSON patch has to do so that the texts are about an inventory; fails where the ledger is faster.

    Args:
        layout: of the object.
        state: the object.
        inventory: the devices of the node.
        others: what else annotations are to say; an empty text removes one.
    """
    annotations, devices = state.metadata.annotations, len(inventory)
    number, models = {}, {layout.models_annotation: models_of(layout, inventory)}
    if not annotations.get(layout.allocated_annotation, "").endswith(
        f"/{devices}"
    ):  # else the controller's, which knows better
        number = {layout.allocated_annotation: layout.allocated_text(layout.entries_of(state), devices)}
    if annotations.get(layout.models_annotation) == models[layout.models_annotation]:
        models = {}
    texts = {name: text for name, text in (others or {}).items() if annotations.get(name, "") != text}
    wanted = {**number, **models, **{name: text for name, text in texts.items() if text}}
    removals = [remove(pointer("metadata", "annotations", name)) for name, text in texts.items() if not text]
    return (*(annotate(annotations, wanted, tested=number) if wanted else ()), *removals)
