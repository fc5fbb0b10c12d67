"""What the chart is told about node pools: which DeviceProfile the nodes of each have, and which taints to tolerate.

A pool names its profile: one of the values' own (``deviceProfiles``), or else one of a preset, whose driver name,
device classes and profile are then installed. The profile is for the nodes with the label ``PROFILE_LABEL`` and its
name, which those of the pool get, and comes before profiles that select nodes in another way. Other nodes have no
devices then, unless the values have profiles for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.cluster import NodePool
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.preset.catalog import presets

__all__ = ["PROFILE_LABEL", "with_profiles"]

PROFILE_LABEL: Final = "fake.3-shake.com/profile"
"""Label of nodes: the name of their DeviceProfile."""

_NO_DEVICES: Final = {"name": "no-devices", "spec": {"priority": -1}}
"""The profile of nodes that are of no pool with a profile: without one they would have the driver's default devices."""

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Known:
    """A profile that a pool may name."""

    entry: Mapping[str, Any]
    """As in the chart's ``deviceProfiles``."""
    driver: str
    preset: Values | None = None
    """The values of the preset that it is of."""


def with_profiles(pools: Sequence[NodePool], values: Values) -> tuple[Sequence[NodePool], Values]:
    """The pools with the labels that their profiles select, and the values with these profiles. Blocks.

    Raises:
        ClusterError: a profile does not exist, or two profiles are of different drivers.
    """
    known = _known(values)
    chosen: dict[str, _Known] = {}
    for at, pool in enumerate(pools):
        if pool.profile and pool.profile not in known:
            raise ClusterError(
                f"pools[{at}].profile: there is no profile {pool.profile}. There are: {', '.join(sorted(known))}"
            )
        if pool.profile:
            chosen[pool.profile] = known[pool.profile]
    _check_driver(chosen, values)
    told = _tolerating(pools, _with_presets(chosen, values))
    return [_labelled(pool) for pool in pools], _with_chosen(chosen, told)


def _known(values: Values) -> Mapping[str, _Known]:
    """By name. The values' own hide those of presets."""
    found: dict[str, _Known] = {}
    for preset in presets():
        driver = preset.values["driverName"]
        found |= {each["name"]: _Known(each, driver, preset.values) for each in preset.values["deviceProfiles"]}
    own = str(values.get("driverName") or DRIVER_NAME)
    return found | {each["name"]: _Known(each, own) for each in _profiles(values)}


def _profiles(values: Values) -> Sequence[Mapping[str, Any]]:
    """Those that have a name; what is wrong with others, the chart says."""
    entries = values.get("deviceProfiles") or ()
    return [each for each in entries if isinstance(each, Mapping) and isinstance(each.get("name"), str)]


def _check_driver(chosen: Mapping[str, _Known], values: Values) -> None:
    drivers = {name: each.driver for name, each in chosen.items()}
    if values.get("driverName") and drivers:
        drivers["the chart's values"] = values["driverName"]
    if len(set(drivers.values())) > 1:
        told = " and ".join(f"{driver} ({name})" for name, driver in drivers.items())
        raise ClusterError(
            f"The pools have profiles of different drivers, and a cluster is started with one: {told}. Install the "
            "other driver with helm, in a namespace of its own"
        )


def _with_presets(chosen: Mapping[str, _Known], values: Values) -> dict[str, Any]:
    """The values, which win, on those of the presets that are needed: all but the presets' profiles."""
    told: dict[str, Any] = {}
    for preset in (each.preset for each in chosen.values() if each.preset is not None):
        classes = {each["name"]: each for each in (*preset.get("deviceClasses", ()), *told.get("deviceClasses", ()))}
        told |= {**preset, "deviceClasses": list(classes.values())}
    told.pop("deviceProfiles", None)
    return {**told, **values}


def _with_chosen(chosen: Mapping[str, _Known], values: Values) -> Values:
    if not chosen:
        return values
    entries = [each.entry for each in chosen.values()]
    others = [each for each in values.get("deviceProfiles") or () if each not in entries]
    priority = 1 + max((_priority(each) for each in _profiles(values)), default=0)
    selected = [_selecting(name, each.entry, priority) for name, each in chosen.items()]
    return {**values, "deviceProfiles": [*(others or [_NO_DEVICES]), *selected]}


def _priority(entry: Mapping[str, Any]) -> int:
    found = (entry.get("spec") or {}).get("priority")
    return found if isinstance(found, int) else 0


def _selecting(name: str, entry: Mapping[str, Any], priority: int) -> Mapping[str, Any]:
    selector = {"matchLabels": {PROFILE_LABEL: name}}
    return {**entry, "spec": {**(entry.get("spec") or {}), "nodeSelector": selector, "priority": priority}}


def _tolerating(pools: Sequence[NodePool], values: dict[str, Any]) -> dict[str, Any]:
    """The values, with the kubelet plugin on pools with taints too, unless they say themselves what it tolerates."""
    taints = {(taint.key, taint.value, taint.effect) for pool in pools for taint in pool.taints}
    plugin = values.get("kubeletPlugin") or {}
    if not taints or not isinstance(plugin, Mapping) or "tolerations" in plugin:
        return values
    tolerations = [{"key": key, "value": value, "effect": effect} for key, value, effect in sorted(taints)]
    return {**values, "kubeletPlugin": {**plugin, "tolerations": tolerations}}


def _labelled(pool: NodePool) -> NodePool:
    if not pool.profile:
        return pool
    return pool.model_copy(update={"labels": {**pool.labels, PROFILE_LABEL: pool.profile}})
