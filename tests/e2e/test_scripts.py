"""A user's script: the kinds of this driver through kr8s, beside a claim that kubectl creates."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from tests.e2e.driver import DRIVER_NAMESPACE, Driver
from tests.e2e.kubectl import Kubectl
from tests.e2e.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.classic]

Specs = Mapping[str, Mapping[str, object]]

NAME: Final = "from-a-script"
SECONDS: Final = 60

WRITE: Final = f"""
from fake_dra_driver.api.kr8s import FakeClaimParameters
FakeClaimParameters({{"metadata": {{"name": "{NAME}", "namespace": "default"}}, "spec": {{"count": 2}}}}).create()
print(FakeClaimParameters.get("{NAME}", namespace="default").spec.count)
"""

READ: Final = f"""
from fake_dra_driver.api.kr8s import NodeAllocationState
for node in NodeAllocationState.list(namespace="{DRIVER_NAMESPACE}"):
    for uid, entry in node.spec.get("allocatedClaims", {{}}).items():
        print(node.name, uid, *(device.uuid for device in entry.fake.devices))
"""


@pytest.fixture
def leave_nothing(kubectl: Kubectl, driver: Driver, initial_specs: Specs) -> Iterator[None]:
    """Deletes what the scripts have made, and waits until its devices are free again."""
    yield
    kubectl.delete(ResourceClaim, NAME, wait=True)
    kubectl.delete(FakeClaimParameters, NAME)
    driver.wait_initial(initial_specs, SECONDS)


@pytest.mark.usefixtures("leave_nothing")
def test_a_script_writes_parameters_and_reads_who_holds_which_devices(kubectl: Kubectl) -> None:
    assert run(WRITE) == "2\n"
    kubectl.create(
        {
            "apiVersion": ResourceClaim.resource.api_version,
            "kind": ResourceClaim.resource.kind,
            "metadata": {"name": NAME, "namespace": "default"},
            "spec": {
                "resourceClassName": RESOURCE_CLASS_NAME,
                "allocationMode": "Immediate",
                "parametersRef": {"apiGroup": DRIVER_NAME, "kind": "FakeClaimParameters", "name": NAME},
            },
        }
    )
    wait_until("the claim is allocated", lambda: kubectl.get(ResourceClaim, NAME).status.allocation, SECONDS)
    claim = kubectl.get(ResourceClaim, NAME)
    (node, uid, *devices) = run(READ).split()
    assert uid == claim.uid
    entry = kubectl.get(NodeAllocationState, node, DRIVER_NAMESPACE).spec.allocated_claims[claim.uid]
    assert entry.fake is not None
    assert devices == [device.uuid for device in entry.fake.devices]
    assert len(devices) == 2


def run(script: str) -> str:
    """What a script prints. Raises CalledProcessError when it fails: pytest shows its standard error."""
    ran = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS)
    return ran.stdout
