"""Makes the report of what was read. Pure."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from fake_dra_driver.allocation import AllocationError, Allocator
from fake_dra_driver.allocation.explanation import (
    BrokenConstraint,
    Combination,
    RequestFinding,
    Situation,
    diagnose,
    error_likeness,
    group,
    likeness,
    value_text,
)
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.nodefit import matches
from fake_dra_driver.cluster.noderesources import NodeResources
from fake_dra_driver.naturalorder import natural_order
from fake_dra_driver.untrustedtext import short_name
from fake_dra_driver.why.advice import merged
from fake_dra_driver.why.behaviour import behaviour_of
from fake_dra_driver.why.claims import DEFAULT_SCHEDULER, Claims, claims_of
from fake_dra_driver.why.errors import error_problem
from fake_dra_driver.why.extended import from_device_plugin, resources_with_class, resources_without_class
from fake_dra_driver.why.lastevent import last_told
from fake_dra_driver.why.nodeanswer import NodeAnswer
from fake_dra_driver.why.nodefilter import Away, has_no_room, keeps_away, resources_of
from fake_dra_driver.why.remedies import NOTHING_SMALL, Remedies
from fake_dra_driver.why.report import (
    DeviceOnNode,
    NodeGroup,
    NodeProblem,
    Problem,
    ProblemReason,
    Report,
    RequestOnNode,
    Subject,
    Suggestion,
    Verdict,
)
from fake_dra_driver.why.snapshot import Snapshot
from fake_dra_driver.why.subject import Found
from fake_dra_driver.why.words import (
    Words,
    constraint_text,
    count_of,
    device_name,
    listed,
    pool_problem,
)

__all__ = ["explain"]

_SEE_EVENTS: Final = "look at its Events for what else it waits for"


def explain(found: Found, snapshot: Snapshot, *, each_node: bool = False) -> Report:
    """Why the pod or the claim does not get its devices.

    Args:
        found: what is explained.
        snapshot: what was read.
        each_node: whether equal nodes are reported one by one too.
    """
    return _Explanation(found, snapshot, each_node=each_node).report()


class _Explanation:
    def __init__(self, found: Found, snapshot: Snapshot, *, each_node: bool) -> None:
        self._found = found
        self._snapshot = snapshot
        self._each_node = each_node
        self._claims: Claims = claims_of(found.subject, found.pod, snapshot)
        self._behaviour, self._assumptions = behaviour_of(snapshot)
        pods = {claim.key: [each.name for each in claim.status.reserved_for] for claim in snapshot.claims}
        self._words = Words(pods)

    def report(self) -> Report:
        done = self._done()
        if done is not None:
            return self._with(*done)
        if not self._claims.parts:
            return self._without_claims()
        problems = [each.problem for each in self._claims.obstructions]
        suggestions = [each.suggestion for each in self._claims.obstructions if each.suggestion is not None]
        is_hidden = self._is_hidden(v1.ResourceSlice, v1.DeviceClass) if self._claims.pending else False
        if is_hidden or self._is_hidden(v1.ResourceClaim):
            return self._with("Unknown", "too little may be read to say why", problems, (), suggestions)
        if self._claims.pending and not self._snapshot.slices:
            problems.append(_NOTHING_PUBLISHED)
        if any(each.reason in _HIDES_NODES for each in problems):
            suggestions += self._remedies.classes_instead()
            return self._with(*self._verdict(problems, ()), problems, (), suggestions)
        answers = self._answers()
        problems += self._errors(answers)
        groups = sorted(group(answers, self._likeness), key=lambda members: members[0].distance)
        if any(each.fits for each in answers):
            suggestions = [_verified(each, answers) for each in suggestions]
        else:
            suggestions += self._remedies.on_nodes(groups)
            # Where a search was ended, a change may be enough all the same.
            suggestions += [] if suggestions or self._situation.long_searches else [NOTHING_SMALL]
        verdict, message = self._verdict(problems, answers)
        return self._with(verdict, message, problems, self._shown(groups), suggestions)

    # --- The answer --------------------------------------------------------------------------------------------------

    def _done(self) -> tuple[Verdict, str] | None:
        """The answer, where no node has to be looked at."""
        pod = self._found.pod
        if pod is not None and pod.is_finished:
            return "Finished", f"pod {pod.metadata.name} has ended ({pod.status.phase}), and needs no devices any more"
        if isinstance(self._found.subject, v1.ResourceClaim):
            allocation = self._found.subject.status.allocation
            if allocation is not None and (pod is None or pod.spec.node_name or not self._claims.pending):
                return "Allocated", self._allocated_text(self._found.subject, allocation)
        if pod is None:
            return None
        if not self._claims.parts and (said := self._no_devices_text(pod)):
            return "NoDevices", said
        if pod.spec.node_name:
            return "Scheduled", (
                f"pod {pod.metadata.name} has its devices and a node, {pod.spec.node_name}: if its containers do not "
                "start, that node's kubelet or the driver there says why, in an Event"
            )
        return None

    def _no_devices_text(self, pod: Pod) -> str:
        """What there is to say of a pod without claims; empty where the nodes say it."""
        named = f"pod {pod.metadata.name}"
        if pod.spec.node_name:
            return (
                f"{named} names no claims, and has a node, {pod.spec.node_name}: if its containers do not start, "
                "look at its Events"
            )
        obstacles = [each.problem.message.replace(named, "it", 1) for each in self._claims.obstructions]
        if obstacles:
            return f"{named} names no claims; {obstacles[0]}"
        unknown = resources_without_class(pod, self._snapshot)
        if unknown and not self._is_hidden(v1.DeviceClass):
            return (
                f"{named} names no claims, and no DeviceClass has the extendedResourceName "
                f"{listed([*map(short_name, unknown)])}: {_extended_text(self._snapshot.classes)}"
            )
        if self._is_hidden(Node) or not self._snapshot.nodes:
            return f"{named} names no claims: {_SEE_EVENTS}"
        return ""

    def _without_claims(self) -> Report:
        """What keeps a pod from the nodes, whatever devices they have."""
        answers = self._answers()
        groups = sorted(group(answers, self._likeness), key=lambda members: members[0].distance)
        named = f"{self._what()} names no claims"
        fitting = [each.name for each in answers if each.fits]
        if fitting:
            message = f"{named}, and could run on {self._nodes_text(fitting, len(answers))}: {_SEE_EVENTS}"
        else:
            first, total = groups[0][0], len(answers)
            none = f"none of the {total} nodes takes it" if total > 1 else "the only node does not take it"
            message = f"{named}, and {none}; {first.name}: {' and '.join(each.message for each in first.away)}"
        suggestions = () if fitting else self._remedies.on_nodes(groups)
        return self._with("NoDevices", message, (), self._shown(groups), suggestions)

    def _shown(self, groups: Sequence[Sequence[NodeAnswer]]) -> Iterable[NodeGroup]:
        shown = [[answer] for members in groups for answer in members] if self._each_node else groups
        return map(self._group, shown)

    def _allocated_text(self, claim: v1.ResourceClaim, allocation: v1.AllocationResult) -> str:
        devices = [f"{each.device} of pool {each.pool}" for each in allocation.devices.results]
        users = [short_name(each.name) for each in claim.status.reserved_for]
        used = f"used by pod {listed(users)}" if users else "used by no pod yet"
        return f"claim {claim.metadata.name} has {listed([short_name(each) for each in devices])}, and is {used}"

    def _verdict(self, problems: Sequence[Problem], answers: Sequence[NodeAnswer]) -> tuple[Verdict, str]:
        what = self._what()
        failing = next((each for each in problems if each.reason in ("SelectorFailed", "SelectorInvalid")), None)
        if failing is not None:
            return "Failing", f"{what} waits: {failing.message}"
        fitting = [each.name for each in answers if each.fits]
        if problems and problems[0].reason == "SearchTooLong":
            if not fitting:
                return "Unknown", f"{what} may wait: {problems[0].message}"
        elif problems:
            first = problems[0].message
            said = f"it {first.removeprefix(f'{what} ')}" if first.startswith(f"{what} ") else first
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            return "Blocked", f"{what} waits: {said}{more}"
        if fitting:
            where = self._nodes_text(fitting, len(answers))
            if self._found.pod is None and not self._found.notes:  # a note: pods may not be read
                return "Possible", (
                    f"{what} waits for a pod: no pod uses it, and it gets its devices together with the first one "
                    f"that does; it could have them now, on {where}"
                )
            return "Possible", f"{what} can have its devices now, on {where}"
        if not answers:
            return "Impossible", f"{what} waits: there are no nodes"
        return "Impossible", f"{what} waits: {_none_text(answers)}"

    def _nodes_text(self, names: Sequence[str], total: int) -> str:
        if len(names) == total > 1:
            return f"each of the {total} nodes"
        return f"node {listed(names)}" if len(names) == 1 else f"{len(names)} of {total} nodes: {listed(names)}"

    def _what(self) -> str:
        pod = self._found.pod
        return f"pod {pod.metadata.name}" if pod is not None else f"claim {self._found.subject.metadata.name}"

    def _with(
        self,
        verdict: Verdict,
        message: str,
        problems: Iterable[Problem] = (),
        nodes: Iterable[NodeGroup] = (),
        suggestions: Iterable[Suggestion] = (),
    ) -> Report:
        subject, pod, snapshot = self._found.subject, self._found.pod, self._snapshot
        kind = "Pod" if isinstance(subject, Pod) else "ResourceClaim"
        metadata = subject.metadata
        return Report(
            subject=Subject(kind=kind, namespace=metadata.namespace, name=metadata.name, uid=metadata.uid),
            pod=pod.metadata.name if pod is not None else "",
            verdict=verdict,
            message=message,
            claims=self._claims.parts,
            problems=tuple(problems),
            nodes=tuple(nodes),
            suggestions=merged(suggestions),
            told=last_told(snapshot.events, pod),
            kubernetes=snapshot.served.kubernetes,
            assumptions=self._all_assumptions(),
            notes=(*self._found.notes, *snapshot.notes),
        )

    def _all_assumptions(self) -> tuple[str, ...]:
        pod = self._found.pod
        if pod is None:
            return self._assumptions
        unknown = "CPU, memory, ports" if self._is_hidden(Pod) or self._is_hidden(Node) else "ports"
        found = [*self._assumptions, f"nothing else keeps the pod from a node: {unknown}, volumes, other pods"]
        if pod.spec.scheduler_name not in ("", DEFAULT_SCHEDULER):
            found.append(f"the pod's scheduler, {short_name(pod.spec.scheduler_name)}, decides as kube-scheduler does")
        return tuple(found)

    def _is_hidden(self, *kinds: type[KubeObject]) -> bool:
        return any(kind.resource.plural in self._snapshot.hidden for kind in kinds)

    # --- Nodes -------------------------------------------------------------------------------------------------------

    def _answers(self) -> list[NodeAnswer]:
        """What there is to say about each node."""
        situation = self._situation
        return [
            NodeAnswer(
                finding=diagnose(situation, node),
                away=tuple(self._away(node)),
                elsewhere=tuple(claim for claim in self._claims.allocated if not _is_usable(claim, node)),
            )
            for node in sorted(self._snapshot.nodes, key=lambda node: natural_order(node.metadata.name))
        ]

    def _away(self, node: Node) -> Iterator[Away]:
        """What keeps the pod from the node, in the scheduler's order."""
        pod = self._found.pod
        if pod is None:
            return
        yield from keeps_away(node, pod)
        if not self._is_hidden(Pod):
            yield from has_no_room(node, pod, self._resources, resources_with_class(pod, self._snapshot))
        yield from self._device_plugin(node, pod)

    @cached_property
    def _resources(self) -> NodeResources:
        return resources_of(self._snapshot.nodes, self._snapshot.pods)

    def _device_plugin(self, node: Node, pod: Pod) -> Iterator[Away]:
        """That the node has extended resources of the pod without any claim."""
        for name, amount in from_device_plugin(pod, node, self._snapshot).items():
            yield Away(
                "DevicePlugin",
                f"it has {amount} of {short_name(name)} from a device plugin, of which the scheduler counts what pods "
                "use; that is not looked at here",
                "Other",
                f"see with kubectl describe node {node.metadata.name} how much of {short_name(name)} is in use",
            )

    @cached_property
    def _situation(self) -> Situation:
        snapshot = self._snapshot
        allocator = Allocator(self._behaviour, new_share_id=_share_ids())
        allocator.replace(
            slices=snapshot.slices, classes=snapshot.classes, claims=snapshot.claims, taint_rules=snapshot.taint_rules
        )
        return Situation.of(allocator, self._claims.pending, snapshot.claims, snapshot.classes, snapshot.taint_rules)

    @cached_property
    def _remedies(self) -> Remedies:
        return Remedies(self._situation, self._snapshot, self._claims.pending, self._found.pod, self._words)

    def _errors(self, answers: Sequence[NodeAnswer]) -> Iterator[Problem]:
        """What ends an attempt of the scheduler, each once."""
        outcomes = [each.finding.outcome for each in answers if each.is_reached]
        errors = [each for each in outcomes if isinstance(each, AllocationError)]
        return (error_problem(alike[0]) for alike in group(errors, error_likeness))

    @staticmethod
    def _likeness(answer: NodeAnswer) -> Hashable:
        elsewhere = tuple(claim.metadata.name for claim in answer.elsewhere)
        finding = answer.finding
        # On a node that the pod cannot be on in any case, or can be on at once, what devices lack is a detail.
        of_devices = finding.fits if answer.away or answer.fits else likeness(finding)
        return of_devices, tuple(each.problem for each in answer.away), elsewhere

    def _group(self, members: Sequence[NodeAnswer]) -> NodeGroup:
        answer = members[0]
        finding = answer.finding
        requests = tuple(self._request(each) for each in finding.requests)
        problems = (*(each.problem for each in answer.away), *self._node_problems(answer))
        return NodeGroup(
            names=tuple(each.name for each in members),
            fits=answer.fits,
            has_devices=finding.fits,
            summary=_summary(answer, requests, problems),
            problems=problems,
            requests=requests,
        )

    def _node_problems(self, answer: NodeAnswer) -> Iterator[NodeProblem]:
        finding = answer.finding
        for claim in answer.elsewhere:
            name = claim.metadata.name
            yield NodeProblem(
                reason="ClaimElsewhere",
                message=f"claim {name} is allocated already, and its devices cannot be used here: "
                f"{_devices_text(claim)}",
            )
        yield from map(pool_problem, finding.pools)
        if not finding.fits and not finding.pools and not any(each.candidates for each in finding.requests):
            yield NodeProblem(reason="NoPools", message="no driver publishes devices for it")
        combination = finding.combination
        if combination is None:
            return
        if combination.shortage_among:
            yield self._shortage(combination)
        elif not combination.constraints:
            message = "each request could be met alone, but not all of them together: they compete for the same devices"
            yield NodeProblem(reason="Combination", message=message)
        for broken in combination.constraints:
            claim = self._claims.pending[broken.claim]
            yield NodeProblem(
                reason="Constraint",
                message=f"no devices satisfy the constraint of claim {claim.metadata.name} that "
                f"{constraint_text(claim.spec.devices.constraints[broken.index])}: {_values_of(broken)}",
            )

    def _shortage(self, combination: Combination) -> NodeProblem:
        among = combination.shortage_among
        wanted, there = sum(each.wanted or 0 for each in among), combination.shortage_of
        names = listed([f"{each.name} of claim {self._claims.pending[each.claim].metadata.name}" for each in among])
        return NodeProblem(
            reason="Combination",
            message=f"requests {names} want {count_of(wanted, 'device')} together, and only {there} can be had",
        )

    def _request(self, finding: RequestFinding) -> RequestOnNode:
        return RequestOnNode(
            claim=self._claims.pending[finding.requested.claim].metadata.name,
            name=finding.requested.name,
            count=finding.requested.wanted,
            suitable=finding.suitable,
            is_met=finding.is_met,
            devices=tuple(
                DeviceOnNode(
                    device=device_name(candidate.device),
                    suitable=not candidate.obstacles,
                    problems=tuple(map(self._words.device_problem, candidate.obstacles)),
                )
                for candidate in finding.candidates
            ),
        )


