"""The parts of a published device, compiled from those of a profile: attributes, capacity, counters, node resources."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from fake_dra_driver.api.deviceprofile import (
    ConsecutiveCounters,
    CounterConsumption,
    NodeResource,
    ProfileAttribute,
    ProfileCapacity,
    ProfileRequestPolicy,
    SharedCounterSet,
)
from fake_dra_driver.api.resource import v1
from fake_dra_driver.driver.profile.field import (
    Field,
    FieldError,
    read_bool,
    read_int,
    read_quantity,
    read_text,
    read_value,
    read_version,
)

__all__ = [
    "CounterSets",
    "Part",
    "Variables",
    "attribute_part",
    "capacity_part",
    "consecutive_part",
    "consumption_part",
    "counter_set_part",
    "node_resource_part",
]

Variables = Mapping[str, Any]
CounterSets = Mapping[str, Mapping[str, v1.Counter]]
"""By name of the set: what there is of each counter."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A part of what is published, and the templates that it is made of."""

    fields: tuple[Field[Any], ...]
    make: Callable[[Variables], T]
    """Raises FieldError."""

    def depends_on(self, names: frozenset[str]) -> bool:
        """Whether it can change with one of these variables."""
        return any(each.depends_on(names) for each in self.fields)


# --- Attributes

_ATTRIBUTES: Final[Mapping[str, Callable[[str], Any]]] = {
    "int": read_int,
    "bool": read_bool,
    "boolTemplate": read_bool,
    "string": read_value,
    "version": read_version,
    "ints": read_int,
    "bools": read_bool,
    "strings": read_value,
    "versions": read_version,
}
"""By field of an attribute in a profile: what reads its text, or that of each entry."""
_ALIASES: Final = {"boolTemplate": "bool"}


def attribute_part(path: str, attribute: ProfileAttribute) -> Part[v1.DeviceAttribute]:
    """An attribute. Raises FieldError."""
    given = {kind: value for kind, value in attribute.to_wire().items() if kind in _ATTRIBUTES}
    if len(given) != 1:
        raise FieldError(path, f"exactly one of {', '.join(_ATTRIBUTES)} has to be set, are {len(given)}")
    ((kind, value),) = given.items()
    read, name = _ATTRIBUTES[kind], _ALIASES.get(kind, kind)
    if isinstance(value, list):
        entries = tuple(
            Field.compile(f"{path}.{kind}[{number}]", _text(entry), read) for number, entry in enumerate(value)
        )
        return Part(
            entries, lambda variables: v1.DeviceAttribute(**{name: tuple(each.value(variables) for each in entries)})
        )
    field = Field.compile(f"{path}.{kind}", _text(value), read)
    return Part((field,), lambda variables: v1.DeviceAttribute(**{name: field.value(variables)}))


