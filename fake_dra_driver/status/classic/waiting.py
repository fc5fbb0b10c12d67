"""Why a claim has no devices yet: judged by the driver's own code, on the same objects that the controller sees.

So the answer is as good as the controller's, even while no controller runs, and newer than the last Event.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fake_dra_driver.api.fake import DRIVER_NAME, AllocatedDevices, NodeAllocationState
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_key, is_made_for
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClaimSpec, ResourceClass
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.request import DeviceRequest
from fake_dra_driver.dra.classic.allocation import Allocator, PendingClaim
from fake_dra_driver.dra.classic.driver import ParametersError, Unsuitable
from fake_dra_driver.driver.classic.entry import FakeLedger
from fake_dra_driver.naturalorder import natural_order
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.status.claimsource import class_not_found, latest_creation, told_about
from fake_dra_driver.status.classic.view import PODS_BY_CLAIM, ClassicView
from fake_dra_driver.status.report import WaitingClaim, WaitReason
from fake_dra_driver.status.unmade import UnmadeClaims

__all__ = ["Waiting"]

_Pending = PendingClaim[DeviceRequest]
_NEXT_STEP = "the controller is about to allocate; if this stays so, see whether its pod runs"
"""A controller that has stopped leaves no trace in what is read here, and needs far less than a second."""


@dataclass(frozen=True, slots=True)
class _Judgement:
    reason: WaitReason
    message: str


@dataclass(frozen=True, slots=True)
class _Consumer:
    """A pod that uses a claim, under a name of its own, and how far its scheduling is."""

    pod: Pod
    entry: str
    context: PodSchedulingContext | None


class Waiting:
    """The claims that wait for this driver.

    Args:
        view: what was read.
        allocator: judges what fits where.
        ledger: what is on record.
    """

    def __init__(
        self,
        view: ClassicView,
        allocator: Allocator[DeviceRequest, NodeAllocationState, Device, AllocatedDevices],
        ledger: FakeLedger,
    ) -> None:
        self._view = view
        self._allocator = allocator
        self._ledger = ledger
        self._unsuitable: dict[tuple[Sequence[DeviceRequest], Sequence[str] | None], Mapping[str, Unsuitable]] = {}
        """Judgements of this pass: hundreds of pods may ask the same of the same nodes."""
        self._unmade = UnmadeClaims(
            view.pods, view.claims, view.templates, lambda template: self._is_ours(template.spec.spec)
        )

    def find(self) -> tuple[Sequence[WaitingClaim], int]:
        """The claims that wait, by namespace and name, and how many have no devices and no pod that wants them."""
        self._unsuitable.clear()
        found, unused = list(self._unmade.find()), 0
        for claim in self._view.claims.list():
            if claim.status.allocation is not None or claim.is_deleting or not self._is_ours(claim.spec):
                continue
            consumers = self._consumers(claim)
            judgement = self._judge(claim, consumers)
            if judgement is None:
                unused += 1
            else:
                found.append(self._describe(claim, consumers, judgement))
        return sorted(found, key=lambda waiting: (waiting.namespace, natural_order(waiting.name))), unused

    def _is_ours(self, spec: ResourceClaimSpec) -> bool:
        """Whether the claim concerns this driver, or, as its class does not exist, any driver."""
        resource_class = self._class_of(spec)
        return resource_class is None or resource_class.driver_name == DRIVER_NAME

    def _class_of(self, spec: ResourceClaimSpec) -> ResourceClass | None:
        try:
            return self._view.classes.get(NamespacedName("", spec.resource_class_name))
        except InvalidObjectError:
            return None

    def _consumers(self, claim: ResourceClaim) -> Sequence[_Consumer]:
        """The pods without a node that use the claim; those that are being scheduled come first."""
        found = []
        for pod in self._view.pods.by_index(PODS_BY_CLAIM, str(claim.key)):
            for entry in pod.spec.resource_claims:
                by_template = entry.claim_name is None
                if claim_key(pod, entry) == claim.key and (not by_template or is_made_for(claim, pod)):
                    found.append(_Consumer(pod, entry.name, self._view.contexts.get(pod.key)))
                    break
        return sorted(found, key=lambda consumer: consumer.context is None)

    def _judge(self, claim: ResourceClaim, consumers: Sequence[_Consumer]) -> _Judgement | None:
        """Why the claim waits; None when it does not."""
        if claim.status.deallocation_requested:
            return _Judgement("BeingDeallocated", "it is being deallocated; it can be allocated again after that")
        resource_class = self._class_of(claim.spec)
        if resource_class is None:
            ours = [each.metadata.name for each in self._view.classes.list() if each.driver_name == DRIVER_NAME]
            return _Judgement("ClassNotFound", class_not_found("ResourceClass", [claim.spec.resource_class_name], ours))
        try:
            waiting = self._allocator.pending(claim, resource_class)
        except ParametersError as error:
            return _Judgement("ParametersNotFound" if error.missing else "InvalidParameters", str(error))
        if claim.spec.allocation_mode == "Immediate":
            return self._judge_immediate(waiting)
        return self._judge_consumer(consumers[0]) if consumers else None

    def _judge_immediate(self, pending: _Pending) -> _Judgement:
        unsuitable = self._once([pending], None, lambda: self._allocator.unsuitable_for_immediate(pending))
        fitting = [node for node in self._allocator.nodes() if node not in unsuitable]
        if fitting:
            where = f"node {fitting[0]} has" if len(fitting) == 1 else f"{len(fitting)} nodes have"
            return _Judgement("BeingAllocated", f"{where} what it asks for: {_NEXT_STEP}")
        return _Judgement("InsufficientDevices", self._allocator.describe_shortage([pending], unsuitable))

    def _judge_consumer(self, consumer: _Consumer) -> _Judgement:
        pod, context = consumer.pod, consumer.context
        if context is None:
            message = f"the scheduler is not looking for a node for pod {pod.metadata.name}: its Events say why"
            return _Judgement("NotBeingScheduled", message)
        pending, blocked = self._pending_claims(pod)
        if blocked:
            return _Judgement(
                "BlockedByAnotherClaim", f"pod {pod.metadata.name} also needs a claim that waits: {blocked}"
            )
        selected = context.spec.selected_node
        nodes = sorted({*context.spec.potential_nodes, *([selected] if selected else [])})
        unsuitable = self._judge_nodes(pending, nodes)
        if nodes and len(unsuitable) == len(nodes):
            return _Judgement("InsufficientDevices", self._allocator.describe_shortage(pending, unsuitable))
        if selected and selected not in unsuitable:
            message = f"the scheduler has selected node {selected}: {_NEXT_STEP}"
            return _Judgement("BeingAllocated", message)
        if not nodes:
            return _Judgement("BeingScheduled", "the scheduler has not said yet which nodes it considers")
        fitting = len(nodes) - len(unsuitable)
        of = f"of {len(nodes)} nodes" if len(nodes) > 1 else "of 1 node"
        have = "has" if fitting == 1 else "have"
        message = f"{fitting} {of} that the scheduler considers {have} what the pod's claims ask for"
        return _Judgement("BeingScheduled", message)

    def _judge_nodes(self, pending: Sequence[_Pending], nodes: Sequence[str]) -> Mapping[str, Unsuitable]:
        """The nodes, of these, that cannot take the claims of a pod, and why."""
        return self._once(pending, tuple(nodes), lambda: self._allocator.unsuitable_nodes(pending, nodes))

    def _once(
        self, pending: Sequence[_Pending], nodes: Sequence[str] | None, judge: Callable[[], Mapping[str, Unsuitable]]
    ) -> Mapping[str, Unsuitable]:
        """What ``judge`` says, which it is asked once for all claims that ask for the same.

        Args:
            pending: the claims.
            nodes: the nodes to judge; None: all, for a claim in mode Immediate.
            judge: finds the nodes that cannot take the claims, and why.
        """
        if any(self._ledger.nodes_of(claim.claim.uid) for claim in pending):
            return judge()  # what it has on record is part of the judgement
        key = (tuple(claim.request for claim in pending), nodes)
        if key not in self._unsuitable:
            self._unsuitable[key] = judge()
        return self._unsuitable[key]

    def _pending_claims(self, pod: Pod) -> tuple[Sequence[_Pending], str]:
        """The claims of the pod that are allocated together, and why another one blocks them, if one does."""
        pending: list[_Pending] = []
        for entry in pod.spec.resource_claims:
            key = claim_key(pod, entry)
            claim = None if key is None else self._view.claims.get(key)
            if claim is None or claim.status.allocation is not None:
                continue
            resource_class = self._class_of(claim.spec)
            if resource_class is None or resource_class.driver_name != DRIVER_NAME:
                continue
            if claim.spec.allocation_mode == "Immediate":
                return pending, f"claim {claim.metadata.name}, which is to be allocated first"
            try:
                pending.append(self._allocator.pending(claim, resource_class))
            except ParametersError as error:
                return pending, str(error)
        return pending, ""

    def _describe(self, claim: ResourceClaim, consumers: Sequence[_Consumer], judgement: _Judgement) -> WaitingClaim:
        context = consumers[0].context if consumers else None
        answers = context.status.resource_claims if context is not None else ()
        unsuitable = [answer.unsuitable_nodes for answer in answers if answer.name == consumers[0].entry]
        return WaitingClaim(
            namespace=claim.metadata.namespace,
            name=claim.metadata.name,
            uid=claim.uid,
            class_name=claim.spec.resource_class_name,
            mode=claim.spec.allocation_mode,
            since=latest_creation(context, claim),
            pods=tuple(consumer.pod.metadata.name for consumer in consumers),
            reason=judgement.reason,
            message=judgement.message,
            selected_node=context.spec.selected_node if context is not None else "",
            unsuitable_nodes=unsuitable[0] if unsuitable else (),
            told=told_about(self._view.events, claim.uid),
        )
