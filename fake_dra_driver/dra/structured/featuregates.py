"""Which fields of ResourceSlices an API server drops in silence, and which feature gate brings them back.

A field whose gate is off, or which the release does not know, is taken out of what is written, without an error or a
warning (dropDisabledFields in pkg/registry/resource/resourceslice/strategy.go). Only comparing the answer with what was
sent shows it. Unlike DroppedFieldsError of Go's helper, the fields themselves are named.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.slicespec import at_generation, in_words_of

__all__ = ["FEATURE_GATES", "DroppedFields", "FeatureGate", "dropped_fields", "gated_fields"]


@dataclass(frozen=True, slots=True)
class FeatureGate:
    """A feature gate of kube-apiserver that fields of slices depend on."""

    name: str
    fields: tuple[str, ...]
    """Their paths below ``spec``, without indexes and keys."""
    since: str
    """The first release that knows the fields."""
    default_since: str | None
    """The first release in which it is on by default; None: so far in none."""
    needs: str = ""
    """Another gate that has to be on as well."""

    def __str__(self) -> str:
        names = f"{self.name} and {self.needs}" if self.needs else self.name
        default = "off by default" if self.default_since is None else f"on by default since {self.default_since}"
        return f"{names} (Kubernetes {self.since} and later, {default})"


FEATURE_GATES: Final = (
    FeatureGate("DRADeviceTaints", ("devices[].taints",), "1.33", "1.36"),
    FeatureGate(
        "DRAPartitionableDevices",
        (
            *("sharedCounters", "perDeviceNodeSelection", "devices[].consumesCounters"),
            *("devices[].nodeName", "devices[].nodeSelector", "devices[].allNodes"),
        ),
        "1.33",
        "1.36",
    ),
    FeatureGate(
        "DRAConsumableCapacity",
        ("devices[].allowMultipleAllocations", "devices[].capacity[].requestPolicy"),
        "1.34",
        "1.36",
    ),
    FeatureGate(
        "DRADeviceBindingConditions",
        ("devices[].bindsToNode", "devices[].bindingConditions", "devices[].bindingFailureConditions"),
        "1.34",
        "1.36",
        needs="DRAResourceClaimDeviceStatus",
    ),
    FeatureGate(
        "DRAListTypeAttributes",
        tuple(f"devices[].attributes[].{kind}" for kind in ("ints", "bools", "strings", "versions")),
        "1.36",
        None,
    ),
    FeatureGate("DRANodeAllocatableResources", ("devices[].nodeAllocatableResourceMappings",), "1.36", None),
    # The same gate in other words: the field of 1.36 was replaced.
    FeatureGate("DRANodeAllocatableResources", ("devices[].nodeAllocatableResources",), "1.37", None),
    FeatureGate("DRAPartitionableDevicesType", ("partitionTypeAttribute",), "1.37", None),
    FeatureGate("DRAOptionalNodeOperations", ("skipNodeOperations",), "1.37", None),
    FeatureGate("DRADeviceCompatibilityGroups", ("devices[].consumesCounters[].compatibilityGroups",), "1.37", None),
)
"""From pkg/features/kube_features.go of 1.32 to 1.37."""

_BY_FIELD: Final = {field: gate for gate in FEATURE_GATES for field in gate.fields}
_MAPS: Final = frozenset({"attributes", "capacity", "counters", "nodeAllocatableResources"})
"""Fields whose keys are names, of the driver's choice or of resources."""


@dataclass(frozen=True, slots=True)
class DroppedFields:
    """What an API server has not kept of a slice."""

    fields: tuple[str, ...]
    """Paths below ``spec``, without indexes and keys, sorted."""

    @property
    def gates(self) -> tuple[FeatureGate, ...]:
        """The gates that bring them back, as far as they are known."""
        return tuple(gate for gate in FEATURE_GATES if any(_BY_FIELD.get(field) is gate for field in self.fields))

    def __str__(self) -> str:
        unexplained = [field for field in self.fields if field not in _BY_FIELD]
        parts = [f"the API server does not keep {_listed(self.fields)} of ResourceSlices"]
        if self.gates:
            gates = "gate" if len(self.gates) == 1 else "gates"
            parts.append(f"switch on the feature {gates} {_listed(self.gates)} in kube-apiserver")
        if unexplained:
            parts.append(f"no feature gate is known for {_listed(unexplained)}: an admission webhook may be the cause")
        return "; ".join(parts)


def dropped_fields(sent: v1.ResourceSliceSpec, stored: v1.ResourceSliceSpec) -> DroppedFields | None:
    """What of the slice that was sent is not in what the API server has stored; None when all of it is."""
    spelled = in_words_of(at_generation(sent, stored.pool.generation), stored)
    fields = sorted(set(_lost(spelled.to_wire(), stored.to_wire(), "")))
    return DroppedFields(tuple(fields)) if fields else None


def gated_fields(spec: v1.ResourceSliceSpec) -> frozenset[str]:
    """The fields of a slice that some API server would drop, as ``DroppedFields`` names them."""
    return frozenset(field for field in _paths(spec.to_wire(), "") if field in _BY_FIELD)


def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _paths(inner, _below(path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, f"{path}[]")
    if path and not _is_empty(value):
        yield path


def _below(path: str, name: str) -> str:
    return f"{path}[]" if path.rpartition(".")[2] in _MAPS else f"{path}.{name}" if path else name


def _lost(sent: Any, stored: Any, path: str) -> Iterator[str]:
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        for name, value in sent.items():
            here = _below(path, name)
            if name in stored:
                yield from _lost(value, stored[name], here)
            elif not _is_empty(value):
                yield here
    elif isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        for one, other in zip(sent, stored, strict=True):
            yield from _lost(one, other, f"{path}[]")
    elif sent != stored:
        yield path


def _is_empty(value: Any) -> bool:
    """Whether leaving the field out says the same. False and 0 are values: what they stand for is not nothing."""
    return value is None or (isinstance(value, Mapping | list | str) and not value)


def _listed(things: Iterable[object]) -> str:
    return ", ".join(map(str, things))