def _text(value: int | str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- Capacity


def capacity_part(path: str, capacity: ProfileCapacity) -> Part[v1.DeviceCapacity]:
    """A capacity. Raises FieldError."""
    value = Field.compile(f"{path}.value", capacity.value, read_quantity)
    if capacity.request_policy is None:
        return Part((value,), lambda variables: v1.DeviceCapacity(value=value.value(variables)))
    policy = _policy_part(f"{path}.requestPolicy", capacity.request_policy)
    return Part(
        (value, *policy.fields),
        lambda variables: v1.DeviceCapacity(value=value.value(variables), request_policy=policy.make(variables)),
    )


def _policy_part(path: str, policy: ProfileRequestPolicy) -> Part[v1.CapacityRequestPolicy]:
    default = _optional(f"{path}.default", policy.default)
    values = [
        Field.compile(f"{path}.validValues[{number}]", each, read_quantity)
        for number, each in enumerate(policy.valid_values or ())
    ]
    amounts = {
        name: Field.compile(f"{path}.validRange.{name}", amount, read_quantity)
        for name, amount in (policy.valid_range.to_wire() if policy.valid_range else {}).items()
    }

    def make(variables: Variables) -> v1.CapacityRequestPolicy:
        fields: dict[str, Any] = {name: field.value(variables) for name, field in default.items()}
        if values:
            fields["valid_values"] = tuple(each.value(variables) for each in values)
        if amounts:
            within = {name: field.value(variables) for name, field in amounts.items()}
            fields["valid_range"] = v1.CapacityRequestPolicyRange(**within)
        return v1.CapacityRequestPolicy(**fields)

    return Part((*default.values(), *values, *amounts.values()), make)


def _optional(path: str, value: int | str | None) -> dict[str, Field[str]]:
    return {} if value is None else {path.rpartition(".")[2]: Field.compile(path, value, read_quantity)}


# --- Counters


def consecutive_part(path: str, counters: ConsecutiveCounters) -> Part[dict[str, str]]:
    """Quantities by name, where the names end in a number. Raises FieldError."""
    first = Field.compile(f"{path}.first", counters.first, read_int)
    value = Field.compile(f"{path}.value", counters.value, read_quantity)

    def make(variables: Variables) -> dict[str, str]:
        start, amount = first.value(variables), value.value(variables)
        return {f"{counters.prefix}{number}": amount for number in range(start, start + counters.count)}

    return Part((first, value), make)


def _counters_part(
    path: str, counters: Mapping[str, int | str], consecutive: tuple[ConsecutiveCounters, ...]
) -> Part[dict[str, v1.Counter]]:
    single = [
        (
            Field.compile(f"{path}.counters[{name}]", name, read_text),
            Field.compile(f"{path}.counters[{name}]", value, read_quantity),
        )
        for name, value in counters.items()
    ]
    more = [consecutive_part(f"{path}.consecutive[{number}]", each) for number, each in enumerate(consecutive)]

    def make(variables: Variables) -> dict[str, v1.Counter]:
        found = {name.value(variables): value.value(variables) for name, value in single}
        for each in more:
            found |= each.make(variables)
        return {name: v1.Counter(value=value) for name, value in found.items()}

    return Part(
        (*(field for pair in single for field in pair), *(field for each in more for field in each.fields)), make
    )


def counter_set_part(path: str, counters: SharedCounterSet) -> Part[v1.CounterSet]:
    """A counter set. Raises FieldError."""
    name = Field.compile(f"{path}.name", counters.name, read_text)
    contents = _counters_part(path, counters.counters, counters.consecutive)
    return Part(
        (name, *contents.fields),
        lambda variables: v1.CounterSet(name=name.value(variables), counters=contents.make(variables)),
    )


def consumption_part(
    path: str, consumption: CounterConsumption
) -> Part[Callable[[CounterSets, CounterSets], v1.DeviceCounterConsumption]]:
    """What a device takes from a counter set, given the sets of its group's device, and all. Raises FieldError."""
    name = Field.compile(f"{path}.counterSet", consumption.counter_set, read_text)
    counters = _counters_part(path, consumption.counters or {}, consumption.consecutive or ())

    def make(variables: Variables) -> Callable[[CounterSets, CounterSets], v1.DeviceCounterConsumption]:
        wanted, taken = name.value(variables), counters.make(variables)

        def take(own: CounterSets, shared: CounterSets) -> v1.DeviceCounterConsumption:
            found = wanted or _only(own, name.path)
            there = {**shared, **own}.get(found)
            if there is None:
                known = ", ".join(sorted({*own, *shared})) or "none"
                raise FieldError(name.path, f"there is no counter set {found}; there are {known}")
            for each in taken:
                if each not in there:
                    known = ", ".join(sorted(there))
                    raise FieldError(
                        f"{path}.counters[{each}]", f"the counter set {found} has no counter {each}, only {known}"
                    )
            return v1.DeviceCounterConsumption(counter_set=found, counters=there if consumption.all else taken)

        return take

    return Part((name, *counters.fields), make)


def _only(own: CounterSets, path: str) -> str:
    if len(own) != 1:
        raise FieldError(path, f"must be given, as the group has {len(own)} counter sets of its own")
    (name,) = own
    return name


# --- Resources of the node


def node_resource_part(path: str, resource: NodeResource) -> Part[v1.NodeAllocatableResource]:
    """What a device takes from a resource of its node. Raises FieldError."""
    mapping, overhead = resource.mapping, resource.overhead
    factors: dict[str, Field[str]] = {}
    amounts: dict[str, Field[str]] = {}
    if mapping is not None:
        by_capacity = mapping.capacity_multiplier
        if mapping.capacity_key is not None and by_capacity is None:
            by_capacity = 1
        factors |= _optional(f"{path}.mapping.capacityMultiplier", by_capacity)
        factors |= _optional(f"{path}.mapping.deviceMultiplier", mapping.device_multiplier)
    if overhead is not None:
        amounts |= _optional(f"{path}.overhead.perPod", overhead.per_pod)
        amounts |= _optional(f"{path}.overhead.perContainer", overhead.per_container)

    def make(variables: Variables) -> v1.NodeAllocatableResource:
        fields: dict[str, Any] = {}
        if mapping is not None:
            key = {} if mapping.capacity_key is None else {"capacityKey": mapping.capacity_key}
            fields["mapping"] = {**key, **{name: each.value(variables) for name, each in factors.items()}}
        if overhead is not None:
            fields["overhead"] = {name: each.value(variables) for name, each in amounts.items()}
        return v1.NodeAllocatableResource.model_validate(fields)

    return Part((*factors.values(), *amounts.values()), make)
