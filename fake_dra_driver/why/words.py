"""Obstacles, requests and changes in sentences for people, and the same as fields for programs."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from fake_dra_driver.allocation import DeviceId, Holder
from fake_dra_driver.allocation.explanation import Requested, false_part, value_text, values_read
from fake_dra_driver.allocation.obstacles import (
    CapacityShort,
    CapacityUnknown,
    ChosenAlready,
    ConstraintBroken,
    CounterShortage,
    CountersShort,
    FeatureOff,
    InUse,
    Obstacle,
    OnOtherNode,
    PolicyRefused,
    PoolIncomplete,
    PoolInvalid,
    PoolObstacle,
    PoolReplaced,
    SelectorFailed,
    SelectorFalse,
    SelectorOrigin,
    Tainted,
)
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.untrustedtext import one_line, short_name
from fake_dra_driver.why import report
from fake_dra_driver.why.nodefilter import taint_text

__all__ = [
    "Words",
    "asked_text",
    "constraint_text",
    "count_of",
    "device_name",
    "holder_text",
    "in_use_text",
    "listed",
    "origin_text",
    "pool_problem",
    "quoted",
    "values_text",
]

MAX_EXPRESSION: Final = 160
"""Characters that a sentence quotes of a CEL expression; JSON has all of it."""
MAX_LISTED: Final = 3


def count_of(number: int, noun: str) -> str:
    """The number and the noun, in the plural where there is not one of them."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str], most: int = MAX_LISTED) -> str:
    """The names in a sentence; of many, the first ones."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def quoted(expression: str) -> str:
    """An expression of CEL in a sentence: in one line, and cut where it is long."""
    return one_line(" ".join(expression.split()), MAX_EXPRESSION)


def device_name(device: DeviceId) -> report.DeviceName:
    """A device for the report."""
    return report.DeviceName(driver=device.driver, pool=device.pool, name=device.device)


def asked_text(requested: Requested) -> str:
    """All that a request asks for, in words."""
    asked = requested.spec
    wanted = requested.wanted
    what = "all devices" if wanted is None else count_of(wanted, "device")
    parts = [f"{what} of class {short_name(asked.device_class_name)}"]
    if isinstance(asked, v1.ExactDeviceRequest) and asked.admin_access:
        parts.append("admin access")
    if asked.capacity is not None and asked.capacity.requests:
        parts += [f"{short_name(amount)} of {short_name(name)}" for name, amount in asked.capacity.requests.items()]
    expressions = [each.cel.expression for each in asked.selectors if each.cel is not None]
    if expressions:
        parts.append(" and ".join(quoted(each) for each in expressions))
    return ", ".join(parts)


def constraint_text(constraint: v1.DeviceConstraint) -> str:
    """A constraint in words."""
    names = constraint.requests
    requests = (
        f"the devices of {'request' if len(names) == 1 else 'requests'} {listed(names)}" if names else "all devices"
    )
    if constraint.match_attribute is not None:
        return f"{requests} must have the same {short_name(constraint.match_attribute)}"
    return f"{requests} must each have another {short_name(constraint.distinct_attribute or '')}"


def pool_problem(obstacle: PoolObstacle) -> report.NodeProblem:
    """Why none of a pool's devices can be had."""
    pool = f"pool {short_name(obstacle.pool.pool)} of driver {short_name(obstacle.pool.driver)}"
    match obstacle:
        case PoolReplaced():
            return report.NodeProblem(
                reason="PoolReplaced",
                message=f"{pool} is being published again (generation {obstacle.newer_generation} after "
                f"{obstacle.generation}), and its new slices are not all there",
            )
        case PoolInvalid():
            return report.NodeProblem(
                reason="PoolInvalid",
                message=f"{pool} cannot be used, since its slices contradict each other: {one_line(obstacle.reason)}",
            )
        case PoolIncomplete() | _:
            return report.NodeProblem(
                reason="PoolIncomplete",
                message=f"{pool} is incomplete, so that none of its devices can be had: {obstacle.slices} of "
                f"{count_of(obstacle.expected_slices, 'ResourceSlice')} of generation {obstacle.generation} "
                f"{'is' if obstacle.slices == 1 else 'are'} there",
            )


