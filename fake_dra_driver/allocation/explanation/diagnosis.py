"""Finds out about a node: which devices there are, what stands in the way of each, and whether the claims can be had.

The allocator decides. What it says of devices one by one explains most refusals; the others are explained by asking it
again with a part of what was asked for.
"""

from collections.abc import Iterator
from dataclasses import replace

from fake_dra_driver.allocation.constraints import attribute_of
from fake_dra_driver.allocation.decision import Refusal
from fake_dra_driver.allocation.explanation.finding import (
    BrokenConstraint,
    Candidate,
    Combination,
    Finding,
    Requested,
    RequestFinding,
)
from fake_dra_driver.allocation.explanation.situation import Situation, requested_by, with_constraints, with_requests
from fake_dra_driver.allocation.identity import DeviceId
from fake_dra_driver.allocation.obstacles import ConstraintBroken, PoolIncomplete, PoolObstacle
from fake_dra_driver.allocation.survey import PoolReport, Survey
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource.v1 import (
    DeviceAttribute,
    DeviceRequest,
    DeviceSubRequest,
    ExactDeviceRequest,
    ResourceClaim,
)

__all__ = ["diagnose", "without_constraint"]


def diagnose(situation: Situation, node: Node) -> Finding:
    """Everything about the claims on one node."""
    outcome = situation.attempt(node)
    survey = situation.allocator.survey(situation.claims, node)
    finding = Finding(
        node=node,
        outcome=outcome,
        pools=tuple(obstacle for pool in survey.pools if (obstacle := _obstacle(situation, pool)) is not None),
        requests=tuple(_requests(situation, node, survey)),
    )
    if isinstance(outcome, Refusal) and not finding.unmet:
        return replace(finding, combination=_combination(situation, finding, survey))
    return finding


def _obstacle(situation: Situation, pool: PoolReport) -> PoolObstacle | None:
    """What stands in the way of a whole pool, in this release."""
    is_incomplete = isinstance(pool.obstacle, PoolIncomplete)
    return None if is_incomplete and situation.allocator.behaviour.incomplete_pools_usable else pool.obstacle


def _requests(situation: Situation, node: Node, survey: Survey) -> Iterator[RequestFinding]:
    all_requested = {(each.claim, each.name): each for each in requested_by(situation.claims)}
    pools = [pool for pool in survey.pools if _obstacle(situation, pool) is None]
    devices = [device for pool in pools for device in pool.devices]
    for request in survey.requests:
        requested = all_requested[request.claim, request.name]
        alone = with_requests(situation.claims[requested.claim], [_alone(requested)])
        yield RequestFinding(
            requested=requested,
            candidates=tuple(Candidate(device, tuple(survey.judge(request, device))) for device in devices),
            is_met=situation.fits(node, [alone]),
        )


def _alone(requested: Requested) -> DeviceRequest:
    """A request for this and nothing else."""
    asked = requested.spec
    if isinstance(asked, DeviceSubRequest):
        fields = {name: getattr(asked, name) for name in ExactDeviceRequest.model_fields if name != "admin_access"}
        asked = ExactDeviceRequest(**fields)
    return DeviceRequest(name=requested.request, exactly=asked)


def _combination(situation: Situation, finding: Finding, survey: Survey) -> Combination:
    """Why all the requests cannot be met together."""
    node = finding.node
    places = [
        (at, index) for at, claim in enumerate(situation.claims) for index in range(len(claim.spec.devices.constraints))
    ]
    if not places or not situation.fits(node, [with_constraints(claim, ()) for claim in situation.claims]):
        return _shortage(finding, survey)
    guilty = [place for place in places if situation.fits(node, without_constraint(situation, *place))]
    broken = (
        BrokenConstraint(at, index, tuple(_values(situation, finding, survey, at, index)))
        for at, index in guilty or places
    )
    return Combination(tuple(broken), needs_all=not guilty)


def _shortage(finding: Finding, survey: Survey) -> Combination:
    """The requests, if there are some, that want more devices together than suit any of them."""
    suits = {
        request.requested: frozenset(each.device for each in request.candidates if not each.obstacles)
        for request in finding.requests
        if _takes_whole_devices(request, survey)
    }
    for devices in sorted(set(suits.values()), key=len):
        among = tuple(requested for requested, own in suits.items() if own <= devices)
        if sum(each.wanted or 0 for each in among) > len(devices):
            return Combination(shortage_among=among, shortage_of=len(devices))
    return Combination()


def _takes_whole_devices(request: RequestFinding, survey: Survey) -> bool:
    """Whether a device that it takes is lost for all other requests, whichever it is."""
    asked = request.requested.spec
    if not isinstance(asked, ExactDeviceRequest) or asked.admin_access or request.requested.wanted is None:
        return False
    devices = (survey.device(each.device) for each in request.candidates if not each.obstacles)
    return not any(each.allow_multiple_allocations for each in devices)


def _values(
    situation: Situation, finding: Finding, survey: Survey, at: int, index: int
) -> Iterator[tuple[DeviceId, DeviceAttribute | None]]:
    """What the devices have that a constraint compares."""
    constraint = situation.claims[at].spec.devices.constraints[index]
    name = constraint.match_attribute or constraint.distinct_attribute or ""
    seen = set()
    for request in finding.requests:
        asked = request.requested
        if asked.claim != at or (constraint.requests and not {asked.name, asked.request} & set(constraint.requests)):
            continue
        for candidate in request.candidates:
            device = candidate.device
            # What lacks the attribute is refused even alone.
            is_in_question = all(isinstance(each, ConstraintBroken) for each in candidate.obstacles)
            if is_in_question and device not in seen:
                seen.add(device)
                yield device, attribute_of(device.driver, survey.device(device), name)


def without_constraint(situation: Situation, at: int, index: int) -> tuple[ResourceClaim, ...]:
    """The claims, without one constraint."""
    claim = situation.claims[at]
    kept = [each for place, each in enumerate(claim.spec.devices.constraints) if place != index]
    return situation.changed(at, with_constraints(claim, kept))
