"""What a claim holds of a node's Fake devices, as ``nas.spec.allocatedClaims`` shows it. Pure.

Where a claim's parameters cannot be used, its devices are shown whole.
"""

from collections.abc import Mapping, Sequence

from fake_dra_driver.api.fake import DRIVER_NAME, AllocatedDevices, AllocatedFake, AllocatedFakes
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.structured.config import Config, ConfigError, config_for, decode, entries_of
from fake_dra_driver.driver.structured.parameters import PARAMETER_KINDS, spec_of

__all__ = ["entry_of"]


def entry_of(
    claim: v1.ResourceClaim,
    held: Sequence[v1.DeviceRequestAllocationResult],
    devices: Mapping[str, Device],
) -> AllocatedDevices:
    """What to show of a claim.

    Args:
        claim: it holds the devices.
        held: what was allocated to it on the node.
        devices: those of the node, by name.
    """
    configs = _configs(claim)
    return AllocatedDevices(fake=AllocatedFakes(devices=tuple(_shown(result, devices, configs) for result in held)))


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
    split = spec_of(config).split if config is not None else 0
    return AllocatedFake(uuid=uuid, split=split) if split else AllocatedFake(uuid=uuid)
