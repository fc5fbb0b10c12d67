"""What ResourceSlices and claims say of a node's devices: partitions, shares, taints, and what is left. Pure.

A partition belongs to the device that its attribute ``parentUUID`` names, as that of a MIG device does. Where there is
no such attribute, it belongs to the first device that takes all of a counter set from which it takes something.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.claims import results_of
from fake_dra_driver.quantity import Quantity, QuantityError
from fake_dra_driver.status.poolfacts import DeviceFacts, PoolFacts
from fake_dra_driver.status.report import AmountReport, ClaimReport, CounterSetReport, ShareReport, TaintReport

__all__ = ["lean_slice", "pool_facts"]

_ATTRIBUTES: Final = ("type", "uuid", "parentUUID")
"""Attributes that are looked at, all of them texts."""

_CounterName = tuple[str, str]
"""Counter set and counter."""


@dataclass(frozen=True, slots=True)
class _Consumer:
    """A device that uses up counters."""

    name: str
    takes: Mapping[_CounterName, Quantity]

    @property
    def sets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(counter_set for counter_set, _ in self.takes))


@dataclass(frozen=True, slots=True)
class _Held:
    """What a claim holds of a device."""

    claim: UID
    result: v1.DeviceRequestAllocationResult


def pool_facts(
    slices: Iterable[v1.ResourceSlice],
    claims: Iterable[v1.ResourceClaim],
    driver: str,
    claim_of: Callable[[UID], ClaimReport],
) -> PoolFacts:
    """What is known of the devices of a pool.

    Args:
        slices: those of the pool, of any generation.
        claims: those that hold devices of the pool.
        driver: its name.
        claim_of: tells who a claim is.
    """
    specs = [each.spec for each in slices]
    newest = max((spec.pool.generation for spec in specs), default=0)
    specs = [spec for spec in specs if spec.pool.generation == newest]
    if not specs:
        return PoolFacts()
    held = _held(claims, driver, specs[0].pool.name)
    devices = [device for spec in specs for device in spec.devices]
    texts = {device.name: _texts(device, driver) for device in devices}
    consumers = {device.name: _Consumer(device.name, _takes(device)) for device in devices if device.consumes_counters}
    sets = [each for spec in specs for each in spec.shared_counters]
    totals = {(each.name, name): amount for each in sets for name, amount in _amounts(each.counters).items()}
    left = dict(totals)
    for consumer in consumers.values():
        for counter, amount in consumer.takes.items() if consumer.name in held else ():
            if counter in left:
                left[counter] = Quantity(left[counter].nanos - amount.nanos, left[counter].form)
    parents = _parents(texts, consumers, totals)
    found: dict[str, DeviceFacts] = {}
    for device in devices:
        name, shares = device.name, held.get(device.name, ())
        consumed = consumers.get(name)
        facts = DeviceFacts(
            name=name,
            type=texts[name].get("type", ""),
            parent=parents.get(name, ""),
            is_shared=bool(device.allow_multiple_allocations),
            taints=tuple(
                TaintReport(key=taint.key, value=taint.value, effect=taint.effect, since=taint.time_added)
                for taint in device.taints
            ),
            shares=tuple(_share(each, claim_of) for each in shares if each.result.share_id),
            capacity=_capacity(device, shares),
            counters=() if consumed is None else consumed.sets,
            lacks=() if consumed is None or shares else _lacks(consumed, left),
        )
        found[name] = facts
        if uuid := texts[name].get("uuid"):
            found.setdefault(uuid, facts)
    return PoolFacts(found, tuple(_counter_set(each.name, totals, left) for each in sets))


def lean_slice(raw: dict[str, Any]) -> dict[str, Any]:
    """A slice without what is not looked at: a cluster can have very many devices, with many attributes each."""
    spec = raw.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("devices"), list):
        return raw
    return {**raw, "spec": {**spec, "devices": [_lean_device(device) for device in spec["devices"]]}}


def _lean_device(raw: Any) -> Any:
    if isinstance(raw, dict) and isinstance(raw.get("basic"), dict):  # v1beta1
        return {**raw, "basic": _lean_device(raw["basic"])}
    if not isinstance(raw, dict) or not isinstance(raw.get("attributes"), dict):
        return raw  # for the model to refuse, if it is wrong
    attributes = raw["attributes"]
    kept = {name: attributes[name] for name in attributes if name.rpartition("/")[2] in _ATTRIBUTES}
    return {**raw, "attributes": kept}


def _held(claims: Iterable[v1.ResourceClaim], driver: str, pool: str) -> Mapping[str, Sequence[_Held]]:
    """By device, what claims hold of it; with adminAccess they hold nothing."""
    held: dict[str, list[_Held]] = {}
    for claim in sorted(claims, key=lambda claim: claim.uid):
        for result in results_of(claim, driver, pool):
            if not result.admin_access:
                held.setdefault(result.device, []).append(_Held(claim.uid, result))
    return held


def _texts(device: v1.Device, driver: str) -> Mapping[str, str]:
    """The attributes of the driver's own that are looked at."""
    found = {}
    for name in _ATTRIBUTES:
        # The API server takes the name with and without the driver's domain, which mean the same.
        attribute = device.attributes.get(name) or device.attributes.get(f"{driver}/{name}")
        if attribute is not None and attribute.string:
            found[name] = attribute.string
    return found