_HIDES_NODES: Final[frozenset[ProblemReason]] = frozenset(
    (
        "ClaimNotFound",
        "TemplateNotFound",
        "ClaimNotMade",
        "ClaimOfAnotherPod",
        "ClassNotFound",
        "NothingPublished",
        "TooManyDevices",
    )
)
"""Problems with which nodes say nothing: not all is known that is asked for, or no node can have it."""
_NOTHING_PUBLISHED: Final = Problem(
    reason="NothingPublished",
    message="there are no ResourceSlices, so that the scheduler knows of no devices at all: see that the driver is "
    "installed, and that its pods run on the nodes",
)


def _extended_text(classes: Iterable[v1.DeviceClass]) -> str:
    """Which extended resources classes stand for."""
    names = sorted({each.spec.extended_resource_name for each in classes if each.spec.extended_resource_name})
    return f"there is {listed([*map(short_name, names)])}" if names else "no class has any"


def _verified(suggestion: Suggestion, answers: Sequence[NodeAnswer]) -> Suggestion:
    """A suggestion about what stands in the way before nodes, now that some nodes have all that is asked for."""
    if suggestion.change != "LabelNamespace":
        return suggestion
    fitting = tuple(each.name for each in answers if each.fits)
    return suggestion.model_copy(update={"verified": True, "nodes": fitting})


