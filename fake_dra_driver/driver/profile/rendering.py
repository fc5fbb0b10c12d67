"""The devices that a profile gives a node: templates rendered, limits kept, everything that is wrong found.

A profile is compiled once, and rendered for each node. What does not depend on the node, as most of it does not, is
made at the first node, and is the same object on all of them. Pure: the same profile and node give the same devices.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.deviceprofile import DeviceGroup, DevicePartition, DeviceProfile, SharedCounterSet
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra import FieldProblem
from fake_dra_driver.dra.structured import Quantity, counter_set_problems, device_problems
from fake_dra_driver.driver.profile.containerchecks import container_problems
from fake_dra_driver.driver.profile.containerfields import config_kinds_of, files_of, variables_of
from fake_dra_driver.driver.profile.devicefields import CounterSets, Part, Variables, counter_set_part
from fake_dra_driver.driver.profile.devicetemplate import (
    DeviceTemplate,
    Place,
    Surroundings,
    partition_template,
    whole_template,
)
from fake_dra_driver.driver.profile.field import Problems
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode, ProfileName
from fake_dra_driver.valuetemplate import limited_together

__all__ = ["MAX_DEVICES", "ProfileError", "ProfileRenderer", "render_profile"]

MAX_DEVICES: Final = 4096
"""Most devices of a node, partitions included: 64 slices full of devices with counters."""
MAX_STEPS: Final = 1_000_000
"""Steps of all templates of a profile together, for one node: seconds. Templates of names alone take none."""
_OF_NODE: Final = frozenset({"node", "labels"})
_LABELS: Final = frozenset({"labels"})


class ProfileError(ValueError):
    """A profile from which devices cannot be made; ``problems`` says where, what is there, and what is allowed."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


def render_profile(
    profile: DeviceProfile, node: str, labels: Mapping[str, str] | None = None, reason: str = ""
) -> MockNode:
    """The devices of one node. Raises ProfileError. For several nodes, keep a ProfileRenderer."""
    return ProfileRenderer(profile).render(node, labels, reason)


class ProfileRenderer:
    """A profile, compiled for all of its nodes."""

    def __init__(self, profile: DeviceProfile) -> None:
        """Raises ProfileError for what is wrong whatever the node."""
        spec, problems = profile.spec, Problems()
        self._profile = profile
        self._paths = _Paths(profile)
        self._groups: Sequence[_Group] = ()
        self._sets = _set_parts("spec.sharedCounters", spec.shared_counters, problems)
        if _fits(profile, problems):
            self._groups = _compiled_groups(spec.groups, self._sets, problems)
        for problem in container_problems(spec):
            problems.add(problem.path, problem.message)
        _raise(problems)
        self._environment = variables_of("spec.environment", spec.environment) or ()
        self._files = files_of(spec)
        self._configs = config_kinds_of(spec)
        self._is_checked = False
        self._fields_change = any(group.fields_change for group in self._groups)

    @property
    def name(self) -> str:
        """Of the profile."""
        return self._profile.metadata.name

    @property
    def reads_labels(self) -> bool:
        """Whether the labels of a node make a difference."""
        return _read_labels(self._sets) or any(group.reads_labels for group in self._groups)

    def render(self, node: str, labels: Mapping[str, str] | None = None, reason: str = "") -> MockNode:
        """The devices of a node.

        Args:
            node: its name.
            labels: those of the node, for templates.
            reason: why it is this profile, for people.

        Raises:
            ProfileError: the profile does not work for this node.
        """
        with limited_together(MAX_STEPS):
            return self._render(node, labels, reason)

    def _render(self, node: str, labels: Mapping[str, str] | None, reason: str) -> MockNode:
        problems = Problems()
        common: Variables = {"node": node, "labels": labels or {}, "driver": self._profile.spec.driver_name}
        sets = list(_made_sets(self._sets, common, problems))
        own_sets = [group.counter_sets(common, problems) for group in self._groups]
        sets += [one for of_group in own_sets for of_device in of_group for one in of_device]
        shared = {one.set.name: one.set.counters for one in sets}
        devices: list[MockDevice] = []
        for group, of_group in zip(self._groups, own_sets, strict=True):
            for index, of_device in enumerate(of_group):
                own = {one.set.name: one.set.counters for one in of_device}
                devices += group.devices(index, Surroundings(common, own, shared), problems)
        _check_unique(devices, self._paths, problems)
        # Of what else differs from node to node, each text has been checked when it was rendered.
        if (not self._is_checked or self._fields_change) and not problems.found:
            _check_limits(devices, sets, self._paths, problems)
        _raise(problems)
        self._is_checked = True
        metadata = self._profile.metadata
        return MockNode(
            node,
            ProfileName(metadata.name, metadata.generation, reason),
            tuple(devices),
            tuple(one.set for one in sets),
            environment=self._environment,
            files=self._files,
            configs=self._configs,
        )


