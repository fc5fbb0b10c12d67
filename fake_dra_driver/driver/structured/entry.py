"""What a claim holds of a node's Fake devices, as ``nas.spec.allocatedClaims`` shows it. Pure.

Where a claim's parameters cannot be used, its devices are shown whole.
"""

from collections.abc import Mapping, Sequence

from fake_dra_driver.api.fake import AllocatedDevices, AllocatedFake, AllocatedFakes
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.structured import AllocatedClaim, Config, config_for
from fake_dra_driver.driver.structured.parameters import MockConfigs, spec_of

__all__ = ["entry_of"]


def entry_of(allocated: AllocatedClaim, devices: Mapping[str, Device], configs: MockConfigs) -> AllocatedDevices:
    """What to show of a claim.

    Args:
        allocated: what it holds on the node.
        devices: those of the node, by name.
        configs: reads its parameters.
    """
    decoded = configs.check.readable(allocated)
    fakes = tuple(_shown(result, devices, decoded) for result in allocated.results)
    return AllocatedDevices(fake=AllocatedFakes(devices=fakes))


def _shown(
    result: v1.DeviceRequestAllocationResult, devices: Mapping[str, Device], configs: Sequence[Config]
) -> AllocatedFake:
    device = devices.get(result.device)
    uuid = device.uuid if device is not None else result.device
    spec = spec_of(config_for(result.request, configs))
    split = 0 if spec is None else spec.split
    return AllocatedFake(uuid=uuid, split=split) if split else AllocatedFake(uuid=uuid)
