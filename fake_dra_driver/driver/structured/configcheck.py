"""Tells people about configuration that this driver cannot use: in claims, in their templates, and in DeviceClasses.

The API server takes any opaque parameters. With the admission webhook ours are refused at once; without it, or where it
was away, the claim is allocated all the same, and its pod does not start. So an Event says why as soon as the object is
seen, and for a claim once more when it is allocated: then what a class has brought in counts as well.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from typing_extensions import override

from fake_dra_driver.api.fake import DRIVER_NAME, FakeClaimConfig
from fake_dra_driver.api.fieldproblem import FieldProblem
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.reason import INVALID_PARAMETERS
from fake_dra_driver.dra.structured.config import (
    Config,
    ConfigError,
    check_class_spec,
    covers,
    decode,
    entries_in,
    entries_of,
)
from fake_dra_driver.driver.structured.parameters import PARAMETER_KINDS
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["ConfigReconciler", "claim_problems", "class_problems", "needs_look", "spec_problems", "template_problems"]

ObjectT = TypeVar("ObjectT", bound=KubeObject)


def spec_problems(spec: v1.ResourceClaimSpec, path: str = "spec") -> Sequence[FieldProblem]:
    """What is wrong with our configuration in a claim as it was written, wherever it will be allocated.

    Args:
        spec: what the claim asks for.
        path: of ``spec`` in the object; ``spec.spec`` in a template.
    """
    entries = tuple(entries_in(spec.devices.config, DRIVER_NAME, f"{path}.devices.config"))
    try:
        configs = decode(entries, PARAMETER_KINDS)
    except ConfigError as error:
        return error.problems
    return [problem for config in configs for problem in _count_problems(config, spec.devices.requests)]


def claim_problems(claim: v1.ResourceClaim) -> Sequence[FieldProblem]:
    """What is wrong with our configuration in a claim, and, once it is allocated, with that of its classes."""
    problems = spec_problems(claim.spec)
    if problems or claim.is_deleting:
        return problems
    try:
        decode(entries_of(claim, DRIVER_NAME), PARAMETER_KINDS)
    except ConfigError as error:
        return error.problems
    return ()


def template_problems(template: v1.ResourceClaimTemplate) -> Sequence[FieldProblem]:
    """What is wrong with our configuration in the claims that are made from a template."""
    return spec_problems(template.spec.spec, "spec.spec")


def class_problems(device_class: v1.DeviceClass) -> Sequence[FieldProblem]:
    """What is wrong with our configuration in a DeviceClass."""
    return check_class_spec(device_class.spec, DRIVER_NAME, PARAMETER_KINDS)


def needs_look(change: Change[v1.ResourceClaim]) -> bool:
    """Whether there is news for ``claim_problems``: what a claim asks for cannot be changed."""
    old, new = change.old, change.new
    if new is None or old is None:
        return new is not None
    return (old.status.allocation is None) != (new.status.allocation is None)


class ConfigReconciler(Reconciler, Generic[ObjectT]):
    """Reports what is wrong with the objects of one kind. Reads the cache alone.

    Args:
        objects: the cache.
        events: tells people.
        problems: what is wrong with an object.
    """

    def __init__(
        self, objects: Informer[ObjectT], events: EventSink, problems: Callable[[ObjectT], Sequence[FieldProblem]]
    ) -> None:
        self._objects = objects
        self._events = events
        self._problems = problems

    @override
    async def reconcile(self, request: Request) -> Result:
        found = self._objects.get(request)
        if found is not None and (problems := self._problems(found)):
            INVALID_PARAMETERS.tell(self._events, found, "; ".join(map(str, problems)))
        return Result()


# --- A count that no allocation can agree with ---------------------------------------------------------------------


def _count_problems(config: Config, requests: Sequence[v1.DeviceRequest]) -> Iterable[FieldProblem]:
    """Says so where the count differs from what the requests ask for, whatever is chosen for them.

    Which of the requests are for devices of other drivers, only the allocation says: those do not count.
    """
    if not isinstance(config.parameters, FakeClaimConfig) or config.parameters.spec.count is None:
        return
    possible = {0}
    for request in requests:
        choices = _possible_counts(request, config.requests)
        if choices is None:
            return
        possible |= {total + choice for total in possible for choice in choices}
    count, allowed = config.parameters.spec.count, sorted(possible - {0})
    if allowed and count not in allowed:
        numbers = " or ".join(map(str, allowed))
        message = f"must be {numbers}, the number of devices that its requests ask for, is {count}; or leave it out"
        yield config.problem("spec.count", message)


def _possible_counts(request: v1.DeviceRequest, covered: Sequence[str]) -> set[int] | None:
    """How many devices a request may get for which the configuration is; None: any number."""
    alternatives: list[tuple[str, v1.ExactDeviceRequest | v1.DeviceSubRequest]] = [
        (f"{request.name}/{subrequest.name}", subrequest) for subrequest in request.first_available
    ]
    if request.exactly is not None:
        alternatives.append((request.name, request.exactly))
    found = [asked for name, asked in alternatives if covers(covered, name)]
    if any(asked.allocation_mode == "All" for asked in found):
        return None
    return {asked.count or 1 for asked in found}
