"""The choice as the API has it: ``status.allocation`` of each claim.

Follows the end of Allocate in k8s.io/dynamic-resource-allocation.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.checks import Choice
from fake_dra_driver.allocation.requests import Ask, Problem, Request
from fake_dra_driver.api.kube.core import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from fake_dra_driver.api.kube.nodeselection import NODE_NAME
from fake_dra_driver.api.resource.v1 import (
    AllocationResult,
    DeviceAllocationConfiguration,
    DeviceAllocationResult,
    DeviceClassConfiguration,
    DeviceRequestAllocationResult,
)

__all__ = ["allocation_of"]


def allocation_of(
    ask: Ask, choices: Sequence[Choice], node: str, behaviour: Behaviour, new_share_id: Callable[[], str]
) -> AllocationResult:
    """What a claim gets.

    Args:
        ask: what it asks for.
        choices: the devices that were chosen for it, in the order of choosing.
        node: where they were found.
        behaviour: that of the release.
        new_share_id: makes the UUID of a share.
    """
    chosen = _chosen_requests(ask, choices)
    config = [*_class_config(chosen, behaviour), *_claim_config(ask, chosen, behaviour)]
    if behaviour.claim_config == "cleared":
        config = [_cleared(each, chosen) for each in config]
    results = tuple(_result(choice, behaviour, new_share_id) for choice in choices)
    fields: dict[str, Any] = {
        "devices": DeviceAllocationResult(results=results, **({"config": tuple(config)} if config else {}))
    }
    selector = _node_selector(choices, node)
    if selector is not None:
        fields["node_selector"] = selector
    return AllocationResult(**fields)


def _chosen_requests(ask: Ask, choices: Iterable[Choice]) -> list[Request]:
    """For each request of the claim, itself or the alternative that was chosen."""
    found = {choice.request.base: choice.request for choice in choices}
    alternatives = [each for each in ask.requests if not isinstance(each, Problem)]
    # A request without any choice got all devices, which were none.
    return [found.get(each[0].base, each[0]) for each in alternatives]


def _result(choice: Choice, behaviour: Behaviour, new_share_id: Callable[[], str]) -> DeviceRequestAllocationResult:
    device = choice.candidate.device
    fields: dict[str, Any] = {
        "request": choice.request.name,
        "driver": choice.candidate.id.driver,
        "pool": choice.candidate.id.pool,
        "device": choice.candidate.id.device,
    }
    if choice.request.admin_access:
        fields["admin_access"] = True
    if choice.request.tolerations and behaviour.copies_tolerations:
        fields["tolerations"] = choice.request.tolerations
    if choice.share is not None:
        fields["share_id"] = new_share_id()
        if choice.share.consumed:
            fields["consumed_capacity"] = {name: str(amount) for name, amount in choice.share.consumed.items()}
    if behaviour.binding_conditions and device.binding_conditions:
        fields["binding_conditions"] = device.binding_conditions
    if behaviour.binding_conditions and device.binding_failure_conditions:
        fields["binding_failure_conditions"] = device.binding_failure_conditions
    return DeviceRequestAllocationResult(**fields)


# --- Configuration ---------------------------------------------------------------------------------------------------


def _class_config(chosen: Iterable[Request], behaviour: Behaviour) -> list[DeviceAllocationConfiguration]:
    """The configuration of each class, for the requests that use it."""
    if not behaviour.class_config_shared:
        return [
            DeviceAllocationConfiguration(source="FromClass", **_parameters(config))
            for request in chosen
            for config in request.device_class.spec.config
        ]
    users: dict[str, list[Request]] = {}
    for request in chosen:
        users.setdefault(request.device_class.metadata.name, []).append(request)
    return [
        DeviceAllocationConfiguration(
            source="FromClass", requests=tuple(request.name for request in requests), **_parameters(config)
        )
        for requests in users.values()
        for config in requests[0].device_class.spec.config
    ]


def _claim_config(ask: Ask, chosen: Sequence[Request], behaviour: Behaviour) -> list[DeviceAllocationConfiguration]:
    """The claim's own configuration, as far as it is for all requests or for one that was chosen."""
    found = []
    for config in ask.claim.spec.devices.config:
        times = sum(_names(config.requests, request) for request in chosen) if config.requests else 1
        entry = DeviceAllocationConfiguration(
            source="FromClaim", **({"requests": config.requests} if config.requests else {}), **_parameters(config)
        )
        found += [entry] * (times if behaviour.claim_config == "per-request" else min(times, 1))
    return found


def _parameters(config: DeviceClassConfiguration) -> dict[str, Any]:
    """What is configured, apart from whom for; as a copy it keeps what the model does not know."""
    return {name: value for name, value in config if name not in ("requests", "source") and value is not None}


def _cleared(config: DeviceAllocationConfiguration, chosen: Iterable[Request]) -> DeviceAllocationConfiguration:
    """The same, without naming requests if it names all of them."""
    if not config.requests or not all(_names(config.requests, request) for request in chosen):
        return config
    return DeviceAllocationConfiguration(source=config.source, **_parameters(config))


def _names(requests: Sequence[str], request: Request) -> bool:
    return request.base in requests or request.name in requests


# --- Nodes -----------------------------------------------------------------------------------------------------------


def _node_selector(choices: Iterable[Choice], node: str) -> NodeSelector | None:
    """On which nodes all the devices can be used; None: on all."""
    fields: list[NodeSelectorRequirement] = []
    expressions: list[NodeSelectorRequirement] = []
    for choice in choices:
        spec, device = choice.candidate.resource_slice.spec, choice.candidate.device
        where = device if spec.per_device_node_selection else spec
        if where.node_name is not None or device.binds_to_node:
            here = NodeSelectorRequirement(key=NODE_NAME, operator="In", values=(node,))
            return NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(here,)),))
        if where.node_selector is not None:
            for term in where.node_selector.node_selector_terms:
                _add_missing(fields, term.match_fields)
                _add_missing(expressions, term.match_expressions)
    if not fields and not expressions:
        return None
    parts = {"match_fields": tuple(fields), "match_expressions": tuple(expressions)}
    term = NodeSelectorTerm(**{name: part for name, part in parts.items() if part})
    return NodeSelector(node_selector_terms=(term,))


def _add_missing(there: list[NodeSelectorRequirement], wanted: Iterable[NodeSelectorRequirement]) -> None:
    for requirement in wanted:
        if not any(
            (each.key, each.operator, set(each.values))
            == (requirement.key, requirement.operator, set(requirement.values))
            for each in there
        ):
            there.append(requirement)
