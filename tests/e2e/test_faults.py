"""Devices that fail on demand, on a real node: what DeviceFaults do to pods, and that all heals."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pytest

from fake_dra_driver.api.devicefault import DeviceFault, FaultOnNode
from fake_dra_driver.api.fake import RESOURCE_CLASS_NAME
from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.resource.v1 import ResourceClaim
from tests.e2e.client import Manifest
from tests.e2e.driver import Driver
from tests.e2e.kubectl import Kubectl
from tests.e2e.objects import RunningPod
from tests.e2e.waiting import wait_until

# Taints are evicted for, and health is shown, from 1.36 on.
pytestmark = [pytest.mark.e2e, pytest.mark.structured, pytest.mark.needs(minor=36)]

NAMESPACE: Final = "faults"
SECONDS: Final = 60


class Site:
    """A namespace with pods that have a device each, and faults that hit them."""

    def __init__(self, kubectl: Kubectl, driver: Driver) -> None:
        self._kubectl = kubectl
        self._driver = driver
        self._faults: list[str] = []
        (self.node,) = driver.plugins()

    def start(self, pod: str) -> None:
        """Creates a pod with a claim for one device."""
        claim = {"name": "fake", "resourceClaimTemplateName": "one"}
        container = {
            "name": "ctr0",
            "image": "busybox:1.37",
            "command": ["sleep", "3600"],
            "resources": {"claims": [{"name": "fake"}]},
        }
        self._kubectl.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": pod, "namespace": NAMESPACE},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container], "resourceClaims": [claim]},
            }
        )

    def wait_running(self, pod: str) -> str:
        """Waits until the pod runs. Returns the name of its device."""
        wait_until(f"{pod} runs", lambda: self._kubectl.get(RunningPod, pod, NAMESPACE).is_ready, SECONDS)
        return self.device_of(pod)

    def device_of(self, pod: str) -> str:
        """The device of the pod's claim."""
        (claim,) = self.claims_of(pod)
        assert claim.status.allocation is not None
        (result,) = claim.status.allocation.devices.results
        return result.device

    def claims_of(self, pod: str) -> Sequence[ResourceClaim]:
        """The claims that were made for the pod."""
        claims = self._kubectl.list(ResourceClaim, NAMESPACE)
        return [each for each in claims if any(owner.name == pod for owner in each.metadata.owner_references)]

    def health_of(self, pod: str) -> Sequence[tuple[str, str]]:
        """Health and message of the pod's devices, as the kubelet shows them."""
        statuses: Sequence[Mapping[str, Any]] = self._kubectl.read(RunningPod, pod, NAMESPACE)["status"][
            "containerStatuses"
        ]
        return [
            (resource["health"], resource.get("message", ""))
            for status in statuses
            for claim in status.get("allocatedResourcesStatus", ())
            for resource in claim["resources"]
        ]

    def break_(self, name: str, effects: Manifest, **target: Any) -> None:
        """Creates a DeviceFault."""
        self._kubectl.create(
            {
                "apiVersion": DeviceFault.resource.api_version,
                "kind": DeviceFault.resource.kind,
                "metadata": {"name": name},
                "spec": {"target": target, "effects": effects},
            }
        )
        self._faults.append(name)

    def heal(self) -> None:
        """Deletes all faults."""
        for name in self._faults:
            self._kubectl.delete(DeviceFault, name)
        self._faults.clear()

    def wait_hit(self, fault: str, is_enough: Callable[[FaultOnNode], object]) -> FaultOnNode:
        """Waits until the node says enough of a fault in its status."""

        def entry() -> FaultOnNode:
            status = self._kubectl.get(DeviceFault, fault).status
            (found,) = [] if status is None else [each for each in status.nodes if each.node == self.node]
            assert is_enough(found), f"{fault}: {found}"
            return found

        return wait_until(f"DeviceFault {fault} says what it has hit", entry, SECONDS)

    def devices(self) -> Sequence[str]:
        """The devices that are offered."""
        offered: Any = self._driver.offers().get(self.node, ())
        return [device["name"] for device in offered]

    def events(self, pod: str) -> Sequence[str]:
        """What was said about the pod."""
        return [event.message for event in self._kubectl.list(Event, NAMESPACE) if event.involved_object.name == pod]


