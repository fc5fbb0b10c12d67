"""What a test's pod claims, and the objects that this takes in each of the two protocols of DRA."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.releases import Release

__all__ = ["Claim", "claim_manifests", "class_manifest", "pod_manifest"]

_GROUP = "resource.k8s.io"
_CLASSIC = f"{_GROUP}/v1alpha2"
_WITHOUT_EXACTLY = "v1beta1"
"""The version whose requests hold themselves what later ones have below ``exactly``."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim for devices of one driver, the same for both protocols."""

    driver: str
    """Name of the driver."""
    config: BaseModel | Mapping[str, Any] | None = None
    """What it says about the devices: the model of a driver that uses ``dra.Driver``, of which what was set is sent, or
    the whole document, with ``apiVersion``, ``kind`` and ``spec``. A model with a wrong value is
    ``LampConfig().model_copy(update={"level": 900})``. In classic DRA it is the parameters of the claim, else its
    opaque configuration."""
    count: int = 1
    """How many devices. In classic DRA the parameters say it, so that more than one need a ``config`` where the driver
    has several kinds of parameters."""
    selectors: Sequence[str] = ()
    """Expressions in CEL about ``device``, all of which must hold. Structured DRA only."""
    capacity: Mapping[str, str] = field(default_factory=dict)
    """How much of a shared device, by capacity. Structured DRA only."""
    device_class: str = ""
    """Empty: that with the name of the driver, which is made where there is none."""

    @property
    def class_name(self) -> str:
        """The class of its devices."""
        return self.device_class or self.driver

    def document(self) -> Mapping[str, Any] | None:
        """The configuration as an object with ``apiVersion``, ``kind`` and ``spec``.

        Raises:
            ClusterError: it is a mapping that is no such object.
        """
        if self.config is None:
            return None
        if not isinstance(self.config, BaseModel):
            if missing := [name for name in ("apiVersion", "kind", "spec") if name not in self.config]:
                raise ClusterError(
                    f"The config of a claim is a model, or a whole document: {', '.join(missing)} must be set in "
                    f"{dict(self.config)}"
                )
            return self.config
        spec = self.config.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
        return {"apiVersion": f"{self.driver}/v1alpha1", "kind": type(self.config).__name__, "spec": spec}


def class_manifest(release: Release, name: str, driver: str) -> Mapping[str, Any]:
    """A class of all devices of a driver."""
    if not release.structured_version:
        return {"apiVersion": _CLASSIC, "kind": "ResourceClass", "metadata": {"name": name}, "driverName": driver}
    return {
        "apiVersion": f"{_GROUP}/{release.structured_version}",
        "kind": "DeviceClass",
        "metadata": {"name": name},
        "spec": {"selectors": [{"cel": {"expression": f"device.driver == '{driver}'"}}]},
    }


def claim_manifests(
    release: Release, claim: Claim, name: str, namespace: str, *, is_template: bool
) -> Sequence[Mapping[str, Any]]:
    """A ResourceClaim, or a template of such, with its parameters in classic DRA.

    Raises:
        ClusterError: it asks for something that classic DRA does not have.
    """
    metadata = {"name": name, "namespace": namespace}
    if release.structured_version:
        before: Sequence[Mapping[str, Any]] = ()
        spec = _structured_spec(release.structured_version, claim)
    else:
        before, spec = _classic_spec(claim, metadata)
    version = f"{_GROUP}/{release.structured_version}" if release.structured_version else _CLASSIC
    kind, inner = ("ResourceClaimTemplate", {"spec": spec}) if is_template else ("ResourceClaim", spec)
    return [*before, {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": inner}]


def _structured_spec(version: str, claim: Claim) -> Mapping[str, Any]:
    exactly: dict[str, Any] = {"deviceClassName": claim.class_name, "count": claim.count}
    if claim.selectors:
        exactly["selectors"] = [{"cel": {"expression": expression}} for expression in claim.selectors]
    if claim.capacity:
        exactly["capacity"] = {"requests": dict(claim.capacity)}
    request = {"name": "devices", **(exactly if version == _WITHOUT_EXACTLY else {"exactly": exactly})}
    document = claim.document()
    config = [{"opaque": {"driver": claim.driver, "parameters": document}}] if document is not None else []
    return {"devices": {"requests": [request], "config": config}}


def _classic_spec(claim: Claim, metadata: Mapping[str, str]) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]]:
    if claim.selectors or claim.capacity:
        raise ClusterError("Classic DRA has no selectors and capacities: the driver decides, by the claim's config")
    document, spec = claim.document(), {"resourceClassName": claim.class_name}
    if document is None:
        if claim.count != 1:
            raise ClusterError(f"In classic DRA a claim for {claim.count} devices says so in a config: give it one")
        return [], spec
    parameters = {
        **document,
        "metadata": metadata,
        "spec": {**document["spec"], **({"count": claim.count} if claim.count != 1 else {})},
    }
    reference = {
        "apiGroup": str(document["apiVersion"]).partition("/")[0],
        "kind": document["kind"],
        "name": metadata["name"],
    }
    return [parameters], {**spec, "parametersRef": reference}


def pod_manifest(
    release: Release,
    name: str,
    namespace: str,
    command: Sequence[str],
    claims: Mapping[str, Mapping[str, str]],
    node: str,
) -> Mapping[str, Any]:
    """A pod whose only container, ``main``, uses all of its claims.

    Args:
        release: decides how a pod names its claims.
        name: of the pod.
        namespace: of the pod.
        command: what it runs.
        claims: by the entry's name, where it comes from: ``resourceClaimName`` or ``resourceClaimTemplateName``.
        node: where it is to run; empty: wherever its claims can be met.
    """
    entries = [
        {"name": entry, **(source if release.structured_version else {"source": source})}
        for entry, source in claims.items()
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "nodeSelector": {"kubernetes.io/hostname": node} if node else {},
            "containers": [
                {
                    "name": "main",
                    "image": "busybox",
                    "command": list(command),
                    "resources": {"claims": [{"name": entry} for entry in claims]},
                }
            ],
            "resourceClaims": entries,
        },
    }
