"""How many devices of a node are allocated, as ``kubectl get nas`` shows it: it cannot count what is in ``spec``.

Each writer of what the number depends on writes the number in the same request: the ledger with each write, the
publisher when it publishes another inventory. Nothing is decided on it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.api.fake import ALLOCATED_ANNOTATION, NodeAllocationState
from fake_dra_driver.runtime.patch import Operation, annotate

__all__ = ["allocated_of", "annotation_path", "recount"]


def allocated_of(claims: Mapping[str, Any], devices: int) -> str:
    """Such as ``5/8``: devices that the entries of the ledger, as they are in JSON, hold, of so many."""
    held = sum(len((entry.get("fake") or {}).get("devices") or ()) for entry in claims.values())
    return f"{held}/{devices}"


def annotation_path(name: str) -> str:
    """Where an annotation is, as JSON patches say it (RFC 6901)."""
    return "/metadata/annotations/" + name.replace("~", "~0").replace("/", "~1")


def recount(state: NodeAllocationState, devices: int) -> Sequence[Operation]:
    """What a JSON patch has to do so that the number is of so many devices; fails where the ledger is faster."""
    annotations = state.metadata.annotations
    if annotations.get(ALLOCATED_ANNOTATION, "").endswith(f"/{devices}"):
        return ()  # the ledger's, which knows better
    claims = {uid: entry.to_wire() for uid, entry in state.spec.allocated_claims.items()}
    number = {ALLOCATED_ANNOTATION: allocated_of(claims, devices)}
    return annotate(annotations, number, tested=number)
