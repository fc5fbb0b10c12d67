"""The claims of a pod, and what stands in their way before any node is looked at.

Follows what kube-scheduler checks first (PreEnqueue and PreFilter of its plugin dynamicresources), and what the API
server and the claim controller refuse earlier still.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

from fake_dra_driver.allocation.explanation import Requested, requested_by
from fake_dra_driver.api.kube.core import PodResourceClaim
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.podclaims import claim_key, is_made_for
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.untrustedtext import one_line, short_name
from fake_dra_driver.why.extended import extended_claim
from fake_dra_driver.why.report import AskedFor, ClaimPart, Problem, Suggestion
from fake_dra_driver.why.snapshot import Snapshot
from fake_dra_driver.why.words import asked_text, listed

__all__ = ["Claims", "Obstruction", "claims_of"]

MAX_RESERVED: Final = 256
"""ResourceClaimReservedForMaxSize: the most pods that can use a claim."""
DEFAULT_SCHEDULER: Final = "default-scheduler"


@dataclass(frozen=True, slots=True)
class Obstruction:
    """What stands in the way, and what would help."""

    problem: Problem
    suggestion: Suggestion | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims to look at."""

    parts: tuple[ClaimPart, ...]
    pending: tuple[v1.ResourceClaim, ...]
    """Those that have no devices, in the pod's order."""
    allocated: tuple[v1.ResourceClaim, ...]
    obstructions: tuple[Obstruction, ...]


