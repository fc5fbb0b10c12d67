"""The kinds of this driver as classes of ``kr8s.asyncio``, for reconcilers and other asynchronous code::

claim = FakeClaimParameters({"metadata": {"name": "two-fakes"}, "spec": {"count": 2}}, api=client.api)
await claim.create()
"""

from fake_dra_driver.api import devicefault, deviceprofile, fake
from fake_dra_driver.api.kube.kr8sclass import asyncio_class

__all__ = ["DeviceClassParameters", "DeviceFault", "DeviceProfile", "FakeClaimParameters", "NodeAllocationState"]

NodeAllocationState = asyncio_class(fake.NodeAllocationState)
DeviceClassParameters = asyncio_class(fake.DeviceClassParameters)
FakeClaimParameters = asyncio_class(fake.FakeClaimParameters)
DeviceProfile = asyncio_class(deviceprofile.DeviceProfile)
DeviceFault = asyncio_class(devicefault.DeviceFault)