@pytest.fixture
def site(
    kubectl: Kubectl, driver: Driver, initial_specs: Mapping[str, Mapping[str, object]], started: datetime
) -> Iterator[Site]:
    """Afterwards nothing is left, and all devices are offered as before."""
    offers = driver.offers()
    site = Site(kubectl, driver)
    kubectl("create", "namespace", NAMESPACE)
    request = {"name": "fake", "exactly": {"deviceClassName": RESOURCE_CLASS_NAME}}
    kubectl.create(
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaimTemplate",
            "metadata": {"name": "one", "namespace": NAMESPACE},
            "spec": {"spec": {"devices": {"requests": [request]}}},
        }
    )
    yield site
    site.heal()
    kubectl("delete", "namespace", NAMESPACE, "--wait=true", timeout_seconds=SECONDS)
    driver.wait_initial(initial_specs)
    wait_until("the same devices are offered as before", lambda: driver.offers() == offers, SECONDS)
    driver.check_logs(started, killed=False)


def test_devices_fail_and_heal(kubectl: Kubectl, driver: Driver, site: Site) -> None:
    site.break_("unplugged", {"deregister": True, "slicesLost": True}, nodes=[site.node])
    wait_until("no device is offered", lambda: not site.devices(), SECONDS)
    wait_until("the node is not ready", lambda: {nas.status for nas in driver.nodes()} == {"NotReady"}, SECONDS)
    site.heal()
    driver.wait_ready()

    site.break_("no-answer", {"prepare": {"fail": {"times": 2, "message": "no answer from the bus"}}})
    site.start("patient")
    site.wait_hit("no-answer", lambda entry: entry.times == 2)
    # The kubelet writes Events behind what it does.
    told = "no answer from the bus (DeviceFault no-answer)"
    wait_until("the pod is told", lambda: any(told in text for text in site.events("patient")), SECONDS)
    site.wait_running("patient")
    assert site.wait_hit("no-answer", lambda entry: entry.device_count).times == 2
    site.heal()

    for pod in ("sick", "evicted"):
        site.start(pod)
    sick, evicted = site.wait_running("sick"), site.wait_running("evicted")
    assert site.health_of("sick") == [("Healthy", "")]
    site.break_("too-hot", {"health": {"message": "too hot"}}, devices=[sick])
    site.break_("burnt", {"taint": {"key": "example.com/burnt", "effect": "NoExecute"}}, devices=[evicted])
    wait_until("the pod's device is unhealthy", lambda: site.health_of("sick") == [("Unhealthy", "too hot")], SECONDS)
    wait_until("the pod is evicted", lambda: kubectl.find(RunningPod, "evicted", NAMESPACE) is None, SECONDS)
    assert kubectl.get(RunningPod, "sick", NAMESPACE).is_ready
    assert site.wait_hit("burnt", lambda entry: entry.devices).devices == (evicted,)
    site.heal()
    wait_until("the pod's device is healthy", lambda: site.health_of("sick") == [("Healthy", "")], SECONDS)

    free = sorted(set(site.devices()) - {site.device_of("patient"), sick})
    site.break_("gone", {"vanish": True}, devices=free[1:])
    wait_until("one device is left", lambda: free[0] in site.devices() and free[1] not in site.devices(), SECONDS)
    for pod in ("last", "waits"):
        site.start(pod)
    (running,) = wait_until(
        "one of two pods runs",
        lambda: [pod for pod in ("last", "waits") if kubectl.get(RunningPod, pod, NAMESPACE).is_ready],
        SECONDS,
    )
    (waiting,) = {"last", "waits"} - {running}
    assert site.device_of(running) == free[0]
    wait_until("the other is told", lambda: any("cannot allocate" in text for text in site.events(waiting)), SECONDS)
    site.heal()
    site.wait_running(waiting)
