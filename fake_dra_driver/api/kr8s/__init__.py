"""The kinds of this driver as classes of kr8s, for scripts and tests.

With the sync API of kr8s::

    from fake_dra_driver.api.kr8s import FakeClaimParameters
    FakeClaimParameters({"metadata": {"name": "two-fakes"}, "spec": {"count": 2}}).create()
    print(FakeClaimParameters.get("two-fakes").spec.count)

The same classes for ``kr8s.asyncio``, which reconcilers use, are in ``fake_dra_driver.api.kr8s.asyncio``. Objects are
dicts here: what is checked, the API server checks. ``fake_dra_driver.api.fake`` has them typed.
"""

from fake_dra_driver.api import devicefault, deviceprofile, fake
from fake_dra_driver.api.kube.kr8sclass import sync_class

__all__ = ["DeviceClassParameters", "DeviceFault", "DeviceProfile", "FakeClaimParameters", "NodeAllocationState"]

NodeAllocationState = sync_class(fake.NodeAllocationState)
DeviceClassParameters = sync_class(fake.DeviceClassParameters)
FakeClaimParameters = sync_class(fake.FakeClaimParameters)
DeviceProfile = sync_class(deviceprofile.DeviceProfile)
DeviceFault = sync_class(devicefault.DeviceFault)
