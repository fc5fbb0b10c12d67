"""A node as the Go driver leaves it: claims without handles, a ledger without revisions, plain CDI files, no more.

The Go driver itself is not here. What its controller writes is written by ``allocate``, and ``forget`` takes away what
this driver's kubelet plugin, which then prepares the claims, leaves beyond what the Go driver's does.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fake_dra_driver.api.fake import (
    ALLOCATED_ANNOTATION,
    CDI_CLASS,
    CDI_VENDOR,
    CLAIM_FINALIZER,
    DRIVER_NAME,
    LEDGER_REVISION_ANNOTATION,
    FakeClaimParameters,
    FakeClaimParametersSpec,
    NodeAllocationState,
)
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from tests.e2e.demo import Apps, claim_names
from tests.e2e.driver import Driver
from tests.e2e.kubectl import Kubectl
from tests.e2e.objects import RunningPod

__all__ = ["allocate", "forget"]

_OWN_VARIABLE: Final = "FAKE_CLAIM_"


def allocate(kubectl: Kubectl, driver: Driver, apps: Apps, numbers: Sequence[int]) -> None:
    """Allocates the claims of these tests as the Go controller does. No controller may run."""
    apps.wait_scheduling(numbers)
    (state,) = driver.nodes()
    entries = [entry.fake for entry in state.spec.allocated_claims.values() if entry.fake]
    held = {device.uuid for entry in entries for device in entry.devices}
    fakes = [device.fake for device in state.spec.allocatable_device if device.fake]
    free = [fake.uuid for fake in fakes if fake.uuid not in held]
    for pod in apps.pods(numbers):
        for name in claim_names(pod).values():
            claim = kubectl.get(ResourceClaim, name, pod.key.namespace)
            if claim.status.allocation is None:
                _allocate(kubectl, state, pod, claim, free)


def _allocate(
    kubectl: Kubectl, state: NodeAllocationState, pod: RunningPod, claim: ResourceClaim, free: list[str]
) -> None:
    asked, reference = FakeClaimParametersSpec(), claim.spec.parameters_ref
    if reference is not None:
        asked = kubectl.get(FakeClaimParameters, reference.name, claim.key.namespace).spec
    split = {"split": asked.split} if asked.split else {}
    devices = [{"uuid": free.pop(0), **split} for _ in range(asked.count)]
    node = {"key": "metadata.name", "operator": "In", "values": [state.key.name]}
    allocation = {"availableOnNodes": {"nodeSelectorTerms": [{"matchFields": [node]}]}, "shareable": True}
    consumer = {"resource": "pods", "name": pod.key.name, "uid": pod.uid}
    status = {"driverName": DRIVER_NAME, "allocation": allocation, "reservedFor": [consumer]}
    where = ("resourceclaim", claim.key.name, claim.key.namespace)
    _patch(kubectl, *where, {"metadata": {"finalizers": [CLAIM_FINALIZER]}})
    ledger = {"spec": {"allocatedClaims": {claim.uid: {"fake": {"devices": devices}}}}}
    _patch(kubectl, "nas", state.key.name, state.key.namespace, ledger)
    _patch(kubectl, *where, {"status": status}, "--subresource=status")


def _patch(kubectl: Kubectl, kind: str, name: str, namespace: str, change: Mapping[str, Any], *options: str) -> None:
    kubectl("patch", kind, name, "--namespace", namespace, "--type=merge", f"--patch={json.dumps(change)}", *options)


def forget(kubectl: Kubectl, driver: Driver, cdi_root: Path, plugin_folder: Path) -> None:
    """Takes away what the Go driver does not have. No part of this driver may run."""
    for state in driver.nodes():
        annotations = [f"{LEDGER_REVISION_ANNOTATION}-", f"{ALLOCATED_ANNOTATION}-"]
        kubectl("annotate", "nas", state.key.name, "--namespace", state.key.namespace, *annotations)
    for path in cdi_root.glob(f"{CDI_VENDOR}-{CDI_CLASS}_*.yaml"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if _OWN_VARIABLE not in line))
    for path in plugin_folder.iterdir():
        path.unlink()
