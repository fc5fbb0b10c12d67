"""How many devices of a node are allocated, as ``kubectl get nas`` shows it: it cannot count what is in ``spec``.

Whoever writes what the number depends on writes the number in the same request: the ledger with each write, the
publisher when it publishes another inventory. Nothing is decided on it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.api.fake import ALLOCATED_ANNOTATION, NodeAllocationState

__all__ = ["allocated_of", "annotation_path", "count_anew"]


def allocated_of(claims: Mapping[str, Any], devices: int) -> str:
    """Such as ``5/8``: devices that the entries of the ledger, as they are in JSON, hold, of so many."""
    held = sum(len((entry.get("fake") or {}).get("devices") or ()) for entry in claims.values())
    return f"{held}/{devices}"


def annotation_path(name: str) -> str:
    """Where an annotation is, as JSON patches say it (RFC 6901)."""
    return "/metadata/annotations/" + name.replace("~", "~0").replace("/", "~1")


def count_anew(state: NodeAllocationState, devices: int) -> Sequence[Mapping[str, Any]]:
    """What a JSON patch has to do so that the number is of so many devices; fails where the ledger is faster."""
    claims = {uid: entry.to_wire() for uid, entry in state.spec.allocated_claims.items()}
    there, wanted = state.metadata.annotations.get(ALLOCATED_ANNOTATION), allocated_of(claims, devices)
    if there is not None and there.endswith(f"/{devices}"):
        return ()  # the ledger's, which knows better
    if not state.metadata.annotations:
        path = "/metadata/annotations"
        return [
            {"op": "test", "path": path, "value": None},
            {"op": "add", "path": path, "value": {ALLOCATED_ANNOTATION: wanted}},
        ]
    path = annotation_path(ALLOCATED_ANNOTATION)
    return [{"op": "test", "path": path, "value": there}, {"op": "add", "path": path, "value": wanted}]
