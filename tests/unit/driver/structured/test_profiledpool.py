"""What claims get of devices that a profile describes, and what stays theirs when it changes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.config import ConfigError
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.profile.containers import ConfigKind, EnvironmentVariable
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.structured.pool import FakePool
from tests.support.mocknode import profiled_node

DRIVER = "gpu.example.com"
KIND = ConfigKind(
    "gpu.example.com/v1",
    "GpuConfig",
    {"type": "object", "properties": {"strategy": {"type": "string"}}},
    default={"strategy": "Exclusive"},
)
VARIABLES = (
    EnvironmentVariable("GPU_{{ index }}", "{{ uuid }}"),
    EnvironmentVariable("GPU_{{ index }}_STRATEGY", "{{ config.strategy }}"),
    EnvironmentVariable("GPU_{{ index }}_MEMORY", "{{ share.capacity.memory }}", when="share.id"),
)
NODE = profiled_node(
    [Device("GPU-a", "A100", "gpu"), Device("GPU-b", "A100", "gpu")], each={"environment": VARIABLES}, configs=(KIND,)
)
SHARE = UID("29af2b1c-7d3e-4f5a-9b60-000000000001")


class Node:
    """A node, and a claim that is prepared there."""

    def __init__(self, node: MockNode = NODE) -> None:
        self.live = LiveNode(node)
        self.prepared: dict[str, FakePreparedClaim] = {}
        planner = FakePlanner(lambda: self.live.present, lambda: self.prepared)
        self.pool = FakePool(self.live, planner, DRIVER)

    def prepare(self, allocated: AllocatedClaim) -> Sequence[FakePreparedDevice]:
        """What the claim is prepared with from now on."""
        claim = allocated.identity
        devices = self.pool.prepared(allocated, self.prepared.get(claim.uid))
        self.prepared[claim.uid] = PreparedClaim(claim.uid, claim.namespace, claim.name, tuple(devices))
        return devices


def claim(*results: v1.DeviceRequestAllocationResult, config: dict[str, Any] | None = None) -> AllocatedClaim:
    parameters = {"apiVersion": KIND.api_version, "kind": KIND.kind, **(config or {})}
    entry = {"source": "FromClaim", "opaque": {"driver": DRIVER, "parameters": parameters}}
    devices = v1.DeviceAllocationResult.model_validate(
        {"results": results, "config": [] if config is None else [entry]}
    )
    status = v1.ResourceClaimStatus(allocation=v1.AllocationResult(devices=devices))
    metadata = ObjectMeta(name="c", namespace="default", uid=UID("uid-c"))
    return AllocatedClaim.of(v1.ResourceClaim(metadata=metadata, status=status), DRIVER, NODE.node)


def result(device: str, **fields: Any) -> v1.DeviceRequestAllocationResult:
    return v1.DeviceRequestAllocationResult(request="gpu", driver=DRIVER, pool=NODE.node, device=device, **fields)


def environment(devices: Sequence[FakePreparedDevice]) -> dict[str, str]:
    return {name: value for device in devices for name, value in device.environment or ()}


def test_containers_get_what_the_profile_says_about_their_devices() -> None:
    assert environment(Node().prepare(claim(result("fake-1"), result("fake-0")))) == {
        "GPU_0": "GPU-a",
        "GPU_0_STRATEGY": "Exclusive",
        "GPU_1": "GPU-b",
        "GPU_1_STRATEGY": "Exclusive",
    }


def test_configuration_and_shares_are_for_templates() -> None:
    shared = result("fake-0", share_id=SHARE, consumed_capacity={"memory": "16Gi"})
    assert environment(Node().prepare(claim(shared, config={"strategy": "MPS"}))) == {
        "GPU_0": "GPU-a",
        "GPU_0_STRATEGY": "MPS",
        "GPU_0_MEMORY": "16Gi",
    }


@pytest.mark.parametrize(
    "change",
    [
        replace(NODE, configs=()),
        replace(NODE, configs=(replace(KIND, schema={"type": "object"}),)),
        replace(NODE, devices=()),
        profiled_node([Device("GPU-c", "H100", "gpu")], each={"environment": ()}),
    ],
    ids=["no configuration", "another schema", "no devices", "other devices"],
)
def test_a_claim_keeps_what_it_is_prepared_with(change: MockNode) -> None:
    node = Node()
    allocated = claim(result("fake-0"), result("fake-1"), config={"strategy": "MPS"})
    before = node.prepare(allocated)
    node.live.take(change)
    assert node.prepare(allocated) == before


def test_a_claim_that_comes_later_is_read_as_the_profile_is_now() -> None:
    node = Node(replace(NODE, configs=()))
    with pytest.raises(ConfigError, match="must be left out, since the driver takes none"):
        node.prepare(claim(result("fake-0"), config={"strategy": "MPS"}))
