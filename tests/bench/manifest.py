"""The objects of any cluster that the benchmark works in, as JSON for the API server."""

from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["DRIVER_NAMESPACE", "NAMESPACE", "crds", "node"]

NAMESPACE: Final = "bench"
"""Of the pods and claims."""
DRIVER_NAMESPACE: Final = "fake-system"

_CRDS = Path(__file__).resolve().parents[2] / "crds"
_CAPACITY = {"pods": "250", "cpu": "64", "memory": "256Gi"}

Json = dict[str, Any]


def crds() -> list[Json]:
    """The driver's CRDs. Blocks."""
    return [yaml.safe_load(path.read_text()) for path in sorted(_CRDS.glob("*.yaml"))]


def node(name: str) -> Json:
    """A node that says it is ready."""
    condition = {"type": "Ready", "status": "True", "reason": "Static", "message": "made by a benchmark"}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"capacity": _CAPACITY, "allocatable": _CAPACITY, "conditions": [condition]},
    }
