"""Whether the allocator would have done what a scheduler has done.

Pod after pod: what the allocator says for each node is compared with what became of the pod, then the example goes on
with what the scheduler has chosen, so that one difference does not bring about others.

What belongs to the scheduler and not to the allocator is left to the comparison of whole clusters: the claims for
extended resources, nodes that get full, and a node's other reasons.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fake_dra_driver.allocation import Allocation, AllocationError, Allocator, Behaviour, Refusal
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.nodefit import is_selected, matches
from tests.kubescheduler.example import EXTENDED_CLAIM_INFIX, UNTOLD, Example, Outcome, Wire, stable
from tests.kubescheduler.refusal import OTHER_NODE, reasons

__all__ = ["IN_FILTER", "TIMED_OUT", "differences"]

_NOT_ON_NODE: Final = "resourceclaim not available on the node"
IN_FILTER: Final = 'running "DynamicResources" filter plugin: '
"""How an error begins that ended a pod's cycle."""
TIMED_OUT: Final = "timed out trying to allocate devices"
"""Where kube-scheduler's search is too long for it: the allocator's may have ended, since it sees earlier that there is
nothing to be found."""
_OTHERS_REASONS: Final = (OTHER_NODE, "Insufficient ")
"""How the reasons begin that other parts of a scheduler have for a node."""


def differences(example: Example, outcomes: Sequence[Outcome], behaviour: Behaviour | None = None) -> Sequence[str]:
    """How the allocator differs from these outcomes: sentences, or none. The default behaviour is that of 1.37."""
    state = _State(example, behaviour or Behaviour())
    found = []
    for pod, outcome in zip(example.pods, outcomes, strict=True):
        found += [f"{pod['metadata']['name']}: {text}" for text in state.compare(pod, outcome)]
        state.take(outcome)
    return found


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the allocator says about a pod."""

    allocations: dict[str, Allocation] = field(default_factory=dict)
    """By node."""
    refusals: dict[str, str] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)
    """Any of them would end the pod's cycle; which, is a matter of which node is faster."""


class _State:
    """What there is at some point of an example."""

    def __init__(self, example: Example, behaviour: Behaviour) -> None:
        numbers = itertools.count()
        self._allocator = Allocator(behaviour, new_share_id=lambda: str(next(numbers)))
        self._nodes = [Node.from_wire(each) for each in example.nodes]
        self._is_crowded = any(each.status.allocatable["pods"] != "110" for each in self._nodes)
        self._classes = {each["metadata"]["name"] for each in example.classes}
        # The API server makes a UID for each claim.
        self._claims = {
            name: v1.ResourceClaim.from_wire(
                {**_defaulted(each), "metadata": {**each["metadata"], "namespace": "examples", "uid": name}}
            )
            for each in example.claims
            for name in [each["metadata"]["name"]]
        }
        self._allocator.replace(
            slices=[v1.ResourceSlice.from_wire(each) for each in example.slices],
            classes=[v1.DeviceClass.from_wire(each) for each in example.classes],
            claims=self._claims.values(),
            taint_rules=[v1.DeviceTaintRule.from_wire(each) for each in example.rules],
        )

    def compare(self, pod: Wire, outcome: Outcome) -> Sequence[str]:
        """How the allocator differs about this pod."""
        if self._is_crowded or _asks_for_extended_resources(pod):
            return ()
        claims = [self._claims[entry["resourceClaimName"]] for entry in pod["spec"].get("resourceClaims", ())]
        if TIMED_OUT in outcome.refusal:
            return ()
        if missing := self._missing_class(claims):
            return () if missing in outcome.refusal else [f"{outcome} although {missing}"]
        answers = self._ask(Pod.from_wire(pod), claims)
        unallocated = [each.metadata.name for each in claims if each.status.allocation is None]
        if outcome.node:
            return _compare_allocations(answers, outcome, unallocated)
        return _compare_refusals(answers, outcome)

    def take(self, outcome: Outcome) -> None:
        """Goes on with what a scheduler has decided."""
        for name, allocation in outcome.allocations.items():
            if name not in self._claims and name.endswith(EXTENDED_CLAIM_INFIX):
                made = {"metadata": {"namespace": "examples", "name": name, "uid": name}}
                self._claims[name] = v1.ResourceClaim.from_wire(made)
            claim = self._claims[name].to_wire()
            self._claims[name] = v1.ResourceClaim.from_wire({**claim, "status": {"allocation": allocation}})
            self._allocator.put_claim(self._claims[name])

    def _missing_class(self, claims: Sequence[v1.ResourceClaim]) -> str:
        """What is said of the first class that does not exist, or an empty text."""
        for claim in claims:
            if claim.status.allocation is not None:
                continue
            for request in claim.spec.devices.requests:
                if request.exactly is not None and request.exactly.device_class_name not in self._classes:
                    return f"request {request.name}: device class {request.exactly.device_class_name} does not exist"
                for each in request.first_available:
                    if each.device_class_name not in self._classes:
                        name = f"{request.name}/{each.name}"
                        return f"request {name}: device class {each.device_class_name} does not exist"
        return ""

    def _ask(self, pod: Pod, claims: Sequence[v1.ResourceClaim]) -> _Answers:
        answers = _Answers()
        wanted = [each for each in claims if each.status.allocation is None]
        selectors = [
            each.status.allocation.node_selector
            for each in claims
            if each.status.allocation is not None and each.status.allocation.node_selector is not None
        ]
        for node in self._nodes:
            name = node.metadata.name
            if not is_selected(pod.spec, node):
                continue
            try:
                answer = self._allocator.allocate(wanted, node) if wanted else Allocation(name, (), 0)
            except AllocationError as error:
                answers.errors.add(str(error))
                continue
            if isinstance(answer, Refusal):
                answers.refusals[name] = answer.text
            elif not all(matches(each, node) for each in selectors):
                # Only asked after the allocator, so that its words come first.
                answers.refusals[name] = _NOT_ON_NODE
            else:
                answers.allocations[name] = answer
        return answers


