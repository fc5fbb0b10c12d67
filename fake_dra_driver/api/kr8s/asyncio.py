"""The kinds of this driver as classes of ``kr8s.asyncio``, for reconcilers and other asynchronous code::

claim = FakeClaimParameters({"metadata": {"name": "two-fakes"}, "spec": {"count": 2}}, api=client.api)
await claim.create()
"""

from fake_dra_driver.api import devicefault, fake
from fake_dra_driver.api.kube.kr8sclass import asyncio_class

__all__ = ["DeviceClassParameters", "DeviceFault", "FakeClaimParameters", "NodeAllocationState"]

NodeAllocationState = asyncio_class(fake.NodeAllocationState)
DeviceClassParameters = asyncio_class(fake.DeviceClassParameters)
FakeClaimParameters = asyncio_class(fake.FakeClaimParameters)
DeviceFault = asyncio_class(devicefault.DeviceFault)