@dataclass(frozen=True, slots=True)
class _PlacedSet:
    """A counter set of a node, and where in the profile it is described."""

    path: str
    set: v1.CounterSet


_SetParts = Mapping[str, Part[v1.CounterSet]]
"""By path in the profile."""


class _Group:
    """A group of a profile, compiled."""

    def __init__(
        self, path: str, group: DeviceGroup, sets: _SetParts, problems: Problems, *, sets_change: bool
    ) -> None:
        self._group = group
        self._sets = sets
        self._made_sets: Sequence[Sequence[_PlacedSet]] | None = None
        """Where they are the same on all nodes."""
        self._sets_change = sets_change
        self._whole = whole_template(path, group, problems, sets_change=sets_change)
        self._partitions: list[tuple[DevicePartition, DeviceTemplate | None]] = [
            (
                partition,
                partition_template(f"{path}.partitions[{number}]", group, partition, problems, sets_change=sets_change),
            )
            for number, partition in enumerate(group.partitions)
        ]

    @property
    def fields_change(self) -> bool:
        """Whether more than names and attributes of its devices differs from node to node."""
        templates = (self._whole, *(template for _, template in self._partitions))
        return self._sets_change or any(each is not None and each.fields_change for each in templates)

    @property
    def reads_labels(self) -> bool:
        """Whether the labels of a node make a difference."""
        templates = (self._whole, *(template for _, template in self._partitions))
        return _read_labels(self._sets) or any(each is not None and each.reads(_LABELS) for each in templates)

    def counter_sets(self, common: Variables, problems: Problems) -> Sequence[Sequence[_PlacedSet]]:
        """Those of each device on a node, in order."""
        if self._made_sets is not None:
            return self._made_sets
        own = {"group": self._group.name, "partition": "", "placement": 0}
        made = [
            _made_sets(self._sets, {**common, **own, "index": index}, problems) for index in range(self._group.count)
        ]
        if not self._sets_change and not problems.found:
            self._made_sets = made
        return made

    def devices(self, index: int, around: Surroundings, problems: Problems) -> Iterator[MockDevice]:
        """The device at an index of a node's, and its parts behind it."""
        whole = None if self._whole is None else self._whole.device(Place(index, 0, index), around, problems)
        if whole is None:
            return
        if not self._group.without_whole:
            yield whole
        inside = Surroundings(around.common, around.own_sets, around.node_sets, whole)
        for partition, template in self._partitions:
            for turn, placement in enumerate(partition.placements):
                device = None if template is None else template.device(Place(index, placement, turn), inside, problems)
                if device is not None:
                    yield device


def _compiled_groups(groups: Sequence[DeviceGroup], node_sets: _SetParts, problems: Problems) -> Sequence[_Group]:
    paths = [f"spec.groups[{number}]" for number in range(len(groups))]
    sets = [
        _set_parts(f"{path}.sharedCounters", group.shared_counters, problems)
        for path, group in zip(paths, groups, strict=True)
    ]
    # A device can consume a set of any group.
    change = any(part.depends_on(_OF_NODE) for each in (node_sets, *sets) for part in each.values())
    return [
        _Group(path, group, own, problems, sets_change=change)
        for path, group, own in zip(paths, groups, sets, strict=True)
    ]


def _read_labels(sets: _SetParts) -> bool:
    return any(part.depends_on(_LABELS) for part in sets.values())


def _set_parts(path: str, sets: Sequence[SharedCounterSet], problems: Problems) -> _SetParts:
    parts = {}
    for number, one in enumerate(sets):
        with problems.noted():
            parts[f"{path}[{number}]"] = counter_set_part(f"{path}[{number}]", one)
    return parts


