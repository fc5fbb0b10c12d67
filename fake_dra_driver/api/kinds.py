"""Every kind of this driver: the CRDs that are rendered."""

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import DeviceClassParameters, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.schema import CustomResource

__all__ = ["KINDS"]

KINDS: tuple[type[CustomResource], ...] = (
    NodeAllocationState,
    DeviceClassParameters,
    FakeClaimParameters,
    DeviceProfile,
    DeviceFault,
)