def _takes(device: v1.Device) -> Mapping[_CounterName, Quantity]:
    return {
        (each.counter_set, name): amount
        for each in device.consumes_counters
        for name, amount in _amounts(each.counters).items()
    }


def _amounts(counters: Mapping[str, v1.Counter]) -> Mapping[str, Quantity]:
    return {name: _quantity(counter.value) for name, counter in counters.items()}


def _quantity(text: str) -> Quantity:
    try:
        return Quantity.parse(text)
    except QuantityError:  # an API server lets none in
        return Quantity(0)


def _parents(
    texts: Mapping[str, Mapping[str, str]],
    consumers: Mapping[str, _Consumer],
    totals: Mapping[_CounterName, Quantity],
) -> Mapping[str, str]:
    """By name of each partition, the name of the device that it is a part of."""
    by_uuid = {found["uuid"]: name for name, found in texts.items() if "uuid" in found}
    parents = {name: by_uuid[uuid] for name, found in texts.items() if (uuid := found.get("parentUUID", "")) in by_uuid}
    whole: dict[str, str] = {}
    for consumer in consumers.values():
        for counter_set in consumer.sets if consumer.name not in parents else ():
            if _takes_all(consumer, counter_set, totals):
                whole.setdefault(counter_set, consumer.name)
    for consumer in consumers.values():
        found_in = [whole[counter_set] for counter_set in consumer.sets if counter_set in whole]
        if found_in and consumer.name not in found_in:
            parents.setdefault(consumer.name, found_in[0])
    return parents


def _takes_all(consumer: _Consumer, counter_set: str, totals: Mapping[_CounterName, Quantity]) -> bool:
    counters = {name: total for name, total in totals.items() if name[0] == counter_set}
    taken = (consumer.takes.get(name, Quantity(0)).nanos >= total.nanos for name, total in counters.items())
    return bool(counters) and all(taken)


def _lacks(consumer: _Consumer, left: Mapping[_CounterName, Quantity]) -> tuple[str, ...]:
    return tuple(
        f"{counter_set}/{name}"
        for (counter_set, name), amount in consumer.takes.items()
        if (counter_set, name) in left and amount.nanos > left[counter_set, name].nanos
    )


def _share(held: _Held, claim_of: Callable[[UID], ClaimReport]) -> ShareReport:
    result = held.result
    return ShareReport(id=result.share_id or "", claim=claim_of(held.claim), capacity=dict(result.consumed_capacity))


def _capacity(device: v1.Device, held: Sequence[_Held]) -> tuple[AmountReport, ...]:
    found = []
    for name, capacity in device.capacity.items():
        total = _quantity(capacity.value)
        if device.allow_multiple_allocations:
            taken = sum(_quantity(each.result.consumed_capacity.get(name, "0")).nanos for each in held)
        else:
            taken = total.nanos if held else 0
        found.append(AmountReport(name=name, value=str(total), left=str(Quantity(total.nanos - taken, total.form))))
    return tuple(found)


def _counter_set(
    name: str, totals: Mapping[_CounterName, Quantity], left: Mapping[_CounterName, Quantity]
) -> CounterSetReport:
    counters = tuple(
        AmountReport(name=counter, value=str(total), left=str(left[counter_set, counter]))
        for (counter_set, counter), total in totals.items()
        if counter_set == name
    )
    return CounterSetReport(name=name, counters=counters)
