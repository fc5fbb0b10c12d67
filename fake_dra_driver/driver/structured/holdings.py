"""Which devices of a node claims hold, as ``nas.spec.allocatedClaims`` shows it. Pure.

With adminAccess a claim holds nothing: the scheduler gives the devices to others all the same. What is shown is what
the scheduler has written; whether a claim's parameters can be used is for the plugin of the node to say, and where they
cannot, its devices are shown whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.fake import DRIVER_NAME, AllocatedDevices, AllocatedFake, AllocatedFakes, FakeClaimConfig
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.structured.claims import results_of
from fake_dra_driver.dra.structured.config import Config, ConfigError, config_for, decode, entries_of
from fake_dra_driver.driver.structured.inventory import devices_by_name
from fake_dra_driver.driver.structured.parameters import PARAMETER_KINDS

__all__ = ["Holdings", "holdings"]

MAX_DEVICES: Final = 4096
"""Most devices that are shown of one node: less than 512 KiB, a third of what etcd takes for an object. A node has far
fewer; only devices that several claims share can come near."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What claims hold of a node."""

    entries: Mapping[str, AllocatedDevices]
    """By the UID of the claim."""
    left_out: int
    """Claims for which there was no room."""


def holdings(claims: Iterable[v1.ResourceClaim], node: str, inventory: Sequence[Device]) -> Holdings:
    """What these claims hold of the node.

    Args:
        claims: those that have devices there.
        node: its name, which is also that of its pool.
        inventory: its devices. One that is not there is shown by the name that the claim has for it.
    """
    devices = devices_by_name(inventory)
    entries: dict[str, AllocatedDevices] = {}
    room, left_out = MAX_DEVICES, 0
    for claim in sorted(claims, key=lambda claim: claim.uid):  # where there is too little room, always for the same
        held = [result for result in results_of(claim, DRIVER_NAME, node) if not result.admin_access]
        if len(held) > room:
            left_out += 1
        elif held:
            room -= len(held)
            configs = _configs(claim)
            fakes = tuple(_shown(result, devices, configs) for result in held)
            entries[claim.uid] = AllocatedDevices(fake=AllocatedFakes(devices=fakes))
    return Holdings(entries, left_out)


def _configs(claim: v1.ResourceClaim) -> Sequence[Config]:
    try:
        return decode(entries_of(claim, DRIVER_NAME), PARAMETER_KINDS)
    except ConfigError:  # the claim's owner is told by ``configcheck``
        return ()


def _shown(
    result: v1.DeviceRequestAllocationResult, devices: Mapping[str, Device], configs: Sequence[Config]
) -> AllocatedFake:
    device = devices.get(result.device)
    uuid = device.uuid if device is not None else result.device
    config = config_for(result.request, configs)
    split = config.parameters.spec.split if config is not None and isinstance(config.parameters, FakeClaimConfig) else 0
    return AllocatedFake(uuid=uuid, split=split) if split else AllocatedFake(uuid=uuid)
