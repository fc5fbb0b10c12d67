"""The ResourceClass reconciler: tells people when the parameters of a class of this driver cannot be used."""

from typing import Any

from fake_dra_driver.api.resource_v1alpha2 import ResourceClass
from fake_dra_driver.dra.driver import ControllerDriver, ParametersError
from fake_dra_driver.dra.reason import INVALID_PARAMETERS, PARAMETERS_NOT_FOUND, EventSink
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.reconcile import Request, Result

__all__ = ["ResourceClassReconciler"]


class ResourceClassReconciler:
    """Reconciles one ResourceClass. Claims of the class are judged by their own reconcilers."""

    def __init__(self, driver: ControllerDriver[Any], classes: Informer[ResourceClass], events: EventSink) -> None:
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
            reason = PARAMETERS_NOT_FOUND if error.missing else INVALID_PARAMETERS
            reason.tell(self._events, resource_class, str(error))
        return Result()
