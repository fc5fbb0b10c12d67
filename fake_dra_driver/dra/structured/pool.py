"""What a driver offers in a pool, and the ResourceSlices that say so, as far as a driver decides about them.

The generation of a pool is decided with a view of what exists (``slices``). What differs from Go's helper
(k8s.io/dynamic-resource-allocation/resourceslice): names are not left to the API server, and devices are split here.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.kube.core import NodeSelector
from fake_dra_driver.api.resource import v1

__all__ = ["MAX_COUNTER_SETS_PER_SLICE", "Pool", "WantedSlice", "has_extras", "is_name_of_pool", "slices_of"]

MAX_COUNTER_SETS_PER_SLICE: Final = 8
"""ResourceSliceMaxCounterSets, from Kubernetes 1.35."""
_MAX_NAME: Final = 253
"""Longest name of an object: DNS1123SubdomainMaxLength."""
_HASH_CHARACTERS: Final = 8


@dataclass(frozen=True, slots=True)
class Pool:
    """Devices that a driver offers under one name. Exactly one of the four that say on which nodes is to be set."""

    name: str
    """Devices are addressed by driver, pool and device. The node's name, where it is the node that has them."""
    devices: tuple[v1.Device, ...]
    """In the order in which the scheduler is to try them (from Kubernetes 1.36)."""
    node_name: str | None = None
    node_selector: NodeSelector | None = None
    all_nodes: bool = False
    per_device_node_selection: bool = False
    """Each device says for itself on which nodes it can be used."""
    shared_counters: tuple[v1.CounterSet, ...] = ()
    """What the devices use up in common, published in slices of their own. Kubernetes 1.33 and 1.34, where this is an
    alpha feature, want it beside the devices and refuse it so."""


@dataclass(frozen=True, slots=True)
class WantedSlice:
    """One slice of a pool."""

    name: str
    spec: v1.ResourceSliceSpec
    """With generation 0."""


def slices_of(driver: str, pool: Pool) -> tuple[WantedSlice, ...]:
    """The slices of a pool: counter sets first, then the devices in their order. None for a pool without devices."""
    if not pool.devices:
        return ()
    # By the limit of Kubernetes 1.35 for every release: what older ones take is more. It holds for the whole pool as
    # soon as it holds for one device, or a taint would move all the devices behind it from slice to slice.
    size = v1.MAX_DEVICES_PER_SLICE
    if any(map(has_extras, pool.devices)):
        size = v1.MAX_DEVICES_PER_SLICE_WITH_EXTRAS
    contents: list[dict[str, Any]] = [
        *({"shared_counters": part} for part in _parts(pool.shared_counters, MAX_COUNTER_SETS_PER_SLICE)),
        *({"devices": part} for part in _parts(pool.devices, size)),
    ]
    in_pool = v1.ResourcePool(name=pool.name, generation=0, resource_slice_count=len(contents))
    return tuple(
        WantedSlice(
            _name(index, driver, pool.name),
            v1.ResourceSliceSpec(driver=driver, pool=in_pool, **_nodes(pool), **content),
        )
        for index, content in enumerate(contents)
    )


def has_extras(device: v1.Device) -> bool:
    """Whether a device has what halves the number of devices that a slice can have."""
    lists = any(value.ints or value.bools or value.strings or value.versions for value in device.attributes.values())
    return bool(device.taints or device.consumes_counters or lists)


def is_name_of_pool(name: str, driver: str, pool_name: str) -> bool:
    """Whether a slice of that name may have been made by this driver for that pool."""
    index, _, rest = name.partition("-")
    return re.fullmatch("[0-9a-f]{5}", index) is not None and rest == _base_name(driver, pool_name)


def _name(index: int, driver: str, pool_name: str) -> str:
    """The name of a slice: ``<5 hex digits>-<driver>-<pool>-<hash>``, so that the order of names is that of devices.

    Go's helper lets the API server end the name with random characters. A name that is known beforehand makes creation
    idempotent: neither a lost answer, nor two plugins of a node during a rolling update, lead to two slices with the
    same devices, for which the scheduler would take the whole pool to be invalid.
    """
    return f"{index:05x}-{_base_name(driver, pool_name)}"


def _base_name(driver: str, pool_name: str) -> str:
    digest = hashlib.sha256(f"{driver}\0{pool_name}".encode()).digest()
    unique = base64.b32encode(digest).decode().lower()[:_HASH_CHARACTERS]
    readable = f"{driver}-{pool_name}".lower().replace("/", "-")
    readable = readable[: _MAX_NAME - len("00000-") - 1 - _HASH_CHARACTERS].rstrip("-.")
    return f"{readable}-{unique}"


def _nodes(pool: Pool) -> dict[str, Any]:
    """The fields that say on which nodes. Those that are not set are left out: v1 takes neither "" nor false."""
    fields = {
        "node_name": pool.node_name,
        "node_selector": pool.node_selector,
        "all_nodes": pool.all_nodes,
        "per_device_node_selection": pool.per_device_node_selection,
    }
    return {name: value for name, value in fields.items() if value}


def _parts(entries: Sequence[Any], size: int) -> list[tuple[Any, ...]]:
    return [tuple(entries[first : first + size]) for first in range(0, len(entries), size)]
