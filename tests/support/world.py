"""A cluster in memory with Fake devices, and one or more controllers of this driver."""

from collections.abc import Iterable

from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    AllocatableDevice,
    FakeClaimParameters,
    FakeClaimParametersSpec,
    FakeDevice,
    NodeAllocationState,
    NodeAllocationStateSpec,
)
from fake_dra_driver.api.kube.meta import ObjectMeta, OwnerReference
from fake_dra_driver.api.resource.v1alpha2 import (
    AllocationMode,
    ClaimParametersReference,
    ResourceClaim,
    ResourceClaimSpec,
    ResourceClass,
)
from fake_dra_driver.driver.classic.setup import make_controllers
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.metrics import Metrics
from tests.support.claimworld import NOW, ClaimWorld, ControllerProcess
from tests.support.events import Recorder

__all__ = ["NAMESPACE", "NOW", "Brain", "World"]

NAMESPACE = "fake-system"


class Brain(ControllerProcess):
    """The controller process of this driver."""

    def __init__(self, world: "World") -> None:
        super().__init__(world.api, _controllers)


def _controllers(client: Client, cache: Cache, events: Recorder, metrics: Metrics) -> Iterable[Controller]:
    return make_controllers(client, cache, events, namespace=NAMESPACE, workers=4, now=lambda: NOW, metrics=metrics)


class World(ClaimWorld):
    """A cluster with Fake devices, and words for what users, the scheduler and the kubelet plugin do."""

    def __init__(self) -> None:
        super().__init__()
        self.api.apply(ResourceClass(metadata=ObjectMeta(name="fake"), driver_name=DRIVER_NAME))

    def node(self, name: str, devices: int = 1, status: str = "Ready") -> NodeAllocationState:
        """A node whose kubelet plugin has published devices ``<name>-0``, ``<name>-1`` and so on."""
        node = self.ready_node(name)
        owner = OwnerReference(api_version="v1", kind="Node", name=name, uid=node["metadata"]["uid"])
        inventory = tuple(AllocatableDevice(fake=FakeDevice(uuid=f"{name}-{i}", name="MODEL")) for i in range(devices))
        nas = NodeAllocationState(
            metadata=ObjectMeta(name=name, namespace=NAMESPACE, owner_references=(owner,)),
            spec=NodeAllocationStateSpec(allocatable_device=inventory),
            status=status,
        )
        self.api.apply(nas)
        return self.api.read(NodeAllocationState, name, NAMESPACE)

    def claim(
        self, name: str, *, count: int = 1, split: int = 0, mode: AllocationMode = "WaitForFirstConsumer"
    ) -> ResourceClaim:
        """A claim with parameters of its own."""
        parameters = FakeClaimParametersSpec(count=count, split=split)
        self.api.apply(FakeClaimParameters(metadata=ObjectMeta(name=name, namespace="default"), spec=parameters))
        reference = ClaimParametersReference(api_group=DRIVER_NAME, kind="FakeClaimParameters", name=name)
        spec = ResourceClaimSpec(resource_class_name="fake", parameters_ref=reference, allocation_mode=mode)
        self.api.apply(ResourceClaim(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))
        return self.read_claim(name)
