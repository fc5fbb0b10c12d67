"""What a scenario does and looks at, in its own namespace: objects made, pods bound, claims allocated, events said."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.kube.core import Event, Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource import v1
from tests.e2e.client import Client, Manifest
from tests.e2e.driver import Driver
from tests.e2e.objects import Namespace, RunningPod
from tests.e2e.waiting import wait_until

__all__ = ["AT_ONCE_SECONDS", "World", "devices_of", "nodes_of"]

AT_ONCE_SECONDS: Final = 20
"""More than the scheduler's longest backoff (10 s), and much less than its timer for pods that nothing has woken."""
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

    def end_pod(self, name: str) -> None:
        """Takes a pod away at once; a static node has no kubelet that would end it."""
        self.client.delete(Pod, name, self.namespace, now=True)

    def delete(self, kind: type[KubeObject], name: str) -> None:
        """Deletes an object of this namespace."""
        self.client.delete(kind, name, self.namespace)

    def tear_down(self) -> None:
        """Ends every pod, deletes the namespace, and waits until nothing of it is allocated or prepared."""
        self.client.delete_all(Pod, self.namespace, now=True)
        self.client.delete_all(v1.ResourceClaim, self.namespace)
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

    def pods(self) -> Mapping[str, RunningPod]:
        """The namespace's pods by name."""
        return {pod.key.name: pod for pod in self.client.list(RunningPod, self.namespace)}

    def claims(self) -> Mapping[str, v1.ResourceClaim]:
        """The namespace's claims by name."""
        return {claim.key.name: claim for claim in self.client.list(v1.ResourceClaim, self.namespace)}

    def claim_of(self, pod: str, entry: str) -> v1.ResourceClaim:
        """The claim behind an entry of a pod."""
        return self.claims()[_claim_names(self.pods()[pod])[entry]]

    def messages(self, name: str, reason: str) -> Sequence[str]:
        """What Events of a reason say about objects of a name."""
        return [
            event.message
            for event in self.client.list(Event, self.namespace)
            if event.involved_object.name == name and event.reason == reason
        ]

    # --- waiting

    def wait_bound(self, *names: str, seconds: float = _BIND_SECONDS) -> Mapping[str, str]:
        """Waits until these pods have a node, where every claim of theirs is allocated. Returns the node of each."""

        def bound() -> bool:
            pods = self.pods()
            waiting = [name for name in names if not pods[name].spec.node_name]
            assert not waiting, f"not bound: {waiting}"
            return True

        wait_until(f"pods {list(names)} are bound", bound, seconds)
        # A binding that took place, and of which the scheduler has heard nothing, costs the pod its reservation, until
        # the claim controller makes it again.
        wait_until(f"claims of {list(names)} are reserved", lambda: self._are_reserved(names), seconds)
        pods, claims = self.pods(), self.claims()
        self.check()
        for name in names:
            for claim_name in _claim_names(pods[name]).values():
                claim = claims[claim_name]
                assert nodes_of(claim) == [pods[name].spec.node_name], f"{name}: {claim_name} is on {nodes_of(claim)}"
                assert v1.CLAIM_FINALIZER in claim.metadata.finalizers
        return {name: pods[name].spec.node_name for name in names}

    def _are_reserved(self, names: Sequence[str]) -> bool:
        pods, claims = self.pods(), self.claims()
        return all(
            pods[name].uid in {consumer.uid for consumer in claims[claim].status.reserved_for}
            for name in names
            for claim in _claim_names(pods[name]).values()
        )

    def wait_refused(self, name: str, *parts: str, seconds: float = 30) -> str:
        """Waits until the scheduler says about a pod why it has no node, with every one of these parts."""

        def said() -> str:
            messages = self.messages(name, "FailedScheduling")
            found = next((message for message in messages if all(part in message for part in parts)), "")
            assert found, f"messages: {messages}"
            return found

        message = wait_until(f"the scheduler refuses {name} with {parts}", said, seconds)
        self.check_pending(name)
        return message

    def wait_message(self, name: str, reason: str, *parts: str, seconds: float = 30) -> None:
        """Waits for an Event of a reason about an object of this name, with every one of these parts."""

        def said() -> bool:
            messages = self.messages(name, reason)
            assert any(all(part in message for part in parts) for message in messages), f"messages: {messages}"
            return True

        wait_until(f"{reason} about {name} with {parts}", said, seconds)

    def wait(self, what: str, probe: Callable[[], bool], seconds: float = _BIND_SECONDS) -> None:
        """Waits until a probe holds."""
        wait_until(what, probe, seconds)

    def check(self) -> None:
        """What holds at every moment: no device of the cluster is allocated twice."""
        held = Counter(device for claim in self.client.list(v1.ResourceClaim) for device in devices_of(claim))
        twice = [device for device, count in held.items() if count > 1]
        assert not twice, f"allocated twice: {twice}"

    def check_pending(self, *names: str) -> None:
        """These pods have no node, and no claim is reserved for them."""
        pods = self.pods()
        assert [pods[name].spec.node_name for name in names] == [""] * len(names)
        uids = {pods[name].uid for name in names}
        reserved = [
            claim.key.name
            for claim in self.claims().values()
            if uids & {consumer.uid for consumer in claim.status.reserved_for}
        ]
        assert not reserved, f"reserved: {reserved}"


def devices_of(claim: v1.ResourceClaim) -> Sequence[tuple[str, str]]:
    """Pool and name of the devices that a claim holds, in the order of its allocation."""
    if claim.status.allocation is None:
        return ()
    return [(each.pool, each.device) for each in claim.status.allocation.devices.results if not each.admin_access]


def nodes_of(claim: v1.ResourceClaim) -> Sequence[str]:
    """The nodes that the allocation of a claim is for; none: it is not allocated, or good for all of them."""
    if claim.status.allocation is None or claim.status.allocation.node_selector is None:
        return ()
    (term,) = claim.status.allocation.node_selector.node_selector_terms
    (requirement,) = term.match_fields
    assert (requirement.key, requirement.operator, term.match_expressions) == ("metadata.name", "In", ())
    return list(requirement.values)


def _claim_names(pod: RunningPod) -> Mapping[str, str]:
    """The claim behind each entry of a pod."""
    named = {entry.name: entry.claim_name for entry in pod.spec.resource_claims}
    made = {each.name: each.resource_claim_name for each in pod.status.resource_claim_statuses or ()}
    return {entry: name for entry, claim in named.items() if (name := claim or made.get(entry))}
