"""A cluster in memory with structured DRA: nodes with Fake devices, claims as the scheduler leaves them, controller."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fake_dra_driver.api.fake import DRIVER_NAME, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kube.core import Condition, Node, NodeStatus, Pod
from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.structured.setup import make_structured_controllers
from fake_dra_driver.driver.structured.driver import FakeStructuredDriver
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.metrics import Metrics
from tests.support.claimworld import NOW, ControllerProcess
from tests.support.events import Recorder
from tests.support.memory_api import MemoryApi
from tests.support.world import NAMESPACE

__all__ = ["CLASS", "NAMESPACE", "StructuredBrain", "StructuredWorld", "opaque", "parameters", "result"]

CLASS = "fake.3-shake.com"
API = RESOURCE_APIS["v1"]


class StructuredBrain(ControllerProcess):
    """The controller process of this driver."""

    def __init__(self, world: "StructuredWorld") -> None:
        super().__init__(world.api, _controllers)


def _controllers(client: Client, cache: Cache, events: Recorder, metrics: Metrics) -> Iterable[Controller]:
    return make_structured_controllers(
        FakeStructuredDriver(),
        client,
        cache,
        events,
        API,
        namespace=NAMESPACE,
        workers=4,
        now=lambda: NOW,
        metrics=metrics,
    )


def parameters(**spec: object) -> dict[str, Any]:
    """FakeClaimParameters as opaque parameters."""
    kind = FakeClaimParameters.resource
    return {"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec}


def opaque(value: object, *requests: str, driver: str = DRIVER_NAME) -> dict[str, Any]:
    """An entry of a claim's config."""
    entry: dict[str, Any] = {"opaque": {"driver": driver, "parameters": value}}
    return {**entry, "requests": list(requests)} if requests else entry


def result(node: str, index: int, request: str = "fakes", **more: object) -> dict[str, Any]:
    """An entry of an allocation's results: device ``fake-<index>`` of the node."""
    return {"request": request, "driver": DRIVER_NAME, "pool": node, "device": f"fake-{index}", **more}


class StructuredWorld:
    """The store, with words for what users, the scheduler and the kubelet plugin do."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        selector = v1.DeviceSelector(cel=v1.CelSelector(expression=f'device.driver == "{DRIVER_NAME}"'))
        self.api.apply(v1.DeviceClass(metadata=ObjectMeta(name=CLASS), spec=v1.DeviceClassSpec(selectors=(selector,))))

    def node(self, name: str, devices: int = 8, status: str = "Ready") -> None:
        """A node whose kubelet plugin has published devices ``<name>-0``, ``<name>-1`` and so on."""
        works = NodeStatus(conditions=(Condition(type="Ready", status="True", reason="KubeletReady"),))
        self.api.apply(Node(metadata=ObjectMeta(name=name, uid=UID(f"node-{name}")), status=works))
        pool = v1.ResourcePool(name=name, generation=1, resource_slice_count=1)
        spec = v1.ResourceSliceSpec(driver=DRIVER_NAME, pool=pool, node_name=name)
        self.api.apply(v1.ResourceSlice(metadata=ObjectMeta(name=f"{name}-slice", uid=UID(f"slice-{name}")), spec=spec))
        inventory = [{"fake": {"uuid": f"{name}-{index}", "name": "MODEL"}} for index in range(devices)]
        self.api.apply(
            NodeAllocationState.from_wire(
                {
                    "metadata": {"name": name, "namespace": NAMESPACE},
                    "spec": {"allocatableDevice": inventory},
                    "status": status,
                }
            )
        )

    def state(self, node: str = "n") -> NodeAllocationState:
        """The node's object as it is now."""
        return self.api.read(NodeAllocationState, node, NAMESPACE)

    def entries(self, node: str = "n") -> Mapping[str, Any]:
        """By the name of the claim, or its UID if there is none: what the node's object says that it holds."""
        names = {claim.uid: claim.metadata.name for claim in self.claims()}
        entries = self.state(node).to_wire().get("spec", {}).get("allocatedClaims", {})
        return {names.get(uid, uid): entry["fake"]["devices"] for uid, entry in entries.items()}

    def claims(self) -> Sequence[v1.ResourceClaim]:
        """All claims as they are now."""
        return [v1.ResourceClaim.from_wire(wire) for wire in self.api.objects.get("ResourceClaim", {}).values()]

    def claim(
        self,
        name: str,
        *results: Mapping[str, Any],
        requests: Sequence[Mapping[str, Any]] = ({"name": "fakes", "exactly": {"deviceClassName": CLASS}},),
        config: Sequence[Mapping[str, Any]] = (),
        class_config: Sequence[Mapping[str, Any]] = (),
    ) -> v1.ResourceClaim:
        """A claim; with results as the scheduler has allocated it."""
        wire: dict[str, Any] = {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"devices": {"requests": list(requests), "config": list(config)}},
        }
        if results:
            copied = [{**entry, "source": "FromClass"} for entry in class_config]
            copied += [{**entry, "source": "FromClaim"} for entry in config]
            wire["status"] = {"allocation": {"devices": {"results": list(results), "config": copied}}}
        self.api.apply(v1.ResourceClaim.from_wire(wire))
        return self.api.read(v1.ResourceClaim, name, "default")

    def deallocate(self, name: str) -> None:
        """Takes what the scheduler has written out of the claim, as the claim controller does."""
        self.api.update(v1.ResourceClaim, name, "default", {"status": {"allocation": None}})

    def pod(self, name: str, *claims: str) -> None:
        """A pod without a node that uses the claims."""
        entries = [{"name": claim, "resourceClaimName": claim} for claim in claims]
        self.api.apply(
            Pod.from_wire({"metadata": {"name": name, "namespace": "default"}, "spec": {"resourceClaims": entries}})
        )

    async def run(self) -> StructuredBrain:
        """A fresh controller, until nothing happens any more."""
        brain = StructuredBrain(self)
        async with brain.running():
            await brain.settle()
        return brain
