"""Words for tests of the negotiation with the scheduler: what was answered and told, and what there is to choose."""

from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    DeviceClassParameters,
    DeviceClassParametersSpec,
    DeviceSelector,
    FakeClaimParameters,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import (
    ClassParametersReference,
    PodSchedulingContext,
    ResourceClaim,
    ResourceClass,
)
from tests.support.world import NAMESPACE, Brain, World

__all__ = ["answers", "class_selects", "messages", "models", "occupy", "select_model"]


def answers(world: World, pod: str = "p") -> dict[str, list[str]]:
    """By entry of the pod: the nodes that were ruled out."""
    context = world.api.read(PodSchedulingContext, pod, "default")
    return {entry.name: list(entry.unsuitable_nodes) for entry in context.status.resource_claims}


def messages(brain: Brain, name: str) -> list[str]:
    return [f"{reason}: {message}" for about, reason, message in brain.events.events if about == name]


def occupy(world: World, node: str, *devices: str) -> None:
    """Devices that a claim which lives elsewhere holds."""
    claim = world.claim(f"holder-of-{node}")
    entry = {claim.uid: {"fake": {"devices": [{"uuid": uuid} for uuid in devices]}}}
    world.api.update(NodeAllocationState, node, NAMESPACE, {"spec": {"allocatedClaims": entry}})
    status = {
        "driverName": DRIVER_NAME,
        "allocation": {
            "availableOnNodes": {
                "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
            }
        },
        "reservedFor": [{"resource": "pods", "name": "elsewhere", "uid": "elsewhere"}],
    }
    world.api.update(ResourceClaim, claim.metadata.name, "default", {"status": status})


def models(world: World, node: str, *names: str) -> None:
    devices = [{"fake": {"uuid": f"{node}-{number}", "name": name}} for number, name in enumerate(names)]
    world.api.update(NodeAllocationState, node, NAMESPACE, {"spec": {"allocatableDevice": devices}})


def select_model(world: World, claim: str, model: str) -> None:
    world.api.update(FakeClaimParameters, claim, "default", {"spec": {"selector": {"model": model}}})


def class_selects(world: World, *globs: str) -> None:
    """The class gets parameters that restrict its claims to devices of these models."""
    selectors = tuple(DeviceSelector(type="fake", name=glob) for glob in globs)
    spec = DeviceClassParametersSpec(device_selector=selectors)
    world.api.apply(DeviceClassParameters(metadata=ObjectMeta(name="dcp"), spec=spec))
    reference = ClassParametersReference(api_group=DRIVER_NAME, kind="DeviceClassParameters", name="dcp")
    world.api.update(ResourceClass, "fake", "", {"parametersRef": reference.to_wire()})
