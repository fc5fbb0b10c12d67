"""What one tenant can do to another by way of claims: nothing of what a running pod has goes to the other's pod."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME
from fake_dra_driver.api.kube.core import Event, Pod
from fake_dra_driver.dra.reason import CLAIM_LOST_IN_USE, INSUFFICIENT_DEVICES, PREPARE_FAILED
from tests.e2e.client import Manifest
from tests.e2e.driver import COMMON_CDI_FILE, DRIVER_NAMESPACE, Driver
from tests.e2e.kubectl import Kubectl
from tests.e2e.objects import RunningPod
from tests.e2e.waiting import let_pass, wait_until

pytestmark = pytest.mark.e2e

ATTACKER, VICTIM = "tenant-attacker", "tenant-victim"
HANDED_OVER_SECONDS: Final = 150
"""In structured DRA the kubelet tries again to prepare a claim only when it syncs the pod, after up to 90 s."""
OBSERVED_SECONDS: Final = 5

Specs = Mapping[str, Mapping[str, object]]


@pytest.fixture
def tenants(kubectl: Kubectl, driver: Driver, initial_specs: Specs, started: datetime) -> Iterator[None]:
    """A namespace for each. Afterwards the node is as before."""
    for tenant in (ATTACKER, VICTIM):
        kubectl("create", "namespace", tenant)
    yield
    kubectl("delete", "namespace", ATTACKER, VICTIM, "--timeout=120s", timeout_seconds=130)
    driver.wait_initial(initial_specs, 120)
    assert driver.cdi_files() == [COMMON_CDI_FILE]
    driver.check_logs(started, killed=False)


def manifests(driver: Driver, tenant: str, devices: int) -> Sequence[Manifest]:
    """A pod with a claim of so many devices."""
    kind = driver.protocol.claims.resource
    parameters: Sequence[Manifest] = ()
    source: dict[str, Any] = {"resourceClaimName": "claim"}
    if driver.protocol.structured is None:
        reference = {"apiGroup": DRIVER_NAME, "kind": "FakeClaimParameters", "name": "claim"}
        spec: dict[str, Any] = {"resourceClassName": RESOURCE_CLASS_NAME, "parametersRef": reference}
        metadata = {"name": "claim", "namespace": tenant}
        wanted = {"apiVersion": f"{DRIVER_NAME}/v1alpha1", "kind": "FakeClaimParameters", "spec": {"count": devices}}
        parameters, source = [{**wanted, "metadata": metadata}], {"source": source}
    else:
        asked = {"deviceClassName": RESOURCE_CLASS_NAME, "count": devices}
        request = asked if kind.version == "v1beta1" else {"exactly": asked}
        spec = {"devices": {"requests": [{"name": "fake", **request}]}}
    claim = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": "claim", "namespace": tenant},
        "spec": spec,
    }
    container = {
        "name": "ctr0",
        "image": "busybox:1.37",
        "command": ["sh", "-c", "export; exec sleep infinity"],
        "resources": {"claims": [{"name": "device"}]},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod0", "namespace": tenant},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "resourceClaims": [{"name": "device", **source}],
            "containers": [container],
        },
    }
    return [*parameters, claim, pod]


def is_running(kubectl: Kubectl, tenant: str) -> bool:
    pod = kubectl.find(RunningPod, "pod0", tenant)
    return pod is not None and pod.is_ready


def said(kubectl: Kubectl, namespace: str, reason: str, kind: str) -> Sequence[str]:
    """What the driver has told of objects of a kind."""
    return [
        event.message
        for event in kubectl.list(Event, namespace)
        if (event.reason, event.involved_object.kind) == (reason, kind)
    ]


@pytest.mark.usefixtures("tenants")
def test_a_claim_without_finalizers_frees_nothing_while_its_pod_runs(kubectl: Kubectl, driver: Driver) -> None:
    claims = driver.protocol.claims
    (nas,) = driver.nodes()
    kubectl.create(*manifests(driver, ATTACKER, len(nas.spec.allocatable_device)))
    wait_until("the first pod runs", lambda: is_running(kubectl, ATTACKER), 60)
    claim = kubectl.get(claims, "claim", ATTACKER)
    wait_until("it is prepared", lambda: claim.uid in driver.prepared_claims(), 10)
    files = driver.cdi_files()

    kubectl.delete(claims, "claim", ATTACKER)
    kubectl.patch(claims, "claim", {"metadata": {"finalizers": None}}, ATTACKER)
    wait_until("the claim is gone", lambda: kubectl.find(claims, "claim", ATTACKER) is None, 10)
    kubectl.create(*manifests(driver, VICTIM, 1))

    lost = CLAIM_LOST_IN_USE.name
    wait_until("the pod is told", lambda: said(kubectl, ATTACKER, lost, "Pod"), 60)
    assert claim.uid in said(kubectl, DRIVER_NAMESPACE, lost, "NodeAllocationState")[0]
    if driver.protocol.structured is None:
        why = wait_until("the wait is told", lambda: said(kubectl, VICTIM, INSUFFICIENT_DEVICES.name, "Pod"), 60)
        assert "asked for 1 device" in why[0]
    else:
        why = wait_until("the wait is told", lambda: said(kubectl, VICTIM, PREPARE_FAILED.name, "ResourceClaim"), 60)
        assert f"is still prepared for claim {ATTACKER}/claim ({claim.uid})" in why[0]
    let_pass(OBSERVED_SECONDS)
    assert is_running(kubectl, ATTACKER)
    assert not is_running(kubectl, VICTIM)
    assert driver.prepared_claims() == {claim.uid}
    assert driver.cdi_files() == files

    kubectl.delete(Pod, "pod0", ATTACKER, wait=True)
    wait_until("the second pod runs", lambda: is_running(kubectl, VICTIM), HANDED_OVER_SECONDS)
    victim = kubectl.get(claims, "claim", VICTIM)
    wait_until("it alone is prepared", lambda: driver.prepared_claims() == {victim.uid}, 10)
