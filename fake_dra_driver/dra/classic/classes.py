"""The ResourceClass reconciler: tells people when the parameters of a class of this driver cannot be used."""

from collections.abc import Callable
from datetime import datetime

from typing_extensions import override

from fake_dra_driver.api.resource.v1alpha2 import ResourceClass
from fake_dra_driver.dra.classic.driver import AnyControllerDriver, ParametersError
from fake_dra_driver.dra.classic.refusal import grace_left, reason_of
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["ResourceClassReconciler"]


class ResourceClassReconciler(Reconciler):
    """Reconciles one ResourceClass, from caches alone. Claims of the class are judged by their own reconcilers.

    Args:
        now: the wall clock, for the age of a class.
    """

    def __init__(
        self,
        driver: AnyControllerDriver,
        classes: Informer[ResourceClass],
        events: EventSink,
        now: Callable[[], datetime],
    ) -> None:
        self._driver = driver
        self._classes = classes
        self._events = events
        self._now = now

    @override
    async def reconcile(self, request: Request) -> Result:
        resource_class = self._classes.get(request)
        if resource_class is None or resource_class.driver_name != self._driver.name:
            return Result()
        try:
            self._driver.check_class(resource_class)
        except ParametersError as error:
            if (seconds := grace_left(resource_class, error, self._now())) > 0:
                return Result(requeue_after=seconds)
            reason_of(error).tell(self._events, resource_class, str(error))
        return Result()
