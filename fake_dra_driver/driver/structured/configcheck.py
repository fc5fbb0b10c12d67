"""Tells people about configuration that this driver cannot use: in claims, in their templates, and in DeviceClasses.

The API server takes any opaque parameters. With the admission webhook ours are refused at once; without it, or where it
was away, the claim is allocated all the same, and its pod does not start. So an Event says why as soon as the object is
seen, and for a claim once more when it is allocated: then it is known what it got, and what a class has brought in.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Generic, TypeVar

from typing_extensions import override

from fake_dra_driver.api.fake import DRIVER_NAME, MAX_CHILDREN, MAX_COUNT, FakeClaimConfig
from fake_dra_driver.api.fieldproblem import FieldProblem
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.reason import INVALID_PARAMETERS
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.config import (
    Config,
    ConfigError,
    check_class_spec,
    config_for,
    covers,
    decode,
    entries_in,
)
from fake_dra_driver.driver.structured.caches import pools_of
from fake_dra_driver.driver.structured.inventory import devices_by_name
from fake_dra_driver.driver.structured.parameters import PARAMETER_KINDS
from fake_dra_driver.driver.structured.wanted import wanted_devices
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["ConfigReconciler", "claim_problems", "class_problems", "needs_look", "spec_problems", "template_problems"]

MAX_ENTRIES: Final = 32
"""Most requests, and most entries of config, of a claim (DeviceRequestsMaxSize, DeviceConfigMaxSize)."""
MAX_NUMBERS: Final = 8
"""How many numbers a message lists."""

ObjectT = TypeVar("ObjectT", bound=KubeObject)
InventoryOf = Callable[[str], Sequence[Device]]
"""By the name of a node."""


def spec_problems(spec: v1.ResourceClaimSpec, path: str = "spec") -> Sequence[FieldProblem]:
    """What is wrong with our configuration in a claim as it was written, wherever it will be allocated.

    Args:
        spec: what the claim asks for.
        path: of ``spec`` in the object; ``spec.spec`` in a template.
    """
    if max(len(spec.devices.config), len(spec.devices.requests)) > MAX_ENTRIES:
        return ()  # the API server refuses it, a moment after a webhook was asked
    entries = tuple(entries_in(spec.devices.config, DRIVER_NAME, f"{path}.devices.config"))
    try:
        configs = decode(entries, PARAMETER_KINDS)
    except ConfigError as error:
        return error.problems
    return [
        problem
        for config in configs
        for find in (_count_problems, _split_problems)
        for problem in find(config, configs, spec.devices.requests)
    ]


def claim_problems(claim: v1.ResourceClaim, inventory_of: InventoryOf) -> Sequence[FieldProblem]:
    """What is wrong with our configuration in a claim; once it is allocated, with that for its devices.

    Args:
        claim: with or without an allocation.
        inventory_of: the devices of a node, as far as its plugin has published them.
    """
    if claim.is_deleting:
        return ()
    problems = list(spec_problems(claim.spec))
    for node in () if problems else sorted(pools_of(claim)):
        try:
            wanted_devices(AllocatedClaim.of(claim, DRIVER_NAME, node), devices_by_name(inventory_of(node)))
        except ConfigError as error:
            problems += error.problems
        except PrepareError:  # nothing that the configuration could change: the plugin of the node says it
            continue
    return problems


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


# --- A count or a split that suits no allocation -------------------------------------------------------------------


def _count_problems(
    config: Config, configs: Sequence[Config], requests: Sequence[v1.DeviceRequest]
) -> Iterable[FieldProblem]:
    """Says so where the count differs from what the requests ask for, whatever is chosen for them.

    Which of the requests are for devices of other drivers, only the allocation says: those do not count. Nor does the
    count of parameters that a later entry replaces.
    """
    if not isinstance(config.parameters, FakeClaimConfig) or config.parameters.spec.count is None:
        return
    possible = {0}
    for request in requests:
        covered = {name: asked for name, asked in _alternatives(request) if covers(config.requests, name)}
        if any(
            asked.allocation_mode == "All" or config_for(name, configs) is not config for name, asked in covered.items()
        ):
            return
        sums = {total + (asked.count or 1) for total in possible for asked in covered.values()}
        possible |= {total for total in sums if 0 < total <= MAX_COUNT}  # the greatest count that can be asked for
    count, allowed = config.parameters.spec.count, sorted(possible - {0})
    if allowed and count not in allowed:
        more = [] if len(allowed) <= MAX_NUMBERS else ["some other numbers"]
        numbers = " or ".join([*map(str, allowed[:MAX_NUMBERS]), *more])
        message = f"must be {numbers}, the number of devices that its requests ask for, is {count}; or leave it out"
        yield config.problem("spec.count", message)


def _split_problems(
    config: Config, configs: Sequence[Config], requests: Sequence[v1.DeviceRequest]
) -> Iterable[FieldProblem]:
    """Says so where each of the requests alone brings more children than a claim may have, whatever is chosen for it.

    Each alone, since the others may be for devices of other drivers.
    """
    if not isinstance(config.parameters, FakeClaimConfig):
        return
    counts = []
    for request in requests:
        alternatives = dict(_alternatives(request))
        split = [config_for(name, configs) is config for name in alternatives]
        if any(split):
            counts.append(min(map(_least_count, alternatives.values())) if all(split) else 0)
    least, asked = min(counts, default=0), config.parameters.spec.split
    if asked > 1 and least * asked > MAX_CHILDREN:
        message = (
            f"must be at most {MAX_CHILDREN // least}, is {asked}: a claim has at most {MAX_CHILDREN} children, and "
            f"its requests ask for at least {least} devices"
        )
        yield config.problem("spec.split", message)


def _least_count(asked: v1.ExactDeviceRequest | v1.DeviceSubRequest) -> int:
    return 1 if asked.allocation_mode == "All" else asked.count or 1


def _alternatives(request: v1.DeviceRequest) -> Iterator[tuple[str, v1.ExactDeviceRequest | v1.DeviceSubRequest]]:
    """What may be chosen for a request, under the names that allocations have for it."""
    if request.exactly is not None:
        yield request.name, request.exactly
    for subrequest in request.first_available:
        yield f"{request.name}/{subrequest.name}", subrequest