class Words:
    """Knows who uses which claim, and whose pools have the names of nodes.

    Args:
        pods: by claim, the names of the pods that may use it.
    """

    def __init__(self, pods: Mapping[NamespacedName, Sequence[str]]) -> None:
        self._pods = pods

    # --- Claims that have devices

    def holder(self, claim: NamespacedName) -> report.Holder:
        """A claim that has a device."""
        return report.Holder(namespace=claim.namespace, name=claim.name, pods=tuple(self._pods.get(claim, ())))

    def holders(self, found: Iterable[Holder]) -> tuple[report.Holder, ...]:
        """Claims that have a device, each once."""
        return tuple(self.holder(claim) for claim in dict.fromkeys(each.claim for each in found))

    # --- Devices

    def device_problem(self, obstacle: Obstacle) -> report.DeviceProblem:
        """Why a device cannot be had."""
        match obstacle:
            case InUse():
                holders = self.holders(obstacle.holders)
                return report.DeviceProblem(reason="InUse", message=in_use_text(holders), holders=holders)
            case SelectorFalse():
                return _selector_false(obstacle)
            case SelectorFailed():
                return _selector_failed(obstacle)
            case CapacityShort():
                return self._capacity(obstacle)
            case CountersShort():
                return self._counters(obstacle)
            case Tainted():
                shown = taint_text(obstacle.taint.key, obstacle.taint.value, obstacle.taint.effect)
                rule = f" (DeviceTaintRule {short_name(obstacle.rule)})" if obstacle.rule else ""
                return report.DeviceProblem(
                    reason="Taint", message=f"taint {shown}{rule}, which the request does not tolerate", taint=shown
                )
        return plain_problem(obstacle)

    def _capacity(self, obstacle: CapacityShort) -> report.DeviceProblem:
        holders = self.holders(holder for holder, _ in obstacle.holders)
        amount = report.Amount(
            name=obstacle.name,
            needed=str(obstacle.consumed),
            left=str(obstacle.left),
            total=str(obstacle.total),
        )
        if obstacle.asked is None:
            wanted = f"{amount.needed} would be taken"
        elif obstacle.asked.nanos != obstacle.consumed.nanos:
            wanted = f"{obstacle.asked} asked for, which the device rounds to {amount.needed}"
        else:
            wanted = f"{amount.needed} asked for"
        has = f"it has {amount.total}" if amount.left == amount.total else f"{amount.left} left of {amount.total}"
        users = f" (the rest {in_use_text(holders)})" if holders else ""
        return report.DeviceProblem(
            reason="Capacity",
            message=f"{short_name(obstacle.name)}: {wanted}, {has}{users}",
            holders=holders,
            amounts=(amount,),
        )

    def _counters(self, obstacle: CountersShort) -> report.DeviceProblem:
        amounts = tuple(
            report.Amount(
                name=each.counter,
                counter_set=each.counter_set,
                needed=str(each.needed),
                left=str(each.left),
                total=str(each.total),
            )
            for each in obstacle.shortages
        )
        message = "; ".join(_shortages(obstacle.shortages))
        return report.DeviceProblem(reason="Counters", message=message, amounts=amounts)


def in_use_text(holders: Sequence[report.Holder]) -> str:
    """Who has a device, in a few words."""
    return f"in use by {listed([holder_text(each) for each in holders])}"


def holder_text(holder: report.Holder) -> str:
    """A claim, and the pods that use it."""
    pods = f" (pod {listed([short_name(pod) for pod in holder.pods])})" if holder.pods else " (used by no pod)"
    return f"claim {short_name(f'{holder.namespace}/{holder.name}')}{pods}"


