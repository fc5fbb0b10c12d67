"""Tells people about parameters that cannot be used: on the claim or class that names them, and on the parameters."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Generic, TypeVar

from typing_extensions import override

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID, KubeObject
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.dra.classic.driver import ParametersError
from fake_dra_driver.dra.reason import INVALID_PARAMETERS, PARAMETERS_NOT_FOUND, Reason
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["ParametersReconciler", "grace_left", "reason_of", "reference_of"]

MISSING_PARAMETERS_GRACE_SECONDS: Final = 2.0
"""How old an object must be before people are warned that its parameters do not exist.

``kubectl apply`` of one file creates claim or class and parameters a moment apart, and caches fill in any order. Claims
do not wait for this: they go on the moment the parameters are seen.
"""

ObjectT = TypeVar("ObjectT", bound=KubeObject)


def reason_of(error: ParametersError) -> Reason:
    """Under which reason the error is told."""
    return PARAMETERS_NOT_FOUND if error.missing else INVALID_PARAMETERS


def grace_left(owner: ResourceClaim | ResourceClass, error: ParametersError, now: datetime) -> float:
    """Seconds until the error is to be told: parameters that are only missing may be about to come.

    Args:
        now: the wall clock.
    """
    created = owner.metadata.creation_timestamp
    if not error.missing or created is None:
        return 0.0
    return max(0.0, MISSING_PARAMETERS_GRACE_SECONDS - (now - created).total_seconds())


class ParametersReconciler(Reconciler, Generic[ObjectT]):
    """Reports parameters that the API server let through and the driver cannot use. Reads the cache alone.

    Args:
        objects: the cache of one kind of parameters.
        check: what is wrong with an object that the model takes; None when nothing is.
    """

    def __init__(self, objects: Informer[ObjectT], events: EventSink, check: Callable[[ObjectT], str | None]) -> None:
        self._objects = objects
        self._events = events
        self._check = check

    @override
    async def reconcile(self, request: Request) -> Result:
        try:
            parameters = self._objects.get(request)
        except InvalidObjectError as error:
            INVALID_PARAMETERS.tell(self._events, reference_of(error), "; ".join(error.problems))
            return Result()
        if parameters is not None and (problem := self._check(parameters)):
            INVALID_PARAMETERS.tell(self._events, parameters, problem)
        return Result()


def reference_of(error: InvalidObjectError) -> ObjectReference:
    """The object that cannot be read, so that it can be told."""
    metadata = error.metadata
    return ObjectReference(
        api_version=error.kind.api_version,
        kind=error.kind.kind,
        namespace=error.key.namespace,
        name=error.key.name,
        uid=UID(str(metadata.get("uid", ""))),
        resource_version=str(metadata.get("resourceVersion", "")),
    )
