"""Tells the owner of a claim or class that its parameters cannot be used."""

from datetime import datetime
from typing import Final

from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.dra.classic.driver import ParametersError
from fake_dra_driver.dra.reason import INVALID_PARAMETERS, PARAMETERS_NOT_FOUND, EventSink
from fake_dra_driver.runtime.reconcile import Result

__all__ = ["tell_refusal"]

MISSING_PARAMETERS_GRACE_SECONDS: Final = 2.0
"""How old an object must be before somebody is warned that its parameters do not exist.

``kubectl apply`` of one file creates claim or class and parameters a moment apart, and caches fill in any order. Claims
do not wait for this: they go on the moment the parameters are seen.
"""


def tell_refusal(
    events: EventSink, owner: ResourceClaim | ResourceClass, error: ParametersError, now: datetime
) -> Result:
    """Reports the error on ``owner``; parameters that are only missing when it is old enough, in a later pass if not.

    Args:
        now: the wall clock.
    """
    created = owner.metadata.creation_timestamp
    if error.missing and created is not None:
        wait = MISSING_PARAMETERS_GRACE_SECONDS - (now - created).total_seconds()
        if wait > 0:
            return Result(requeue_after=wait)
    (PARAMETERS_NOT_FOUND if error.missing else INVALID_PARAMETERS).tell(events, owner, str(error))
    return Result()