def origin_text(origin: SelectorOrigin) -> str:
    """Where a selector is written, in words."""
    place = f"class {short_name(origin.class_name)}" if origin.class_name is not None else f"request {origin.request}"
    return f"selector {origin.index + 1} of {place}" if origin.index else f"the selector of {place}"


def _place(obstacle: SelectorFalse | SelectorFailed, error: str = "") -> report.SelectorPlace:
    origin = obstacle.origin
    return report.SelectorPlace(
        class_name=origin.class_name or "",
        index=origin.index,
        expression=origin.expression,
        values=values_read(obstacle),
        error=error,
    )


def values_text(values: Mapping[str, str | None]) -> str:
    """What an expression reads of a device, and what that is there."""
    return listed(
        [f"it has no {short_name(name)}" if value is None else f"{short_name(name)} is {short_name(value)}"
         for name, value in values.items()],
        most=5,
    )  # fmt: skip


def _selector_false(obstacle: SelectorFalse) -> report.DeviceProblem:
    place, part = _place(obstacle), false_part(obstacle)
    if part.text != place.expression:
        place = place.model_copy(update={"part": part.text})
    found = f": {values_text(part.values)}" if part.values else ""
    message = f"{origin_text(obstacle.origin)}, {quoted(part.text)}, is false{found}"
    return report.DeviceProblem(reason="Selector", message=message, selector=place)


def _selector_failed(obstacle: SelectorFailed) -> report.DeviceProblem:
    place = _place(obstacle, obstacle.message)
    message = f"{origin_text(obstacle.origin)} cannot be evaluated: {one_line(obstacle.message)}"
    return report.DeviceProblem(reason="SelectorFailed", message=message, selector=place)


def _shortages(shortages: Iterable[CounterShortage]) -> Iterator[str]:
    """One of many counters of a set that the same devices use up stands for the others."""
    alike: dict[Hashable, list[CounterShortage]] = {}
    for each in shortages:
        users = tuple(device for device, _ in each.consumers)
        alike.setdefault((each.counter_set, users, bool(each.needed.nanos)), []).append(each)
    for first, *others in alike.values():
        names = [short_name(each.counter) for each in others]
        yield _shortage(first) + (f"; likewise {listed(names, 2)}" if names else "")


def _shortage(shortage: CounterShortage) -> str:
    where = f"{short_name(shortage.counter)} of {short_name(shortage.counter_set)}"
    if not shortage.needed.nanos:
        return f"{where} is overdrawn ({shortage.left} left of {shortage.total})"
    users = [short_name(device.device) for device, _ in shortage.consumers]
    used = f", used by {listed(users)}" if users else ""
    return f"{where}: {shortage.needed} needed, {shortage.left} left of {shortage.total}{used}"


def plain_problem(obstacle: Obstacle) -> report.DeviceProblem:
    """Why a device cannot be had, for obstacles that have no more to say than that."""
    match obstacle:
        case OnOtherNode():
            return report.DeviceProblem(reason="OtherNode", message="it cannot be used on this node")
        case CapacityUnknown():
            return report.DeviceProblem(reason="Capacity", message=f"it has no capacity {short_name(obstacle.name)}")
        case PolicyRefused():
            return report.DeviceProblem(
                reason="Capacity",
                message=f"{short_name(obstacle.name)}: {obstacle.asked} asked for, which its request policy does not "
                "allow",
            )
        case FeatureOff():
            return report.DeviceProblem(
                reason="FeatureOff", message=f"it needs the feature gate {obstacle.feature}, which is off"
            )
        case ChosenAlready():
            return report.DeviceProblem(reason="Chosen", message="another request of the pod takes it")
        case ConstraintBroken():
            has = "it has none" if obstacle.value is None else f"it has {value_text(obstacle.value)}"
            others = [f"{device.device} {value_text(value)}" for device, value in obstacle.others.items()]
            message = f"{short_name(obstacle.attribute)}: {', and '.join([has, *([listed(others)] if others else [])])}"
            return report.DeviceProblem(reason="Constraint", message=message)
    raise TypeError(f"there are no words for {type(obstacle).__name__}")
