"""Claims of classic DRA, their pods, and what plugins publish, as JSON for the API server."""

from collections.abc import Mapping
from typing import Any, Final

from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    NAS_GROUP,
    RESOURCE_CLASS_NAME,
    FakeClaimParameters,
    NodeAllocationState,
)
from fake_dra_driver.device.inventory import make_inventory
from tests.bench.manifest import DRIVER_NAMESPACE

__all__ = [
    "ONE_DEVICE",
    "allocation",
    "claim_spec",
    "claim_template",
    "device_uuids",
    "node_state",
    "parameters",
    "pod",
]

ONE_DEVICE: Final = "one-device"
"""Name of the template and of the parameters of a claim for one device."""

_MODEL = "LATEST-FAKE-MODEL"

Json = dict[str, Any]


def node_state(name: str, node_uid: str, devices: int) -> Json:
    """What a node's kubelet plugin publishes."""
    fakes = [{"fake": {"uuid": uuid, "name": _MODEL}} for uuid in device_uuids(name, devices)]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}
    return {
        "apiVersion": f"{NAS_GROUP}/{NodeAllocationState.resource.version}",
        "kind": NodeAllocationState.resource.kind,
        "metadata": {"name": name, "namespace": DRIVER_NAMESPACE, "ownerReferences": [owner]},
        "spec": {"allocatableDevice": fakes},
        "status": "Ready",
    }


def device_uuids(name: str, devices: int) -> list[str]:
    """The UUIDs of a node's devices, in their order."""
    return [device.uuid for device in make_inventory(name, devices, [_MODEL])]


def parameters() -> Json:
    """The parameters of a claim for one device."""
    resource = FakeClaimParameters.resource
    metadata = {"name": ONE_DEVICE}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        "spec": {"count": 1},
    }


def claim_spec() -> Json:
    """A claim for one device, to be allocated when a pod needs it."""
    reference = {"apiGroup": DRIVER_NAME, "kind": FakeClaimParameters.resource.kind, "name": ONE_DEVICE}
    return {
        "resourceClassName": RESOURCE_CLASS_NAME,
        "parametersRef": reference,
        "allocationMode": "WaitForFirstConsumer",
    }


def claim_template() -> Json:
    """A template of such claims."""
    return {"metadata": {"name": ONE_DEVICE}, "spec": {"spec": claim_spec()}}


def pod(name: str, source: Mapping[str, str], node_name: str | None = None) -> Json:
    """A pod with one claim.

    Args:
        name: of the pod.
        source: ``resourceClaimName`` or ``resourceClaimTemplateName``, and the name.
        node_name: where it runs already; None: the scheduler decides.
    """
    container = {"name": "main", "image": "busybox:1.37", "resources": {"claims": [{"name": "device"}]}}
    spec: Json = {"containers": [container], "resourceClaims": [{"name": "device", "source": dict(source)}]}
    if node_name is not None:
        spec["nodeName"] = node_name
    return {"metadata": {"name": name}, "spec": spec}


def allocation(node_name: str, handle: str) -> Json:
    """A claim's allocation on one node."""
    requirement = {"key": "metadata.name", "operator": "In", "values": [node_name]}
    return {
        "availableOnNodes": {"nodeSelectorTerms": [{"matchFields": [requirement]}]},
        "resourceHandles": [{"driverName": DRIVER_NAME, "data": handle}],
        "shareable": True,
    }
