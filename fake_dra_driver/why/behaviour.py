"""Which release the scheduler has, and which features are on: the API server says the first, and lets guess the second.

A feature that is off leaves its fields out of what the API server keeps. So a feature counts as on where the release
has it on, or where some object has a field of it; one whose fields are in no object decides nothing.
"""

from dataclasses import replace
from typing import Any

from fake_dra_driver.allocation import Behaviour
from fake_dra_driver.api.resource.v1 import DeviceClass, ResourceClaim, ResourceSlice
from fake_dra_driver.cluster.releases import nearest_release
from fake_dra_driver.untrustedtext import short_name
from fake_dra_driver.why.snapshot import Snapshot

__all__ = ["behaviour_of"]


def behaviour_of(snapshot: Snapshot) -> tuple[Behaviour, tuple[str, ...]]:
    """How the cluster's scheduler behaves, and what is assumed about it."""
    kubernetes = snapshot.served.kubernetes
    release, is_known = nearest_release(kubernetes)
    seen = {
        "admin_access": any(map(_has_admin_access, snapshot.claims)),
        "prioritized_list": any(map(_has_alternatives, snapshot.claims)),
        "partitionable_devices": any(map(_has_counters, snapshot.slices)),
        "consumable_capacity": any(map(_has_shares, snapshot.slices)),
        "device_taints": bool(snapshot.taint_rules) or any(map(_has_taints, snapshot.slices)),
        "taint_rules": snapshot.served.taint_rules is not None,
        "binding_conditions": any(map(_has_conditions, snapshot.slices)),
        "list_attributes": any(map(_has_lists, snapshot.slices)),
        "extended_resources": any(map(_is_extended, snapshot.classes)),
    }
    on: dict[str, Any] = {name: True for name, is_seen in seen.items() if is_seen}
    assumed = [f"the scheduler is of the API server's release ({short_name(kubernetes)}), with the same feature gates"]
    if not is_known:
        assumed.append(f"that release allocates devices as {release.name} does, the closest one that is known here")
    return replace(release.behaviour, **on), tuple(assumed)


def _has_admin_access(claim: ResourceClaim) -> bool:
    return any(each.exactly is not None and bool(each.exactly.admin_access) for each in claim.spec.devices.requests)


def _has_alternatives(claim: ResourceClaim) -> bool:
    return any(each.first_available for each in claim.spec.devices.requests)


def _has_counters(each: ResourceSlice) -> bool:
    return bool(each.spec.shared_counters) or any(device.consumes_counters for device in each.spec.devices)


def _has_shares(each: ResourceSlice) -> bool:
    return any(device.allow_multiple_allocations for device in each.spec.devices)


def _has_taints(each: ResourceSlice) -> bool:
    return any(device.taints for device in each.spec.devices)


def _has_conditions(each: ResourceSlice) -> bool:
    return any(device.binding_conditions for device in each.spec.devices)


def _has_lists(each: ResourceSlice) -> bool:
    return any(
        attribute.ints or attribute.bools or attribute.strings or attribute.versions
        for device in each.spec.devices
        for attribute in device.attributes.values()
    )


def _is_extended(device_class: DeviceClass) -> bool:
    return device_class.spec.extended_resource_name is not None
