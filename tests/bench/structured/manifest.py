"""Claims of structured DRA and their pods, as JSON for the API server."""

from collections.abc import Mapping
from typing import Any, Final

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME

__all__ = ["ONE_DEVICE", "allocated_status", "claim_spec", "claim_template", "device_class", "pod"]

ONE_DEVICE: Final = "one-device"
"""Name of the template of a claim for one device."""

_REQUEST = "device"

Json = dict[str, Any]


def device_class() -> Json:
    """All devices of the driver, under the name that it has in the chart."""
    selector = {"cel": {"expression": f'device.driver == "{DRIVER_NAME}"'}}
    return {"metadata": {"name": RESOURCE_CLASS_NAME}, "spec": {"selectors": [selector]}}


def claim_spec() -> Json:
    """A claim for one device."""
    return {"devices": {"requests": [{"name": _REQUEST, "exactly": {"deviceClassName": RESOURCE_CLASS_NAME}}]}}


def claim_template() -> Json:
    """A template of such claims."""
    return {"metadata": {"name": ONE_DEVICE}, "spec": {"spec": claim_spec()}}


def pod(name: str, source: Mapping[str, str], *, node_name: str | None = None) -> Json:
    """A pod with one claim.

    Args:
        name: of the pod.
        source: ``resourceClaimName`` or ``resourceClaimTemplateName``, and the name.
        node_name: where it runs already; None: the scheduler decides.
    """
    container = {"name": "main", "image": "busybox:1.37", "resources": {"claims": [{"name": "device"}]}}
    spec: Json = {"containers": [container], "resourceClaims": [{"name": "device", **source}]}
    if node_name is not None:
        spec["nodeName"] = node_name
    return {"metadata": {"name": name}, "spec": spec}


def allocated_status(node_name: str, device: str, pod_name: str, pod_uid: str) -> Json:
    """What the scheduler writes to a claim that gets one device of a node, for one pod."""
    requirement = {"key": "metadata.name", "operator": "In", "values": [node_name]}
    result = {"request": _REQUEST, "driver": DRIVER_NAME, "pool": node_name, "device": device}
    return {
        "allocation": {
            "devices": {"results": [result]},
            "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [requirement]}]},
        },
        "reservedFor": [{"resource": "pods", "name": pod_name, "uid": pod_uid}],
    }
