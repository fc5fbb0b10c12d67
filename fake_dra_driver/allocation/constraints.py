"""Constraints of a claim: attributes that its devices must have in common, or that must differ.

Follows constraint.go and the allocator of k8s.io/dynamic-resource-allocation. A constraint that a device breaks stays
broken whatever is added, so the search need not look further.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import Literal, NamedTuple

from typing_extensions import override

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.candidate import Candidate
from fake_dra_driver.allocation.identity import DeviceId
from fake_dra_driver.allocation.obstacles import ConstraintBroken
from fake_dra_driver.api.resource.v1 import Device, DeviceAttribute, DeviceConstraint

__all__ = ["Constraint", "LastDistinctAttribute", "Values", "attribute_of", "constraint_of"]

Values = frozenset[tuple[str, object]]
"""The values of an attribute, each with its type."""


def attribute_of(driver: str, device: Device, name: str) -> DeviceAttribute | None:
    """What a device has under a full name: an attribute of this name, or its driver's without the domain."""
    found = device.attributes.get(name)
    if found is None:
        domain, _, identifier = name.partition("/")
        if domain == driver:
            found = device.attributes.get(identifier)
    return found


class _Chosen(NamedTuple):
    """A device that was chosen under a constraint."""

    device: DeviceId
    request: str
    attribute: DeviceAttribute
    values: Values
    """What later devices are compared with."""


class Constraint(ABC):
    """A constraint, and the devices that were chosen under it so far."""

    kind: Literal["match", "distinct"]

    def __init__(self, index: int, attribute: str, *, lists: bool) -> None:
        """No devices yet.

        Args:
            index: its place among the claim's constraints.
            attribute: the full name.
            lists: whether attributes may have several values (DRAListTypeAttributes).
        """
        self._index = index
        self._attribute = attribute
        self._lists = lists
        self._chosen: list[_Chosen] = []

    def find_violation(self, candidate: Candidate) -> ConstraintBroken | None:
        """What would be wrong if the device were added."""
        attribute = attribute_of(candidate.id.driver, candidate.device, self._attribute)
        if attribute is not None and self._admits(self._values_of(attribute)):
            return None
        others: Mapping[DeviceId, DeviceAttribute] = {each.device: each.attribute for each in self._chosen}
        return ConstraintBroken(candidate.id, self._index, self.kind, self._attribute, attribute, others)

    def add(self, candidate: Candidate, request: str) -> None:
        """The device was chosen for a request; nothing is wrong with it."""
        attribute = attribute_of(candidate.id.driver, candidate.device, self._attribute)
        if attribute is None:
            raise ValueError(f"{candidate.id} has no attribute {self._attribute}")
        values = self._narrowed(self._values_of(attribute))
        self._chosen.append(_Chosen(candidate.id, request, attribute, values))

    def remove(self) -> None:
        """The device that was added last was not chosen after all."""
        self._chosen.pop()

    def values_on(self, candidate: Candidate) -> Values | None:
        """What is compared of a device; None: it lacks the attribute."""
        attribute = attribute_of(candidate.id.driver, candidate.device, self._attribute)
        return None if attribute is None else self._values_of(attribute)

    @property
    @abstractmethod
    def state(self) -> Hashable:
        """Equal where the same devices can be added, now and later."""

    @abstractmethod
    def _admits(self, values: Values) -> bool:
        """Whether a device with these values can be added."""

    @abstractmethod
    def _narrowed(self, values: Values) -> Values:
        """What to compare with later, once the device with these values is added."""

    def _values_of(self, attribute: DeviceAttribute) -> Values:
        lists = {
            "int": attribute.ints,
            "bool": attribute.bools,
            "string": attribute.strings,
            "version": attribute.versions,
        }
        if self._lists:
            for kind, values in lists.items():
                if values:
                    return frozenset((kind, each) for each in values)
        single = {
            "string": attribute.string,
            "int": attribute.int_value,
            "bool": attribute.bool_value,
            "version": attribute.version,
        }
        return frozenset([(kind, value) for kind, value in single.items() if value is not None][:1])


class MatchAttribute(Constraint):
    """All devices have a value in common."""

    kind = "match"

    @property
    @override
    def state(self) -> Hashable:
        return self._chosen[-1].values if self._chosen else None

    @override
    def _admits(self, values: Values) -> bool:
        if not self._chosen:
            # Without the feature the first device is not looked at: it may have a value that no other can have.
            return bool(values) or not self._lists
        return bool(values & self._chosen[-1].values)

    @override
    def _narrowed(self, values: Values) -> Values:
        return values & self._chosen[-1].values if self._chosen else values


class DistinctAttribute(Constraint):
    """No two devices have a value in common."""

    kind = "distinct"

    @property
    @override
    def state(self) -> Hashable:
        return frozenset[tuple[str, object]]().union(*(each.values for each in self._chosen)) if self._chosen else None

    @override
    def _admits(self, values: Values) -> bool:
        if not values:
            # Without the feature the first device is not looked at.
            return not self._chosen and not self._lists
        return not any(values & each.values for each in self._chosen)

    @override
    def _narrowed(self, values: Values) -> Values:
        return values


class LastDistinctAttribute(DistinctAttribute):
    """What it was up to Kubernetes 1.36: a device has to differ from the last one of each request only.

    When a device is taken back, what is known of its request is lost, as it is there.
    """

    def __init__(self, index: int, attribute: str, *, lists: bool) -> None:
        """No devices yet. The arguments are those of every constraint."""
        super().__init__(index, attribute, lists=lists)
        self._last: dict[str, Values] = {}

    @override
    def add(self, candidate: Candidate, request: str) -> None:
        super().add(candidate, request)
        self._last[request] = self._chosen[-1].values

    @override
    def remove(self) -> None:
        self._last.pop(self._chosen[-1].request, None)
        super().remove()

    @override
    def _admits(self, values: Values) -> bool:
        return not self._chosen or (bool(values) and not any(values & others for others in self._last.values()))


def constraint_of(index: int, spec: DeviceConstraint, behaviour: Behaviour) -> Constraint:
    """The constraint that a claim has in this place. Raises ValueError if it is of no known kind."""
    lists = behaviour.list_attributes
    if spec.match_attribute is not None:
        return MatchAttribute(index, spec.match_attribute, lists=lists)
    if spec.distinct_attribute is not None:
        distinct = LastDistinctAttribute if behaviour.distinct_from_last else DistinctAttribute
        return distinct(index, spec.distinct_attribute, lists=lists)
    raise ValueError(f"constraint #{index} is empty")
