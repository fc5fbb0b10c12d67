"""A driver's devices in ResourceSlices: a real API server takes what their checks let through, and keeps it."""

import pytest

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.driver.device import Capacity, Device, Taint, Version
from fake_dra_driver.dra.driver.devicechecks import device_problems
from fake_dra_driver.dra.driver.slicedevices import slice_device
from fake_dra_driver.dra.node.health import Health
from fake_dra_driver.dra.structured.pool import Pool, slices_of
from fake_dra_driver.dra.structured.slicespec import at_generation, says
from fake_dra_driver.runtime.client import Client
from tests.support.apiserver import ApiServer

pytestmark = pytest.mark.apiserver(structured=True)

DRIVER = "lamp.example.com"
PLAIN = [
    Device("attributes", {"color": "red", "count": -3, "on": True, "version": Version("2.1.0-rc.1"), "a.example/b": 1}),
    Device("capacity", capacity={"memory": "8Gi", "hours": 4000, "half": "500m"}),
]
GATED = [
    Device("ill", health=Health.UNHEALTHY),
    Device("tainted", taints=[Taint("example.com/burnt", "out", "NoExecute")]),
    *(
        Device(f"shared-{number}", capacity={"watts": capacity}, shared=True)
        for number, capacity in enumerate(
            [
                Capacity("100"),
                Capacity("100", default="1"),
                Capacity("100", default=0, most=50),
                Capacity("100", least="10"),
                Capacity("100", step="10"),
                Capacity("100", default="25", least="5", most="45", step="10"),
                Capacity("100Gi", default="1Gi", least="1Gi", step="1Gi"),
            ]
        )
    ),
]


async def kept(client: Client, devices: list[Device]) -> bool:
    """Whether what is stored is what was sent."""
    served = await client.discovery.group("resource.k8s.io")
    api = RESOURCE_APIS[served.first_of(*RESOURCE_APIS) or "none"]
    pool = Pool("lamps", tuple(slice_device(DRIVER, device) for device in devices), node_name="lamps")
    (wanted,) = slices_of(DRIVER, pool)
    spec = at_generation(wanted.spec, 1)
    there = await client.create(api.slices(metadata=ObjectMeta(name=wanted.name), spec=spec))
    await client.delete(api.slices, there.key)
    return says(there.spec, wanted.spec)


@pytest.mark.parametrize("device", [*PLAIN, *GATED], ids=lambda device: device.name)
async def test_what_the_checks_let_through_is_taken(device: Device, client: Client, apiserver: ApiServer) -> None:
    assert list(device_problems([device])) == []
    # Fields behind a feature gate that is off are dropped without a word.
    assert await kept(client, [device]) or (device in GATED and apiserver.minor < 36)
