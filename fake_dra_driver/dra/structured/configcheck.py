"""Tells people about configuration that a driver cannot use: in claims, in their templates, and in DeviceClasses.

The API server takes any opaque parameters. With the admission webhook those of the driver are refused at once; without
it, or where it was away, the claim is allocated all the same, and its pod does not start. So an Event says why as soon
as the object is seen, and for a claim once more when it is allocated: then it is known what it got, and what a class
has brought in.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Generic, Protocol, TypeVar

from typing_extensions import override

from fake_dra_driver.api.fieldproblem import FieldProblem
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.reason import INVALID_PARAMETERS
from fake_dra_driver.dra.structured.caches import pools_of
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.config import (
    Config,
    ConfigEntry,
    ConfigError,
    ParameterKinds,
    decode,
    entries_in,
)
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["ConfigCheck", "ConfigReconciler", "SpecProblems", "alternatives_of", "needs_look"]

MAX_ENTRIES: Final = 32
"""Most requests, and most entries of config, of a claim (DeviceRequestsMaxSize, DeviceConfigMaxSize)."""

ObjectT = TypeVar("ObjectT", bound=KubeObject)
AllocationCheck = Callable[[AllocatedClaim, str], object]
"""Looks at what a claim holds on a node, by its name, and raises ConfigError where its configuration does not suit it;
another PrepareError where that cannot be told."""


class SpecProblems(Protocol):
    """Finds what is wrong with one entry of configuration, whatever is allocated to the claim."""

    def __call__(
        self, config: Config, configs: Sequence[Config], requests: Sequence[v1.DeviceRequest]
    ) -> Iterable[FieldProblem]:
        """The problems of ``config``, which is one of ``configs``, in a claim with these requests."""
        ...


class ConfigCheck:
    """Finds what is wrong with the opaque parameters of one driver.

    Args:
        driver: its name.
        kinds: the parameters that it takes.
        finders: what else it asks of them, compared with what the claim asks for.
        value_problems: what is wrong with parameters by themselves that their model does not say.
    """

    def __init__(
        self,
        driver: str,
        kinds: ParameterKinds,
        finders: Sequence[SpecProblems] = (),
        value_problems: Callable[[Config], Iterable[FieldProblem]] = lambda _config: (),
    ) -> None:
        self.driver = driver
        self._kinds = kinds
        self._finders = finders
        self._value_problems = value_problems

    def decode(self, entries: Iterable[ConfigEntry]) -> tuple[Config, ...]:
        """Reads parameters, as ``config.decode``, and looks at their values.

        Raises:
            ConfigError: with every problem.
        """
        configs = decode(entries, self._kinds)
        if problems := [problem for config in configs for problem in self._value_problems(config)]:
            raise ConfigError(problems)
        return configs

    def readable(self, allocated: AllocatedClaim) -> Sequence[Config]:
        """The parameters of a claim, to show what it holds; none where they cannot be used, as its owner is told."""
        try:
            return self.decode(allocated.config)
        except ConfigError:
            return ()

    def spec_problems(self, spec: v1.ResourceClaimSpec, path: str = "spec") -> Sequence[FieldProblem]:
        """What is wrong with the configuration in a claim as it was written, wherever it will be allocated.

        Args:
            spec: what the claim asks for.
            path: of ``spec`` in the object; ``spec.spec`` in a template.
        """
        if max(len(spec.devices.config), len(spec.devices.requests)) > MAX_ENTRIES:
            return ()  # the API server refuses it, a moment after a webhook was asked
        try:
            configs = self.decode(entries_in(spec.devices.config, self.driver, f"{path}.devices.config"))
        except ConfigError as error:
            return error.problems
        return [
            problem
            for config in configs
            for find in self._finders
            for problem in find(config, configs, spec.devices.requests)
        ]

    def claim_problems(self, claim: v1.ResourceClaim, check: AllocationCheck) -> Sequence[FieldProblem]:
        """What is wrong with the configuration in a claim; once it is allocated, with that for its devices.

        Args:
            claim: with or without an allocation.
            check: looks at what it holds on each of its nodes.
        """
        if claim.is_deleting:
            return ()
        problems = list(self.spec_problems(claim.spec))
        for node in () if problems else sorted(pools_of(claim, self.driver)):
            try:
                check(AllocatedClaim.of(claim, self.driver, node), node)
            except ConfigError as error:
                problems += error.problems
            except PrepareError:  # nothing that the configuration could change: the plugin of the node says it
                continue
        return problems

    def template_problems(self, template: v1.ResourceClaimTemplate) -> Sequence[FieldProblem]:
        """What is wrong with the configuration in the claims that are made from a template."""
        return self.spec_problems(template.spec.spec, "spec.spec")

    def class_problems(self, device_class: v1.DeviceClass) -> Sequence[FieldProblem]:
        """What is wrong with the configuration in a DeviceClass."""
        try:
            self.decode(entries_in(device_class.spec.config, self.driver, "spec.config"))
        except ConfigError as error:
            return error.problems
        return ()


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


def alternatives_of(request: v1.DeviceRequest) -> Iterator[tuple[str, v1.ExactDeviceRequest | v1.DeviceSubRequest]]:
    """What may be chosen for a request, under the names that allocations have for it."""
    if request.exactly is not None:
        yield request.name, request.exactly
    for subrequest in request.first_available:
        yield f"{request.name}/{subrequest.name}", subrequest
