"""Binding conditions of allocated devices (KEP-5007): when they become true, or fail, so that the scheduler goes on.

A device with binding conditions is allocated before it is ready. The scheduler then waits, with the pod not yet bound,
until all of them are true in the claim's ``status.devices``, or one of the failure conditions is, after which it takes
the allocation back. For mock devices the controller says so: at once, later, or that they have failed, as their profile
and faults have it. It owns these conditions under a field manager of its own, beside what the node's plugin reports
about the same devices. All times count from the allocation, so that a restart changes nothing. What has come true, or
has failed, stays so until the claim is deallocated, which removes it.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.resource import v1
from fake_dra_driver.driver.objectstatus.statuswriter import StatusApplier
from fake_dra_driver.driver.reason import BINDING_FAILED
from fake_dra_driver.runtime import Controller, EventSink, Informer, NotFoundError, Reconciler, Request, Result, utc_now

__all__ = ["READY_AT_ONCE", "BindingPlan", "BindingReconciler", "PlanOf"]

_WAITING: Final = "binding"
"""Index of the cache of claims: those with devices that are not ready yet."""
_MAX_MESSAGE: Final = 1024

log = logger.bind(component="binding")


@dataclass(frozen=True, slots=True)
class BindingPlan:
    """What becomes of the binding conditions of a device."""

    delay: timedelta = timedelta()
    """How long after the allocation it comes to that."""
    failure: str = ""
    """Message of the failure condition that then comes true; empty: the device becomes ready."""
    because: str = ""
    """Which objects say so, for people."""
    until: datetime | None = None
    """When something else may become of them; None: when the objects change."""


READY_AT_ONCE: Final = BindingPlan()

PlanOf = Callable[[v1.DeviceRequestAllocationResult], Awaitable[BindingPlan]]
"""What becomes of a device that was allocated. Raises RetryError as long as that is not known."""


class BindingReconciler(Reconciler):
    """Reconciles the binding conditions of one claim.

    Args:
        client: writes them; the cache must see its writes at once.
        claims: the cache of claims, with what is reported about devices that have binding conditions.
        driver: whose devices count.
        plan_of: says what becomes of a device.
        events: tells people about failures.
        now: the wall clock.
    """

    def __init__(
        self,
        client: StatusApplier,
        claims: Informer[v1.ResourceClaim],
        driver: str,
        plan_of: PlanOf,
        events: EventSink,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._claims = claims
        self._driver = driver
        self._plan_of = plan_of
        self._events = events
        self._now = now
        self._controller = Controller("bindingconditions", self)
        claims.add_index(_WAITING, lambda claim: (_WAITING,) if self._is_waiting(claim) else ())
        self._controller.watch(claims, predicate=lambda change: change.new is not None and self._is_waiting(change.new))

    @property
    def controller(self) -> Controller:
        """Runs it."""
        return self._controller

    def plans_changed(self) -> None:
        """Has all claims that wait looked at again."""
        for claim in self._claims.by_index(_WAITING, _WAITING):
            self._controller.enqueue(claim.key)

    @override
    async def reconcile(self, request: Request) -> Result:
        claim = self._claims.get(request)
        if claim is None or claim.is_deleting or not self._is_waiting(claim):
            return Result()
        found = [await self._look_at(claim, result) for result in self._results(claim)]
        if any(each.conditions != each.before for each in found):
            await self._write(claim, found)
            self._tell(claim, found)
        due = min((each.due for each in found if each.due is not None), default=None)
        return Result() if due is None else Result(requeue_after=(due - self._now()).total_seconds())

    def _results(self, claim: v1.ResourceClaim) -> Sequence[v1.DeviceRequestAllocationResult]:
        """The devices of the driver that have binding conditions."""
        allocation = claim.status.allocation
        results = () if allocation is None else allocation.devices.results
        return [each for each in results if each.driver == self._driver and each.binding_conditions]

    def _is_waiting(self, claim: v1.ResourceClaim) -> bool:
        return any(not _is_settled(result, _conditions_of(claim, result)) for result in self._results(claim))

    async def _look_at(self, claim: v1.ResourceClaim, result: v1.DeviceRequestAllocationResult) -> "_DeviceOutcome":
        there = _conditions_of(claim, result)
        if _is_settled(result, there):
            return _DeviceOutcome(result, there, there)
        plan, now = await self._plan_of(result), self._now()
        allocated_at = claim.status.allocation.allocation_timestamp if claim.status.allocation is not None else None
        # Servers before 1.36 may leave the time out, and then there is nothing to count from.
        due = None if allocated_at is None or allocated_at + plan.delay <= now else allocated_at + plan.delay
        wanted = tuple(_timed(each, there, now) for each in _stated(result, plan, due))
        return _DeviceOutcome(result, there, wanted, None if due is None else min(due, plan.until or due))

    async def _write(self, claim: v1.ResourceClaim, found: Sequence["_DeviceOutcome"]) -> None:
        """Raises ConflictError when the claim has changed: it may be another allocation by now."""
        body = {
            "metadata": {"uid": claim.uid, "resourceVersion": claim.metadata.resource_version},
            # All of them: what is left out would be taken back.
            "status": {"devices": [each.status().to_wire() for each in found if each.conditions]},
        }
        manager = f"{self._driver}-binding"
        try:
            await self._client.apply(
                type(claim), claim.key, body, field_manager=manager, force=True, subresource="status"
            )
        except NotFoundError:
            return
        log.info("Binding conditions written", claim=str(claim.key), claim_uid=claim.uid, devices=len(found))

    def _tell(self, claim: v1.ResourceClaim, found: Sequence["_DeviceOutcome"]) -> None:
        for each in found:
            failed = _failed(each.result, each.conditions)
            if failed is not None and _failed(each.result, each.before) is None:
                message = f"device {each.result.device} of {each.result.pool}: {failed.message}"
                BINDING_FAILED.tell(self._events, claim, message)


@dataclass(frozen=True, slots=True)
class _DeviceOutcome:
    """What there is to say of an allocated device."""

    result: v1.DeviceRequestAllocationResult
    before: tuple[v1.StatusCondition, ...]
    """What has been said."""
    conditions: tuple[v1.StatusCondition, ...]
    due: datetime | None = None
    """When there may be something else to say."""

    def status(self) -> v1.AllocatedDeviceStatus:
        result = self.result
        shared = {} if result.share_id is None else {"share_id": result.share_id}
        return v1.AllocatedDeviceStatus(
            driver=result.driver, pool=result.pool, device=result.device, conditions=self.conditions, **shared
        )


def _conditions_of(claim: v1.ResourceClaim, result: v1.DeviceRequestAllocationResult) -> tuple[v1.StatusCondition, ...]:
    """The binding conditions, and those of failure, that are reported of a device."""
    wanted = (result.driver, result.pool, result.device, result.share_id)
    names = (*result.binding_conditions, *result.binding_failure_conditions)
    return tuple(
        condition
        for each in claim.status.devices
        if (each.driver, each.pool, each.device, each.share_id) == wanted
        for condition in each.conditions or ()
        if condition.type in names
    )


def _is_settled(result: v1.DeviceRequestAllocationResult, conditions: Iterable[v1.StatusCondition]) -> bool:
    true = {each.type for each in conditions if each.status == "True"}
    return true.issuperset(result.binding_conditions) or not true.isdisjoint(result.binding_failure_conditions)


def _failed(
    result: v1.DeviceRequestAllocationResult, conditions: Iterable[v1.StatusCondition]
) -> v1.StatusCondition | None:
    names = result.binding_failure_conditions
    return next((each for each in conditions if each.type in names and each.status == "True"), None)


def _stated(
    result: v1.DeviceRequestAllocationResult, plan: BindingPlan, due: datetime | None
) -> Sequence[v1.StatusCondition]:
    """What is to be said, without the times at which it became so."""
    because = f" ({plan.because})" if plan.because else ""
    if due is not None:
        return _all(result, "False", "Waiting", f"until {due:%Y-%m-%dT%H:%M:%SZ}{because}")
    if plan.failure and result.binding_failure_conditions:
        failure = result.binding_failure_conditions[0]
        message = f"{plan.failure[: _MAX_MESSAGE - len(because)]}{because}"
        return [
            *_all(result, "False", "BindingFailed", f"{failure} is true"),
            v1.StatusCondition(type=failure, status="True", reason="BindingFailed", message=message),
        ]
    return _all(result, "True", "Ready", f"ready {plan.delay.total_seconds():g} s after the allocation{because}")


def _all(
    result: v1.DeviceRequestAllocationResult, status: str, reason: str, message: str
) -> Sequence[v1.StatusCondition]:
    return [
        v1.StatusCondition(type=name, status=status, reason=reason, message=message)
        for name in result.binding_conditions
    ]


def _timed(wanted: v1.StatusCondition, there: Iterable[v1.StatusCondition], now: datetime) -> v1.StatusCondition:
    """The condition with the time at which its status became what it is."""
    same = next((each for each in there if (each.type, each.status) == (wanted.type, wanted.status)), None)
    since = None if same is None else same.last_transition_time
    return wanted.model_copy(update={"last_transition_time": since or now.replace(microsecond=0)})