def _values_of(broken: BrokenConstraint) -> str:
    """What the devices have that a constraint compares."""
    if all(value is None for _, value in broken.values):
        return "no device has it"
    return listed(
        [
            f"{short_name(device.device)} has {'none' if value is None else short_name(value_text(value))}"
            for device, value in broken.values
        ],
        most=6,
    )


def _none_text(answers: Sequence[NodeAnswer]) -> str:
    """That no node has what is asked for, or that those which have it do not take the pod."""
    closed = [each for each in answers if each.finding.fits and not each.elsewhere]
    if closed:
        first = min(closed, key=lambda each: each.distance)
        reasons = " and ".join(each.message for each in first.away)
        alike = [each for each in closed if _is_closed_alike(each, first)]
        have = f" and {len(alike) - 1} more have" if len(alike) > 1 else " has"
        others = len(closed) - len(alike)
        who = "1 other node has" if others == 1 else f"{others} other nodes have"
        more = f"; {who} it too, and cannot take it for other reasons" if others else ""
        return f"node {first.name}{have} what it asks for, and cannot take it: {reasons}{more}"
    if len(answers) == 1:
        return f"node {answers[0].name}, the only one, does not have what it asks for"
    return f"none of the {len(answers)} nodes has what it asks for"


def _is_closed_alike(one: NodeAnswer, other: NodeAnswer) -> bool:
    return [each.problem for each in one.away] == [each.problem for each in other.away]


