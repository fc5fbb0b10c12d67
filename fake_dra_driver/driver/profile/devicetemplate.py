"""What makes one sort of device of a profile, a whole device or a partition, for each place and each node."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Final, TypeVar

from fake_dra_driver.api.deviceprofile import DeviceGroup, DevicePartition, ProfileAttribute
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device, make_uuids
from fake_dra_driver.driver.profile.containerfields import variables_of
from fake_dra_driver.driver.profile.containers import EnvironmentVariable
from fake_dra_driver.driver.profile.devicefields import (
    CounterSets,
    Part,
    Variables,
    attribute_part,
    capacity_part,
    consecutive_part,
    consumption_part,
    node_resource_part,
)
from fake_dra_driver.driver.profile.field import Field, FieldError, Problems
from fake_dra_driver.driver.profile.mocknode import MockDevice

__all__ = ["DeviceTemplate", "Place", "Surroundings", "partition_template", "whole_template"]

K = TypeVar("K", int, str)
T = TypeVar("T")

_UUIDS: Final = uuid.UUID("5a0b2c6e-3f7d-4b61-9f0e-8d1c7a42e9b3")
"""The namespace in which devices have their UUIDs (RFC 9562, version 5)."""
_UUID_FORM: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,126}[A-Za-z0-9])?")
_MODEL_FORM: Final = re.compile("[!-~]{1,512}")
_LABEL_FORM: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_CHANGING: Final = frozenset({"node", "labels", "parent", "uuid", "fakeUUID", "name"})
"""The variables that are not the same on all nodes."""
_DEFAULT_ATTRIBUTES: Final = {
    "index": ProfileAttribute(int_value="{{ index }}"),
    "model": ProfileAttribute(string="{{ model }}"),
    "type": ProfileAttribute(string="{{ type }}"),
    "uuid": ProfileAttribute(string="{{ uuid }}"),
}


def _read_type(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def _read_model(text: str) -> str:
    if not _MODEL_FORM.fullmatch(text):
        raise ValueError("must be at most 512 characters of ASCII, without blanks")
    return text


def _read_uuid(text: str) -> str:
    # It is also the name of a device in CDI.
    if not _UUID_FORM.fullmatch(text):
        raise ValueError(
            "must be at most 128 letters of English, digits and . _ : -, with a letter or digit at both ends"
        )
    return text


def _read_name(text: str) -> str:
    if not _LABEL_FORM.fullmatch(text):
        raise ValueError("must be at most 63 letters of English in lower case, digits and -, as in gpu-0")
    return text


@dataclass(frozen=True, slots=True)
class Place:
    """Which device of its sort it is to be."""

    index: int
    """Of the whole device in its group."""
    placement: int = 0
    """Of the partition."""
    turn: int = 0
    """Which entry of a list of values is for this place."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is there already when a device is made."""

    common: Variables
    """What templates can use of the node."""
    own_sets: CounterSets
    """The counter sets of the whole device."""
    node_sets: CounterSets
    """Those of the node."""
    parent: MockDevice | None = None
    """The device that it is a part of."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a published device."""

    attributes: Mapping[str, Part[v1.DeviceAttribute]]
    capacity: Mapping[str, Part[v1.DeviceCapacity]]
    consecutive_capacity: Sequence[Part[dict[str, str]]]
    consumption: Sequence[Part[Callable[[CounterSets, CounterSets], v1.DeviceCounterConsumption]]]
    node_resources: Mapping[str, Part[v1.NodeAllocatableResource]]
    fixed: Mapping[str, Any]
    """Fields that are the same for all devices."""

    @property
    def beside_attributes(self) -> Sequence[Part[Any]]:
        """All parts that are templates, but for the attributes."""
        return (
            *self.capacity.values(),
            *self.consecutive_capacity,
            *self.consumption,
            *self.node_resources.values(),
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """The fields that say which device it is."""

    type: Field[str]
    model: Field[str]
    uuid: Field[str]
    name: Field[str]


_IDENTITY: Final = ("type", "model", "uuid", "name")


@dataclass(frozen=True, slots=True)
class _Made:
    """A device, as on the node before."""

    own: Mapping[str, Any]
    """The variables of templates that are the same on all nodes."""
    published: v1.Device


class DeviceTemplate:
    """One sort of device of a group."""

    def __init__(
        self,
        group: DeviceGroup,
        partition: DevicePartition | None,
        identity: Identity,
        parts: Parts,
        environment: tuple[EnvironmentVariable, ...] | None,
        *,
        sets_change: bool,
    ) -> None:
        """``sets_change``: the counter sets that the device consumes are not the same on all nodes."""
        self._group = group.name
        self._count = group.count
        self._partition = "" if partition is None else partition.name
        self._identity = identity
        self._parts = parts
        self._environment = environment
        self._values = {**group.values, **(partition.values if partition is not None else {})}
        self._own_values = frozenset(partition.values if partition is not None else ())
        changing = _CHANGING
        changing |= {name for name in ("type", "model") if getattr(identity, name).depends_on(_CHANGING)}
        self.fields_change = sets_change or any(part.depends_on(changing) for part in parts.beside_attributes)
        """Whether more than names and attributes differs from node to node."""
        self._changing_parts = {name: part for name, part in parts.attributes.items() if part.depends_on(changing)}
        self._steady = [name for name in _IDENTITY if not getattr(identity, name).depends_on(changing)]
        """What else of a device's identity is the same on all nodes."""
        self._wants_fake_uuid = identity.uuid.depends_on(frozenset({"fakeUUID"}))
        self._made: dict[tuple[int, int], _Made] = {}
        """By index and placement: the device there, as on the node before."""

    def reads(self, names: frozenset[str]) -> bool:
        """Whether one of these variables makes a difference."""
        identity = self._identity
        return any(
            (
                *(part.depends_on(names) for part in self._parts.attributes.values()),
                *(part.depends_on(names) for part in self._parts.beside_attributes),
                *(each.depends_on(names) for each in (identity.type, identity.model, identity.uuid, identity.name)),
            )
        )

    def device(self, place: Place, around: Surroundings, problems: Problems) -> MockDevice | None:
        """The device at a place; None if it has problems, which are noted."""
        key = (place.index, place.placement)
        before = self._made.get(key)
        own = self._own_variables(place) if before is None else before.own
        variables = {**around.common, **own, "parent": _parent(around.parent)}
        known = len(problems.found)
        try:
            identity = self._identify(variables)
        except FieldError as error:
            where = f", placement {place.placement} of {self._partition}" if self._partition else ""
            problems.add(error.path, error.message, f"{place.index} of the group {self._group}{where}")
            return None
        if before is None or self.fields_change:
            published = self._published(variables, around, problems)
        else:
            # What changes keeps the place that it has in the profile.
            made = _made(self._changing_parts, variables, identity.name, problems)
            attributes = {**before.published.attributes, **made}
            published = before.published.model_copy(update={"name": identity.name, "attributes": attributes})
        if len(problems.found) > known:
            return None
        if before is None:
            self._made[key] = _Made({**own, **{name: variables[name] for name in self._steady}}, published)
        return MockDevice(
            identity,
            published,
            group=self._group,
            index=place.index,
            parent="" if around.parent is None else around.parent.name,
            variables=variables,
            environment=self._environment,
        )

    def _own_variables(self, place: Place) -> dict[str, Any]:
        """Those that are the same on all nodes."""
        return {
            "group": self._group,
            "index": place.index,
            "partition": self._partition,
            "placement": place.placement,
            "values": self._values_at(place),
        }

    def _values_at(self, place: Place) -> Mapping[str, Any]:
        if not self._values:
            return {}
        turns = {name: place.turn if name in self._own_values else place.index for name in self._values}
        return {name: entries[turns[name] % len(entries)] for name, entries in self._values.items() if entries}

    def _identify(self, variables: dict[str, Any]) -> Device:
        """Says which device it is, to the templates, too. Raises FieldError."""
        fields = self._identity
        for name in ("type", "model"):
            if name not in variables:
                variables[name] = getattr(fields, name).value(variables)
        if "uuid" not in variables:
            variables["uuid"] = fields.uuid.value({**variables, **self._generated(variables)})
        if "name" not in variables:
            variables["name"] = fields.name.value(variables)
        return Device(variables["uuid"], variables["model"], variables["type"], variables["name"])

    def _generated(self, variables: Variables) -> Variables:
        node, index = variables["node"], variables["index"]
        if self._wants_fake_uuid:
            return {"uuid": "", "fakeUUID": make_uuids(node, self._count)[index]}
        which = f"{variables['driver']}/{node}/{self._group}/{index}"
        if self._partition:
            which = f"{which}/{self._partition}/{variables['placement']}"
        return {"uuid": _uuid_of(which)}

    def _published(self, variables: Variables, around: Surroundings, problems: Problems) -> v1.Device:
        name = variables["name"]
        fields = self._fields(variables, around, name, problems)
        return v1.Device(name=name, attributes=_made(self._parts.attributes, variables, name, problems), **fields)

    def _fields(self, variables: Variables, around: Surroundings, name: str, problems: Problems) -> dict[str, Any]:
        """All of the published device but its name and attributes."""
        parts = self._parts
        fields = dict(parts.fixed)
        capacity = _made(parts.capacity, variables, name, problems)
        for amounts in _made(dict(enumerate(parts.consecutive_capacity)), variables, name, problems).values():
            capacity |= {each: v1.DeviceCapacity(value=value) for each, value in amounts.items()}
        if capacity:
            fields["capacity"] = capacity
        taken = []
        for take in _made(dict(enumerate(parts.consumption)), variables, name, problems).values():
            with problems.noted(name):
                taken.append(take(around.own_sets, around.node_sets))
        if taken:
            fields["consumes_counters"] = tuple(taken)
        if parts.node_resources:
            fields["node_allocatable_resources"] = _made(parts.node_resources, variables, name, problems)
        return fields


def _made(parts: Mapping[K, Part[T]], variables: Variables, device: str, problems: Problems) -> dict[K, T]:
    found = {}
    for name, part in parts.items():
        try:
            found[name] = part.make(variables)
        except FieldError as error:
            problems.add(error.path, error.message, device)
    return found


def _uuid_of(name: str) -> str:
    """``str(uuid.uuid5(_UUIDS, name))``, in a third of the time: it is most of what devices differ in."""
    digest = bytearray(sha1(_UUIDS.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    digits = digest.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _parent(parent: MockDevice | None) -> Mapping[str, str]:
    return {} if parent is None else {"name": parent.name, "uuid": parent.device.uuid}


# --- From a profile


def whole_template(path: str, group: DeviceGroup, problems: Problems, *, sets_change: bool) -> DeviceTemplate | None:
    """What makes the whole devices of a group; None if it has problems, which are noted.

    Args:
        path: of the group.
        group: what the profile says.
        problems: where they are noted.
        sets_change: whether the counter sets of the group are not the same on all nodes.
    """
    return _template(path, group, None, problems, sets_change=sets_change)


def partition_template(
    path: str, group: DeviceGroup, partition: DevicePartition, problems: Problems, *, sets_change: bool
) -> DeviceTemplate | None:
    """What makes the devices of one sort that are parts of a group's; as ``whole_template``."""
    return _template(path, group, partition, problems, sets_change=sets_change)


def _template(
    path: str, group: DeviceGroup, partition: DevicePartition | None, problems: Problems, *, sets_change: bool
) -> DeviceTemplate | None:
    known = len(problems.found)
    identity = _identity(path, group, partition, problems)
    parts = _parts(path, group, partition, problems)
    group_path = path.partition(".partitions[")[0]
    environment = variables_of(f"{group_path}.environment", group.environment)
    if partition is not None and partition.environment is not None:
        environment = variables_of(f"{path}.environment", partition.environment)
    if identity is None or len(problems.found) > known:
        return None
    return DeviceTemplate(group, partition, identity, parts, environment, sets_change=sets_change)


_PARTITION_NAME: Final = "{{ parent.name }}-{{ partition | dnsLabel }}-{{ placement }}"


def _identity(path: str, group: DeviceGroup, partition: DevicePartition | None, problems: Problems) -> Identity | None:
    type_, model = (partition and partition.type) or group.type, (partition and partition.model) or group.model
    uuid_ = (partition.uuid or "{{ uuid }}") if partition is not None else group.uuid
    name = (partition.device_name or _PARTITION_NAME) if partition is not None else group.device_name
    try:
        return Identity(
            Field.compile(f"{path}.type", type_, _read_type),
            Field.compile(f"{path}.model", model, _read_model),
            Field.compile(f"{path}.uuid", uuid_, _read_uuid),
            Field.compile(f"{path}.deviceName", name, _read_name),
        )
    except FieldError as error:
        problems.add(error.path, error.message)
        return None


def _parts(path: str, group: DeviceGroup, partition: DevicePartition | None, problems: Problems) -> Parts:
    of = group if partition is None else partition
    group_path = path.partition(".partitions[")[0]
    own = of.attributes or {}
    common = group.common_attributes or {}
    if of.attributes is None and group.common_attributes is None:
        own = _DEFAULT_ATTRIBUTES
    attributes: dict[str, Part[v1.DeviceAttribute]] = {}
    for where, found in ((f"{group_path}.commonAttributes", common), (f"{path}.attributes", own)):
        for name, attribute in found.items():
            with problems.noted():
                attributes[name] = attribute_part(f"{where}[{name}]", attribute)
    capacity: dict[str, Part[v1.DeviceCapacity]] = {}
    for name, amount in of.capacity.items():
        with problems.noted():
            capacity[name] = capacity_part(f"{path}.capacity[{name}]", amount)
    consecutive: list[Part[dict[str, str]]] = []
    for number, each in enumerate(of.consecutive_capacity):
        with problems.noted():
            consecutive.append(consecutive_part(f"{path}.consecutiveCapacity[{number}]", each))
    consumption = []
    for number, taken in enumerate(of.consumes_counters):
        with problems.noted():
            consumption.append(consumption_part(f"{path}.consumesCounters[{number}]", taken))
    resources: dict[str, Part[v1.NodeAllocatableResource]] = {}
    for name, resource in group.node_allocatable_resources.items():
        with problems.noted():
            resources[name] = node_resource_part(f"{group_path}.nodeAllocatableResources[{name}]", resource)
    return Parts(attributes, capacity, consecutive, consumption, resources, _fixed(group, partition))


def _fixed(group: DeviceGroup, partition: DevicePartition | None) -> Mapping[str, Any]:
    shared = group.allow_multiple_allocations
    if partition is not None and partition.allow_multiple_allocations is not None:
        shared = partition.allow_multiple_allocations
    fields = {
        "taints": tuple(
            v1.DeviceTaint(key=each.key, effect=each.effect, **({"value": each.value} if each.value else {}))
            for each in group.taints
        ),
        "binding_conditions": group.binding_conditions,
        "binding_failure_conditions": group.binding_failure_conditions,
    }
    flags = {"binds_to_node": group.binds_to_node or None, "allow_multiple_allocations": shared}
    return {
        **{name: value for name, value in fields.items() if value},
        **{name: value for name, value in flags.items() if value is not None},
    }