def claims_of(subject: Pod | v1.ResourceClaim, pod: Pod | None, snapshot: Snapshot) -> Claims:
    """The claims of the pod; without a pod, the claim alone."""
    if pod is None:
        if not isinstance(subject, v1.ResourceClaim):
            raise TypeError("a pod is explained with itself")
        found = [_Entry("", subject)]
        obstructions: list[Obstruction] = []
    else:
        found = [_entry(pod, entry, snapshot) for entry in pod.spec.resource_claims]
        obstructions = list(_of_pod(pod))
        for each, entry in zip(found, pod.spec.resource_claims, strict=True):
            obstructions += _of_entry(pod, entry, each, snapshot)
        extended = extended_claim(pod, snapshot)
        if extended is not None:
            found.append(_Entry("", extended))
    claims = list({claim.uid or claim.metadata.name: claim for each in found if (claim := each.claim)}.values())
    for claim in claims:
        obstructions += _of_claim(claim, pod, snapshot)
    is_hidden = v1.ResourceClaim.resource.plural in snapshot.hidden
    return Claims(
        parts=tuple(_part(each, pod, is_hidden=is_hidden) for each in found if each.is_needed),
        pending=tuple(claim for claim in claims if claim.status.allocation is None),
        allocated=tuple(claim for claim in claims if claim.status.allocation is not None),
        obstructions=tuple(obstructions),
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of ``pod.spec.resourceClaims``."""

    name: str
    claim: v1.ResourceClaim | None
    wanted: str = ""
    """The name of the claim, where the pod names it."""
    is_needed: bool = True
    """False: Kubernetes has found that the pod needs no claim for it."""


def _entry(pod: Pod, entry: PodResourceClaim, snapshot: Snapshot) -> _Entry:
    key = claim_key(pod, entry)
    claim = next((each for each in snapshot.claims if each.key == key), None)
    if claim is not None and entry.claim_name is None and pod.status.resource_claim_statuses is None:
        claim = claim if is_made_for(claim, pod) else None  # the name was guessed
    statuses = pod.status.resource_claim_statuses or ()
    needs_none = any(each.name == entry.name and each.resource_claim_name is None for each in statuses)
    return _Entry(entry.name, claim, entry.claim_name or "", is_needed=not needs_none)


def _part(entry: _Entry, pod: Pod | None, *, is_hidden: bool) -> ClaimPart:
    claim = entry.claim
    if claim is None:
        is_over = pod is not None and pod.is_finished
        state: Literal["unknown", "gone", "missing"] = "unknown" if is_hidden else "gone" if is_over else "missing"
        return ClaimPart(name=entry.wanted, entry=entry.name, state=state)
    allocation = claim.status.allocation
    results = () if allocation is None else allocation.devices.results
    return ClaimPart(
        name=claim.metadata.name,
        entry=entry.name,
        state="deleting" if claim.is_deleting else "pending" if allocation is None else "allocated",
        requests=tuple(map(_asked_for, requested_by([claim]))),
        devices=tuple(f"{each.driver}/{each.pool}/{each.device}" for each in results),
    )


def _asked_for(requested: Requested) -> AskedFor:
    return AskedFor(
        name=requested.name,
        class_name=requested.spec.device_class_name,
        count=requested.wanted,
        text=asked_text(requested),
    )


# --- What stands in the way --------------------------------------------------------------------------------------


def _of_pod(pod: Pod) -> Iterator[Obstruction]:
    name = pod.metadata.name
    if pod.is_deleting:
        yield Obstruction(Problem(reason="PodDeleting", message=f"pod {name} is being deleted"))
    if pod.spec.scheduling_gates:
        gates = listed([short_name(gate.get("name", "")) for gate in pod.spec.scheduling_gates])
        yield Obstruction(
            Problem(
                reason="SchedulingGated",
                message=f"pod {name} has schedulingGates ({gates}), and the scheduler leaves it alone until they "
                "are removed",
            )
        )


def _of_entry(pod: Pod, entry: PodResourceClaim, found: _Entry, snapshot: Snapshot) -> Iterator[Obstruction]:
    name, claim = pod.metadata.name, found.claim
    if not found.is_needed or v1.ResourceClaim.resource.plural in snapshot.hidden:
        return
    if claim is not None:
        if entry.claim_name is None and not is_made_for(claim, pod):
            shown = claim.metadata.name
            message = f"claim {shown} was made from a template for another pod, and not for pod {name}"
            yield Obstruction(Problem(reason="ClaimOfAnotherPod", message=message, claim=shown))
        return
    if entry.claim_name is not None:
        wanted = short_name(entry.claim_name)
        others = [each.metadata.name for each in snapshot.claims if each.metadata.namespace == pod.metadata.namespace]
        hint = _close(entry.claim_name, others)
        yield Obstruction(
            Problem(
                reason="ClaimNotFound",
                message=f"pod {name} names claim {wanted}, which does not exist in namespace "
                f"{pod.metadata.namespace}{hint}",
                claim=entry.claim_name,
            ),
            Suggestion(change="CreateClaim", message=f"create the ResourceClaim {wanted}", verified=False),
        )
        return
    if entry.template_name is None:
        return
    template = short_name(entry.template_name)
    if entry.template_name in snapshot.templates and snapshot.templates[entry.template_name] is None:
        yield Obstruction(
            Problem(
                reason="TemplateNotFound",
                message=f"the claim for entry {entry.name} of pod {name} is to be made from template {template}, which "
                f"does not exist in namespace {pod.metadata.namespace}",
            ),
            Suggestion(change="CreateTemplate", message=f"create the ResourceClaimTemplate {template}", verified=False),
        )
        return
    told = next((each for each in snapshot.events if each.reason == "FailedResourceClaimCreation"), None)
    said = f": {one_line(told.message)}" if told is not None else ""
    yield Obstruction(
        Problem(
            reason="ClaimNotMade",
            message=f"the claim for entry {entry.name} of pod {name} has not been made from template {template} "
            f"yet{said or '; where that stays so, look at the controller manager'}",
        )
    )
    denied = snapshot.templates.get(entry.template_name)
    if denied is not None:
        yield from _admin_access(denied.spec.spec, f"template {template}", snapshot)


def _of_claim(claim: v1.ResourceClaim, pod: Pod | None, snapshot: Snapshot) -> Iterator[Obstruction]:
    name = claim.metadata.name
    if claim.is_deleting:
        kept_by = listed([*map(short_name, claim.metadata.finalizers)]) or "none"
        users = [f"pod {short_name(each.name)}" for each in claim.status.reserved_for]
        first = f"wait until {listed(users)} has ended" if users else f"see why it stays (finalizers: {kept_by})"
        yield Obstruction(
            Problem(reason="ClaimDeleting", message=f"claim {name} is being deleted", claim=name),
            Suggestion(change="Other", message=f"{first}, and create claim {name} again", verified=False),
        )
    reserved = claim.status.reserved_for
    if len(reserved) >= MAX_RESERVED and not (pod is not None and any(each.uid == pod.uid for each in reserved)):
        message = f"claim {name} is used by {MAX_RESERVED} pods already, which is as many as can"
        yield Obstruction(Problem(reason="ClaimFull", message=message, claim=name))
    if claim.status.allocation is None:
        yield from _too_many(claim)
        yield from _classes(claim, snapshot)
        yield from _admin_access(claim.spec, f"claim {name}", snapshot, name)


def _too_many(claim: v1.ResourceClaim) -> Iterator[Obstruction]:
    """What a claim asks for at least, which does not depend on nodes."""
    least: dict[str, int] = {}
    for requested in requested_by([claim]):
        count = requested.wanted or 0
        least[requested.request] = min(least.get(requested.request, count), count)
    total, name = sum(least.values()), claim.metadata.name
    if total > v1.MAX_RESULTS:
        message = f"claim {name} asks for {total} devices at least, and one claim can have {v1.MAX_RESULTS} at most"
        instead = f"spread what claim {name} asks for over several claims of the pod"
        yield Obstruction(
            Problem(reason="TooManyDevices", message=message, claim=name),
            Suggestion(change="AskForFewer", message=instead, verified=False),
        )


def _classes(claim: v1.ResourceClaim, snapshot: Snapshot) -> Iterator[Obstruction]:
    if v1.DeviceClass.resource.plural in snapshot.hidden:
        return
    known = {each.metadata.name for each in snapshot.classes}
    for requested in requested_by([claim]):
        wanted = requested.spec.device_class_name
        if wanted not in known:
            there = _there(wanted, known)
            yield Obstruction(
                Problem(
                    reason="ClassNotFound",
                    message=f"request {requested.name} of claim {claim.metadata.name} names DeviceClass "
                    f"{short_name(wanted)}, which does not exist{there}",
                    claim=claim.metadata.name,
                    request=requested.name,
                ),
                Suggestion(
                    change="CreateClass",
                    message=f"create DeviceClass {short_name(wanted)}: mostly by installing the driver that brings it",
                    verified=False,
                ),
            )


def _admin_access(spec: v1.ResourceClaimSpec, what: str, snapshot: Snapshot, claim: str = "") -> Iterator[Obstruction]:
    namespace = snapshot.namespace
    if namespace is None or namespace.metadata.labels.get(v1.ADMIN_ACCESS_LABEL) == "true":
        return
    wanting = [each.name for each in spec.devices.requests if each.exactly is not None and each.exactly.admin_access]
    if wanting:
        name = namespace.metadata.name
        yield Obstruction(
            Problem(
                reason="AdminAccessDenied",
                message=f"{_of_requests(wanting)} of {what} wants admin access, which only a namespace with the "
                f"label {v1.ADMIN_ACCESS_LABEL}=true allows; namespace {name} does not have it",
                claim=claim,
                request=wanting[0],
            ),
            Suggestion(
                change="LabelNamespace",
                message=f"kubectl label namespace {name} {v1.ADMIN_ACCESS_LABEL}=true",
                verified=False,
            ),
        )


def _of_requests(names: Sequence[str]) -> str:
    return f"request {names[0]}" if len(names) == 1 else f"each of the requests {listed(names)}"


def _there(wanted: str, known: set[str]) -> str:
    """Which classes there are, and which was probably meant."""
    close = _close(wanted, known)
    if len(known) == 1:
        return close or f"; there is {listed(sorted(known))}"
    return f"; there are {listed(sorted(known), 8)}{close}" if known else "; there are none at all"


def _close(wanted: str, known: Sequence[str] | set[str]) -> str:
    close = get_close_matches(wanted, known, n=1)
    return f"; did you mean {short_name(close[0])}?" if close else ""
