"""Manifests as a user would write them, in ``v1``; every field that a scenario varies is a parameter."""

from collections.abc import Mapping, Sequence
from typing import Final

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME
from tests.e2e.client import Manifest

__all__ = ["POOL_LABEL", "claim", "claim_template", "device_class", "model_is", "parameters", "pod", "request"]

POOL_LABEL: Final = "fake-dra-driver.test/pool"
"""Label and taint of the static nodes: only the scenarios' pods are selected for, and tolerate, a pool."""
_API: Final = "resource.k8s.io/v1"


def model_is(model: str) -> str:
    """A selector for devices of a model."""
    return f'device.attributes["{DRIVER_NAME}"].model == "{model}"'


def request(
    name: str = "fake", *, count: int = 1, select: Sequence[str] = (), class_name: str = RESOURCE_CLASS_NAME
) -> Manifest:
    """A request for a number of devices."""
    return {
        "name": name,
        "exactly": {
            "deviceClassName": class_name,
            "count": count,
            "selectors": [{"cel": {"expression": each}} for each in select],
        },
    }


def parameters(requests: Sequence[str] = (), **spec: object) -> Manifest:
    """An entry of a claim's configuration, with FakeClaimParameters."""
    value = {"apiVersion": f"{DRIVER_NAME}/v1alpha1", "kind": "FakeClaimParameters", "spec": spec}
    return {"requests": list(requests), "opaque": {"driver": DRIVER_NAME, "parameters": value}}


def _devices(
    requests: Sequence[Manifest], config: Sequence[Manifest] = (), constraints: Sequence[Manifest] = ()
) -> Manifest:
    devices = {"requests": list(requests) or [request()], "config": list(config), "constraints": list(constraints)}
    return {"devices": {key: value for key, value in devices.items() if value}}


def claim(
    name: str,
    namespace: str,
    *requests: Manifest,
    config: Sequence[Manifest] = (),
    constraints: Sequence[Manifest] = (),
) -> Manifest:
    """A ResourceClaim; without requests it asks for one device."""
    return {
        "apiVersion": _API,
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": _devices(requests, config, constraints),
    }


def claim_template(name: str, namespace: str, *requests: Manifest, config: Sequence[Manifest] = ()) -> Manifest:
    """A ResourceClaimTemplate; without requests its claims ask for one device."""
    return {
        "apiVersion": _API,
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"spec": _devices(requests, config)},
    }


def device_class(name: str, *select: str, config: Sequence[Manifest] = ()) -> Manifest:
    """A DeviceClass for devices of this driver that these selectors fit as well."""
    expressions = (f'device.driver == "{DRIVER_NAME}"', *select)
    spec: dict[str, object] = {"selectors": [{"cel": {"expression": each}} for each in expressions]}
    if config:
        spec["config"] = [{"opaque": each["opaque"]} for each in config]
    return {"apiVersion": _API, "kind": "DeviceClass", "metadata": {"name": name}, "spec": spec}


def pod(
    name: str,
    namespace: str,
    *,
    claims: Mapping[str, str] | None = None,
    templates: Mapping[str, str] | None = None,
    pool: str | None = "static",
    command: str = "export; exec sleep infinity",
) -> Manifest:
    """A pod for the nodes of a pool; ``claims`` and ``templates`` map its entries to names of such objects.

    Without a pool it goes to a node with a kubelet, and runs.
    """
    sources = {entry: {"resourceClaimName": value} for entry, value in (claims or {}).items()}
    sources |= {entry: {"resourceClaimTemplateName": value} for entry, value in (templates or {}).items()}
    placement: Manifest = {}
    if pool:
        placement = {"nodeSelector": {POOL_LABEL: pool}, "tolerations": [{"key": POOL_LABEL, "operator": "Exists"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "restartPolicy": "Never",
            **placement,
            "resourceClaims": [{"name": entry, **source} for entry, source in sources.items()],
            "containers": [
                {
                    "name": "ctr0",
                    "image": "busybox:1.37",
                    "command": ["sh", "-c", command],
                    "resources": {"claims": [{"name": entry} for entry in sources]},
                }
            ],
        },
    }