def _compare_allocations(answers: _Answers, outcome: Outcome, names: Sequence[str]) -> Sequence[str]:
    """Of a pod that has got a node, or will when its devices are bound."""
    if answers.errors:
        return [f"on {outcome.node}, not {sorted(answers.errors)}"]
    real = {name: v1.AllocationResult.model_validate(outcome.allocations[name]) for name in names}
    ours = {
        node: {
            name: v1.AllocationResult.model_validate(stable(name, _wire(result)))
            for name, result in zip(names, allocation.results, strict=True)
        }
        for node, allocation in answers.allocations.items()
    }
    if outcome.node == UNTOLD:
        return () if real in ours.values() else [f"{real} on some node, not one of {ours}, {answers.refusals}"]
    if outcome.node not in ours:
        return [f"{real} on {outcome.node}, not {answers.refusals.get(outcome.node, 'another node')!r}"]
    if real != ours[outcome.node]:
        return [f"{real} on {outcome.node}, not {ours[outcome.node]}"]
    best = max(each.score for each in answers.allocations.values())
    if (score := answers.allocations[outcome.node].score) < best:
        return [f"on {outcome.node} with a score of {score}, although another has {best}"]
    return ()


def _wire(result: v1.AllocationResult) -> Wire:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def _compare_refusals(answers: _Answers, outcome: Outcome) -> Sequence[str]:
    """Of a pod that has got no node."""
    if outcome.refusal.startswith(IN_FILTER):
        text = outcome.refusal.removeprefix(IN_FILTER)
        return () if text in answers.errors else [f"{text!r}, not {answers}"]
    real = Counter(
        {why: count for why, count in reasons(outcome.refusal).items() if not why.startswith(_OTHERS_REASONS)}
    )
    ours = Counter(answers.refusals.values())
    if answers.errors or answers.allocations or real != ours:
        return [f"{dict(real)}, not {answers}"]
    return ()


def _asks_for_extended_resources(pod: Wire) -> bool:
    return any("resources" in each for each in pod["spec"]["containers"])


def _defaulted(claim: Wire) -> Mapping[str, object]:
    """With what an API server adds to a claim."""
    devices = claim["spec"].get("devices", {})
    requests = [
        {
            **request,
            **({"exactly": _ask_defaulted(request["exactly"])} if "exactly" in request else {}),
            **(
                {"firstAvailable": [_ask_defaulted(each) for each in request["firstAvailable"]]}
                if "firstAvailable" in request
                else {}
            ),
        }
        for request in devices.get("requests", ())
    ]
    return {**claim, "spec": {"devices": {**devices, "requests": requests}}}


def _ask_defaulted(ask: Wire) -> Wire:
    made = {"allocationMode": "ExactCount", **ask}
    if made["allocationMode"] == "ExactCount":
        made.setdefault("count", 1)
    if "tolerations" in made:
        made["tolerations"] = [{"operator": "Equal", **each} for each in made["tolerations"]]
    return made
