"""Claims and pods of structured DRA in a namespace of their own, whose parameters a test decides."""

from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import NamespacedName

__all__ = ["CLASS", "NAMESPACE", "claim", "config", "key", "namespace", "parameters", "pod", "template"]

NAMESPACE, CLASS = "test9", "fake.3-shake.com"

Manifest = dict[str, Any]


def key(name: str) -> NamespacedName:
    """Of an object in the namespace."""
    return NamespacedName(NAMESPACE, name)


def namespace() -> Manifest:
    """The namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def parameters(**spec: Any) -> Manifest:
    """FakeClaimParameters."""
    return {"apiVersion": f"{DRIVER_NAME}/v1alpha1", "kind": "FakeClaimParameters", "spec": spec}


def config(*entries: Mapping[str, Any], driver: str = DRIVER_NAME) -> Sequence[Manifest]:
    """The config of a claim with these parameters."""
    return [{"opaque": {"driver": driver, "parameters": each}} for each in entries]


def claim(name: str, configs: Sequence[Mapping[str, Any]] = (), device_class: str = CLASS, **exactly: Any) -> Manifest:
    """A claim with one request."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": _spec(configs, device_class, exactly),
    }


def template(name: str, configs: Sequence[Mapping[str, Any]] = ()) -> Manifest:
    """A template of claims for one device."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"spec": _spec(configs, CLASS, {})},
    }


def _spec(configs: Sequence[Mapping[str, Any]], device_class: str, exactly: Mapping[str, Any]) -> Manifest:
    request = {"name": "fake", "exactly": {"deviceClassName": device_class, **exactly}}
    return {"devices": {"requests": [request], "config": list(configs)}}


def pod(name: str, **source: str) -> Manifest:
    """A pod that prints its devices and runs on; without a source, with the claim that has its name."""
    container = {
        "name": "main",
        "image": "busybox",
        "command": ["sh", "-c", "export; trap 'exit 0' TERM; sleep 1000 & wait"],
        "resources": {"claims": [{"name": "fake"}]},
    }
    entry = {"name": "fake", **(source or {"resourceClaimName": name})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container], "resourceClaims": [entry]},
    }
