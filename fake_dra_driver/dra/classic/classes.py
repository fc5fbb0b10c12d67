"""The ResourceClass reconciler: tells people when the parameters of a class of this driver cannot be used."""

from typing import Any

from fake_dra_driver.api.resource_v1alpha2 import ResourceClass
from fake_dra_driver.dra.classic.claims import REASON_MISSING_PARAMETERS, REASON_PARAMETERS
from fake_dra_driver.dra.driver import ControllerDriver, ParametersError
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.reconcile import Request, Result

__all__ = ["ResourceClassReconciler"]


class ResourceClassReconciler:
    """Reconciles one ResourceClass. Claims of the class are judged by their own reconcilers."""

    def __init__(self, driver: ControllerDriver[Any], classes: Informer[ResourceClass], events: EventRecorder) -> None:
        self._driver = driver
        self._classes = classes
        self._events = events

    async def reconcile(self, request: Request) -> Result:
        """One pass; answers from caches alone."""
        resource_class = self._classes.get(request)
        if resource_class is None or resource_class.driver_name != self._driver.name:
            return Result()
        try:
            self._driver.check_class(resource_class)
        except ParametersError as error:
            reason = REASON_MISSING_PARAMETERS if error.missing else REASON_PARAMETERS
            self._events.event(resource_class, "Warning", reason, str(error))
        return Result()