def _summary(answer: NodeAnswer, requests: Sequence[RequestOnNode], problems: Sequence[NodeProblem]) -> str:
    """The answer for a node in a sentence."""
    if answer.fits:
        return "it has what is asked for"
    unmet = [each for each in requests if not each.is_met]
    parts = [each.message for each in problems]
    if isinstance(answer.finding.outcome, AllocationError):
        parts.append("the search for devices ends with an error")
    else:
        parts += [_request_text(each) for each in unmet]
    return "; ".join(parts) or "the claims cannot be had"


def _request_text(request: RequestOnNode) -> str:
    total = count_of(len(request.devices), "device")
    wanted = "all devices that match" if request.count is None else count_of(request.count, "device")
    return f"request {request.name} wants {wanted}, and {request.suitable} of {total} can be had"


def _is_usable(claim: v1.ResourceClaim, node: Node) -> bool:
    """Whether the devices of an allocated claim can be used on a node."""
    allocation = claim.status.allocation
    return allocation is None or allocation.node_selector is None or matches(allocation.node_selector, node)


def _devices_text(claim: v1.ResourceClaim) -> str:
    allocation = claim.status.allocation
    results = () if allocation is None else allocation.devices.results
    return listed([short_name(f"{each.device} of pool {each.pool}") for each in results])


def _share_ids() -> Callable[[], str]:
    """Makes IDs for shares, which end up nowhere."""
    numbers = count()
    return lambda: str(uuid5(NAMESPACE_OID, str(next(numbers))))
