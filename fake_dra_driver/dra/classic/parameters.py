"""The parameters of claims and classes: custom resources that they name in ``parametersRef``, found in caches alone.

The API server refuses bad parameters through the CRDs. Objects that are older than a bound, or that came in through
other doors, are refused here: by their model, or by a check of the driver's.
"""

from collections.abc import Callable, Iterable
from typing import Final, Generic, Literal, TypeVar

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import (
    ClaimParametersReference,
    ClassParametersReference,
    ResourceClaim,
    ResourceClass,
)
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.classic.driver import ParametersError
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.untrustedtext import short_name

__all__ = ["ClaimParameters", "ClassParameters"]

ParametersT = TypeVar("ParametersT", bound=KubeObject)

BY_PARAMETERS: Final = "parameters"
"""Index of the caches of claims and classes: the parameters that one names, right or wrong in kind and group."""


class ClaimParameters(Generic[ParametersT]):
    """The parameters that claims of a driver name: objects of one kind, in the namespaces of the claims.

    Args:
        informer: the cache of the parameters.
        driver: name of the driver.
        check: what is wrong with an object that the model takes; None when nothing is.
    """

    def __init__(
        self,
        informer: Informer[ParametersT],
        driver: str,
        check: Callable[[ParametersT], str | None] = lambda _: None,
    ) -> None:
        self.informer = informer
        self.check = check
        self._kind = informer.kind
        self._driver = driver

    def of_claim(self, claim: ResourceClaim) -> ParametersT | None:
        """What the claim names; None when it names nothing. Raises ParametersError."""
        reference = claim.spec.parameters_ref
        if reference is None:
            return None
        owner = f"ResourceClaim {claim.key}"
        if problem := _reference_problem(reference, self._kind, owner, self._driver):
            raise ParametersError(problem, at_fault="claim")
        key = NamespacedName(claim.metadata.namespace, reference.name)
        try:
            found = self.informer.get(key)
        except InvalidObjectError as error:
            raise ParametersError(f"the claim's parameters are invalid: {error}", at_fault="claim") from error
        kind = self._kind.resource.kind
        if found is None:
            named = NamespacedName(key.namespace, short_name(key.name))
            do, them = _number(kind)
            raise ParametersError(
                f"{kind} {named} {do} not exist: create {them}, and the claim goes on by itself",
                at_fault="claim",
                missing=True,
            )
        if problem := self.check(found):
            are = "are" if _number(kind)[1] == "them" else "is"
            raise ParametersError(f"{kind} {key} {are} invalid: {problem}", at_fault="claim")
        return found

    def route(self, caches: ClassicCaches) -> Callable[[Change[ParametersT]], Iterable[NamespacedName]]:
        """From a change of parameters to the claims that name them."""
        caches.claims.add_index(BY_PARAMETERS, _named_by_claim)
        return lambda change: [claim.key for claim in caches.claims.by_index(BY_PARAMETERS, str(change.key))]


class ClassParameters(Generic[ParametersT]):
    """The parameters that classes of a driver name: objects of one kind, which have no namespace.

    Args:
        informer: the cache of the parameters.
        driver: name of the driver.
    """

    def __init__(self, informer: Informer[ParametersT], driver: str) -> None:
        self.informer = informer
        self._kind = informer.kind
        self._driver = driver

    def of_class(self, resource_class: ResourceClass) -> ParametersT | None:
        """What the class names; None when it names nothing. Raises ParametersError."""
        reference = resource_class.parameters_ref
        if reference is None:
            return None
        owner = f"ResourceClass {resource_class.metadata.name}"
        if problem := _reference_problem(reference, self._kind, owner, self._driver):
            raise ParametersError(problem, at_fault="class")
        try:
            found = self.informer.get(NamespacedName("", reference.name))
        except InvalidObjectError as error:
            raise ParametersError(f"{owner} uses invalid parameters: {error}", at_fault="class") from error
        if found is None:
            kind = self._kind.resource.kind
            do, them = _number(kind)
            raise ParametersError(
                f"{owner} names {kind} {short_name(reference.name)}, which {do} not exist: create {them}, or correct "
                "the name in parametersRef",
                at_fault="class",
                missing=True,
            )
        return found

    def route(self, caches: ClassicCaches) -> Callable[[Change[ParametersT]], Iterable[NamespacedName]]:
        """From a change of parameters to the classes that name them."""
        caches.classes.add_index(BY_PARAMETERS, _named_by_class)
        return lambda change: [entry.key for entry in caches.classes.by_index(BY_PARAMETERS, change.key.name)]


def _number(kind: str) -> tuple[Literal["do", "does"], Literal["them", "it"]]:
    """How a sentence goes on about an object of a kind: parameters are many."""
    return ("do", "them") if kind.endswith("Parameters") else ("does", "it")


def _reference_problem(
    reference: ClaimParametersReference | ClassParametersReference, wanted: type[KubeObject], owner: str, driver: str
) -> str | None:
    """What is wrong with the kind that is named; None when nothing is."""
    resource = wanted.resource
    if (reference.api_group, reference.kind) == (resource.group, resource.kind):
        return None
    found = f"{reference.kind}.{reference.api_group}" if reference.api_group else reference.kind
    named = f"{short_name(found)} {short_name(reference.name)}"
    return (
        f"{owner} names {named} as its parameters; driver {driver} takes only kind {resource.kind} with apiGroup "
        f"{resource.group}: correct parametersRef"
    )


def _named_by_claim(claim: ResourceClaim) -> Iterable[str]:
    reference = claim.spec.parameters_ref
    return () if reference is None else (str(NamespacedName(claim.metadata.namespace, reference.name)),)


def _named_by_class(resource_class: ResourceClass) -> Iterable[str]:
    return () if resource_class.parameters_ref is None else (resource_class.parameters_ref.name,)
