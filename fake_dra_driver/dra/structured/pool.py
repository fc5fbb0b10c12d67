"""What a driver offers in a pool, and the ResourceSlices that say so, as far as a driver decides about them.

The generation of a pool is decided with a view of what exists (``slices``). What differs from Go's helper
(k8s.io/dynamic-resource-allocation/resourceslice): names are not left to the API server, and devices are split here.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.kube.core import NodeSelector
from fake_dra_driver.api.resource import v1
from fake_dra_driver.runtime.errors import TerminalError

__all__ = [
    "MAX_COUNTER_SETS_PER_SLICE",
    "Pool",
    "PoolError",
    "WantedSlice",
    "has_extras",
    "is_name_of_pool",
    "must_count_beside",
    "slices_of",
]

MAX_COUNTER_SETS_PER_SLICE: Final = 8
"""ResourceSliceMaxCounterSets, from Kubernetes 1.35."""
_COUNTED_APART_SINCE: Final = 35
"""Kubernetes 1.35 wants counter sets in slices of their own, and refuses them beside devices; those before it refuse
them apart."""
_MAX_COUNTERS_BESIDE: Final = 32
"""ResourceSliceMaxSharedCounters of Kubernetes 1.33 and 1.34: of all counter sets of a slice."""
_MAX_USES_BESIDE: Final = 1024
"""ResourceSliceMaxDeviceCountersPerSlice, of the same."""
_MAX_NAME: Final = 253
"""Longest name of an object: DNS1123SubdomainMaxLength."""
_HASH_CHARACTERS: Final = 8
_MAX_LISTED: Final = 5
"""How many problems a message lists; the rest are counted."""


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
    """What the devices use up in common."""


class PoolError(TerminalError):
    """Pools that cannot be published as they are: a fault of the driver or of its settings."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = len(problems) - _MAX_LISTED
        listed = "; ".join(problems[:_MAX_LISTED]) + (f"; and {more} more" if more > 0 else "")
        super().__init__(f"the devices cannot be published: {listed}")
        self.problems = tuple(problems)
        """Each: pool, device, field, what is wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class WantedSlice:
    """One slice of a pool."""

    name: str
    spec: v1.ResourceSliceSpec
    """With generation 0."""


def slices_of(driver: str, pool: Pool, *, is_counted_beside: bool = False) -> tuple[WantedSlice, ...]:
    """The slices of a pool: counter sets first, then the devices in their order. None for a pool without devices.

    Args:
        driver: its name.
        pool: what it offers.
        is_counted_beside: whether counter sets have to be in the slices of the devices that use them, as Kubernetes
            1.33 and 1.34 want it, and not in slices of their own.

    Raises:
        PoolError: what has to be in one slice does not fit into one.
    """
    if not pool.devices:
        return ()
    contents = _counted_beside(pool) if is_counted_beside and pool.shared_counters else _counted_apart(pool)
    in_pool = v1.ResourcePool(name=pool.name, generation=0, resource_slice_count=len(contents))
    return tuple(
        WantedSlice(
            _name(index, driver, pool.name),
            v1.ResourceSliceSpec(driver=driver, pool=in_pool, **_nodes(pool), **content),
        )
        for index, content in enumerate(contents)
    )


def must_count_beside(server_version: str) -> bool:
    """Whether an API server of that release, such as ``v1.34.4``, wants counter sets beside the devices."""
    version = re.match(r"v?1\.(\d+)", server_version)
    return version is not None and int(version[1]) < _COUNTED_APART_SINCE


def _counted_apart(pool: Pool) -> Sequence[Mapping[str, Any]]:
    """What each slice has."""
    # By the limit of Kubernetes 1.35 for every release: what older ones take is more. It holds for the whole pool as
    # soon as it holds for one device, or a taint would move all the devices behind it from slice to slice.
    size = v1.MAX_DEVICES_PER_SLICE
    if any(map(has_extras, pool.devices)):
        size = v1.MAX_DEVICES_PER_SLICE_WITH_EXTRAS
    return [
        *({"shared_counters": part} for part in _parts(pool.shared_counters, MAX_COUNTER_SETS_PER_SLICE)),
        *({"devices": part} for part in _parts(pool.devices, size)),
    ]


def _counted_beside(pool: Pool) -> Sequence[Mapping[str, Any]]:
    """What each slice has: devices that use one counter set, also by way of others, are in one slice with it."""
    contents: list[Mapping[str, Any]] = []
    plain: list[v1.Device] = []
    for devices in _counted_together(pool.devices):
        used = {consumption.counter_set for device in devices for consumption in device.consumes_counters}
        if not used:
            plain += devices
            continue
        sets = tuple(one for one in pool.shared_counters if one.name in used)
        _check_room(pool.name, sets, devices)
        contents.append({"shared_counters": sets, "devices": tuple(devices)})
    return [*contents, *({"devices": part} for part in _parts(plain, v1.MAX_DEVICES_PER_SLICE))]


def _counted_together(devices: Sequence[v1.Device]) -> Sequence[Sequence[v1.Device]]:
    """The devices in groups that have no counter set in common; each group, and its devices, in their order."""
    groups: list[tuple[set[str], list[int]]] = []
    for place, device in enumerate(devices):
        sets, places = {consumption.counter_set for consumption in device.consumes_counters}, [place]
        for group in [group for group in groups if group[0] & sets]:
            groups.remove(group)
            sets |= group[0]
            places = [*group[1], *places]
        groups.append((sets, sorted(places)))
    return [[devices[place] for place in places] for _, places in sorted(groups, key=lambda group: group[1][0])]


def _check_room(pool_name: str, sets: Sequence[v1.CounterSet], devices: Sequence[v1.Device]) -> None:
    """Raises PoolError."""
    used = (len(one.counters) for device in devices for one in device.consumes_counters)
    amounts = {
        "counters": (sum(len(one.counters) for one in sets), _MAX_COUNTERS_BESIDE),
        "devices": (len(devices), v1.MAX_DEVICES_PER_SLICE),
        "uses of counters": (sum(used), _MAX_USES_BESIDE),
    }
    names = ", ".join(one.name for one in sets)
    if problems := [
        f"pool {pool_name}: the devices of counter set {names} have to be in one slice, which takes at most {most} "
        f"{what} before Kubernetes 1.35, and have {number}"
        for what, (number, most) in amounts.items()
        if number > most
    ]:
        raise PoolError(problems)


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
