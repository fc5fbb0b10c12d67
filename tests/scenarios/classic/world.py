"""What a scenario does and looks at, in its own namespace: objects made, pods bound, claims allocated, events said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.fake import EVENT_COMPONENT, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kube.core import Event, Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from tests.e2e.client import Client, Manifest
from tests.e2e.demo import claim_names
from tests.e2e.driver import Driver, check_ledger
from tests.e2e.objects import Namespace
from tests.e2e.waiting import wait_until

__all__ = ["AT_ONCE_SECONDS", "World", "allocated_node"]

AT_ONCE_SECONDS: Final = 20
"""Less than the classic controller library's timer (30 s), more than the scheduler's longest backoff (10 s)."""
_BIND_SECONDS: Final = 45


@dataclass(frozen=True, slots=True)
class World:
    """A namespace on a cluster with the driver and static nodes."""

    client: Client
    driver: Driver
    namespace: str

    # --- doing

    def create(self, *manifests: Manifest) -> None:
        """Creates objects, as ``kubectl create`` does."""
        self.client.create(*manifests)

    def correct(self, parameters: str, **spec: object) -> None:
        """Changes fields of FakeClaimParameters that are there already."""
        self.client.patch(FakeClaimParameters, parameters, {"spec": spec}, self.namespace)

    def end_pod(self, name: str) -> None:
        """Takes a pod away at once; a static node has no kubelet that would end it."""
        self.client.delete(Pod, name, self.namespace, now=True)

    def delete(self, kind: type[KubeObject], name: str, *, wait: bool = False) -> None:
        """Deletes an object of this namespace."""
        self.client.delete(kind, name, self.namespace, wait=wait)

    def tear_down(self) -> None:
        """Ends every pod, deletes the namespace, and waits until the driver has released what was in it."""
        self.client.delete_all(Pod, self.namespace, now=True)
        self.client.delete_all(ResourceClaim, self.namespace)
        self.client.delete(Namespace, self.namespace)

        def nothing_left() -> bool:
            claims = self.claims()
            assert not claims, f"claims left: {[(name, claim.metadata.finalizers) for name, claim in claims.items()]}"
            for nas in self.driver.nodes():
                left = {*nas.spec.allocated_claims, *nas.spec.prepared_devices}
                assert not left, f"{nas.key} still has claims {left}"
            return True

        wait_until(f"nothing left of {self.namespace}", nothing_left, 90)

    # --- looking

    def pods(self) -> Mapping[str, Pod]:
        """The namespace's pods by name."""
        return {pod.key.name: pod for pod in self.client.list(Pod, self.namespace)}

    def claims(self) -> Mapping[str, ResourceClaim]:
        """The namespace's claims by name."""
        return {claim.key.name: claim for claim in self.client.list(ResourceClaim, self.namespace)}

    def claim_of(self, pod: str, entry: str) -> ResourceClaim:
        """The claim behind an entry of a pod."""
        found = self.client.get(Pod, pod, self.namespace)
        return self.client.get(ResourceClaim, claim_names(found)[entry], self.namespace)

    def nas(self, node: str) -> NodeAllocationState:
        """A node's ledger."""
        return next(nas for nas in self.driver.nodes() if nas.metadata.name == node)

    def devices_of(self, claim: ResourceClaim) -> Mapping[str, Sequence[str]]:
        """The devices that a claim holds in each ledger that names it: one node at most, or something is wrong."""
        return {
            nas.metadata.name: [device.uuid for device in allocated.fake.devices]
            for nas in self.driver.nodes()
            if (allocated := nas.spec.allocated_claims.get(claim.uid)) and allocated.fake
        }

    def messages(self, kind: str, name: str) -> Sequence[str]:
        """What the driver's Warning events say about an object of this namespace."""
        return [
            event.message
            for event in self.client.list(Event, self.namespace)
            if (event.involved_object.kind, event.involved_object.name) == (kind, name)
            and EVENT_COMPONENT in (event.source.component, event.reporting_component)
            and event.type == "Warning"
        ]

    # --- waiting

    def wait_bound(self, *names: str, seconds: float = _BIND_SECONDS) -> Mapping[str, str]:
        """Waits until these pods have a node, and every claim of theirs is in that node's ledger alone.

        Returns the node of each pod.
        """

        def bound() -> bool:
            pods = self.pods()
            waiting = [name for name in names if not pods[name].spec.node_name]
            assert not waiting, f"not bound: {waiting}"
            return True

        wait_until(f"pods {list(names)} are bound", bound, seconds)
        pods, claims = self.pods(), self.claims()
        self.check()
        for name in names:
            for claim_name in claim_names(pods[name]).values():
                devices = self.devices_of(claims[claim_name])
                assert list(devices) == [pods[name].spec.node_name], f"{name}: {claim_name} holds {devices}"
                assert allocated_node(claims[claim_name]) == pods[name].spec.node_name
        return {name: pods[name].spec.node_name for name in names}

    def wait_message(self, kind: str, name: str, *parts: str, seconds: float = 30) -> str:
        """Waits for a Warning event of the driver on an object, that has every one of these parts in its message."""

        def said() -> str:
            messages = self.messages(kind, name)
            found = next((message for message in messages if all(part in message for part in parts)), "")
            assert found, f"messages: {messages}"
            return found

        return wait_until(f"an event on {kind} {name} with {parts}", said, seconds)

    def wait(self, what: str, probe: Callable[[], bool], seconds: float = _BIND_SECONDS) -> None:
        """Waits until a probe holds."""
        wait_until(what, probe, seconds)

    def check(self) -> None:
        """What holds at every moment."""
        check_ledger(self.driver.nodes(), list(self.claims().values()))

    def check_pending(self, *names: str) -> None:
        """These pods have no node, and their claims hold nothing."""
        pods = self.pods()
        assert [pods[name].spec.node_name for name in names] == [""] * len(names)


def allocated_node(claim: ResourceClaim) -> str | None:
    """The node that ``status.allocation`` names, which must have the shape that the Go driver writes."""
    allocation = claim.status.allocation
    if allocation is None:
        return None
    assert allocation.shareable
    assert allocation.available_on_nodes is not None
    (term,) = allocation.available_on_nodes.node_selector_terms
    (requirement,) = term.match_fields
    assert (requirement.key, requirement.operator, term.match_expressions) == ("metadata.name", "In", ())
    (node,) = requirement.values
    return node