def _made_sets(parts: _SetParts, variables: Variables, problems: Problems) -> Sequence[_PlacedSet]:
    made = []
    for path, part in parts.items():
        with problems.noted():
            made.append(_PlacedSet(path, part.make(variables)))
    return made


# --- What is wrong


class _Paths:
    """Where in a profile a device is described."""

    def __init__(self, profile: DeviceProfile) -> None:
        self._common: dict[str, tuple[str, Collection[str]]] = {}
        self._paths: dict[tuple[str, str], str] = {}
        for number, group in enumerate(profile.spec.groups):
            path = f"spec.groups[{number}]"
            self._common[group.name] = (path, frozenset(group.common_attributes or ()))
            self._paths[group.name, ""] = path
            for part, partition in enumerate(group.partitions):
                self._paths[group.name, partition.name] = f"{path}.partitions[{part}]"

    def of(self, device: MockDevice) -> str:
        """The path of its group, or of its partition."""
        return self._paths[device.group, device.variables["partition"]]

    def field(self, device: MockDevice, field: str) -> str:
        """The path of a field that is published of it."""
        group, common = self._common[device.group]
        name = field.removeprefix("attributes[").partition("]")[0]
        if name in common and field.startswith("attributes["):
            return f"{group}.commonA{field[1:]}"
        if field.startswith(("taints", "binding", "nodeAllocatable")):
            return f"{group}.{field}"
        return f"{self.of(device)}.{field}"


def _raise(problems: Problems) -> None:
    if problems.found:
        raise ProfileError(tuple(problems.found.values()))


def _fits(profile: DeviceProfile, problems: Problems) -> bool:
    """Whether a node can have that many devices; counted before any is made."""
    total = 0
    for group in profile.spec.groups:
        parts = sum(len(each.placements) for each in group.partitions)
        total += group.count * (parts if group.without_whole else parts + 1)
    if total > MAX_DEVICES:
        problems.add(
            "spec.groups", f"must have at most {MAX_DEVICES} devices on a node, partitions included, has {total}"
        )
    return total <= MAX_DEVICES


def _check_unique(devices: Iterable[MockDevice], paths: _Paths, problems: Problems) -> None:
    names: dict[str, MockDevice] = {}
    uuids: dict[str, MockDevice] = {}
    for device in devices:
        for found, key, field in ((names, device.name, "deviceName"), (uuids, device.device.uuid, "uuid")):
            other = found.setdefault(key, device)
            if other is not device:
                problems.add(
                    f"{paths.of(device)}.{field}",
                    f"must be different for each device of a node: {key} is that of {_described(other)} and of "
                    f"{_described(device)}",
                )


def _check_limits(devices: Iterable[MockDevice], sets: Sequence[_PlacedSet], paths: _Paths, problems: Problems) -> None:
    """Notes what an API server would refuse, and what a scheduler could never give to a claim."""
    for name in _repeated(one.set.name for one in sets):
        where = next(one.path for one in reversed(sets) if one.set.name == name)
        problems.add(f"{where}.name", f"must be different for each counter set of a node: {name} is there twice")
    for one in sets:
        for problem in counter_set_problems(one.set):
            field, _, message = problem.partition(": ")
            problems.add(f"{one.path}.{field}", f"{message} (counter set {one.set.name})")
    counters = {one.set.name: one.set.counters for one in sets}
    for device in devices:
        for problem in (*device_problems(device.published, counters), *_excesses(device.published, counters)):
            field, _, message = problem.partition(": ")
            problems.add(paths.field(device, field), message, device.name)


def _excesses(device: v1.Device, counters: CounterSets) -> Iterator[str]:
    for taken in device.consumes_counters:
        there = counters.get(taken.counter_set, {})
        for name, counter in taken.counters.items():
            if name in there and Quantity.parse(counter.value).nanos > Quantity.parse(there[name].value).nanos:
                yield (
                    f"consumesCounters[{taken.counter_set}].{name}: must be at most {there[name].value}, which the "
                    f"counter set has, is {counter.value}"
                )


def _repeated(names: Iterable[str]) -> Sequence[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _described(device: MockDevice) -> str:
    partition = device.variables["partition"]
    where = f", placement {device.variables['placement']} of {partition}" if partition else ""
    return f"device {device.index} of the group {device.group}{where}"
