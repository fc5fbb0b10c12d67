"""Reports on the devices of claims, in ``status.devices`` of the claims themselves (KEP-4817).

A driver says of each device that it has prepared what a person wants to know: whether it is ready, and data such as its
UUID. Nothing reads the reports to decide anything, so they never hold up an answer to the kubelet: they are written
behind, by server-side apply under the driver's name, which leaves the entries and conditions of others alone. Reports
that come close together share a write, and a claim that says it all already costs none.

Entries go away with the allocation: the API server drops them when it is cleared. For a claim that is made for one pod
that is all there is to do. Another claim may stay allocated, for a pod that starts later or on account of a controller
that is away; its entries are withdrawn after a while.

What cannot be written is said once: a feature gate that is off drops the entries without a word, a missing permission
(from Kubernetes 1.36 on there is one of its own, ``resourceclaims/driver``) refuses them. A driver has one pool on a
node, and a claim is prepared on one node at a time: the node that has reported last is the one whose entries there are,
and one that it was on before takes nothing of them back.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any, Final, Literal, Protocol, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.runtime.clock import utc_now
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import (
    BadRequestError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RequestTooLargeError,
)
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["DeviceStatusWriter", "StatusClient", "not_ready", "ready", "status_of"]

K = TypeVar("K", bound=KubeObject)
log = logger.bind(component="devicestatus")

WRITE_DELAY_SECONDS: Final = 0.2
"""Before a report is written, so that the answers to the kubelet are under way first, and reports can be collected."""
WITHDRAW_DELAY_SECONDS: Final = 30.0
"""Before entries are withdrawn: by then the allocation is usually cleared, or another pod uses the claim."""
GATE: Final = "DRAResourceClaimDeviceStatus"
"""Off by default in Kubernetes 1.32, on from 1.33."""

_Topic = Literal["gate", "write", "data"]
_NOT_ALLOCATED: Final = re.compile(r"status\.devices\[\d+\]")
"""The field of a 422 about an entry itself, whose device the claim was not allocated, or is not any more."""


class StatusClient(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[K], key: NamespacedName, *, timeout_seconds: float | None = None) -> K:
        """Reads an object from the API server."""
        ...

    async def apply(
        self,
        kind: type[K],
        key: NamespacedName,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = False,
        subresource: str | None = None,
        timeout_seconds: float | None = None,
    ) -> K:
        """Server-side apply."""
        ...


def ready(reason: str, message: str = "") -> v1.StatusCondition:
    """The condition of a device that containers can use."""
    return v1.StatusCondition(type="Ready", status="True", reason=reason, message=message)


def not_ready(reason: str, message: str) -> v1.StatusCondition:
    """The condition of a device that containers cannot use."""
    return v1.StatusCondition(type="Ready", status="False", reason=reason, message=message)


def status_of(
    result: v1.DeviceRequestAllocationResult,
    *conditions: v1.StatusCondition,
    data: Mapping[str, Any] | None = None,
) -> v1.AllocatedDeviceStatus:
    """What there is to report about an allocated device.

    Args:
        result: the device.
        conditions: without times, which are the writer's business. Of the same types each time.
        data: what else to say, at most 10 KiB of JSON.
    """
    fields: dict[str, Any] = {"driver": result.driver, "pool": result.pool, "device": result.device}
    if result.share_id is not None:
        fields["share_id"] = result.share_id
    if data is not None:
        fields["data"] = data
    return v1.AllocatedDeviceStatus(**fields, conditions=conditions)


@dataclass(frozen=True, slots=True)
class _Report:
    """What is to be in a claim's status, and what is there."""

    uid: UID
    pool: str
    """Of the node that reports."""
    devices: tuple[v1.AllocatedDeviceStatus, ...]
    """The driver's entries, with the times of their conditions; none: they are to be withdrawn."""
    known: tuple[v1.AllocatedDeviceStatus, ...] = ()
    """The driver's entries as the API server had them at ``version``."""
    version: int = 0
    """A resourceVersion of the claim."""
    goes_with_pod: bool = False
    """Whether the claim was made for one pod, and is deallocated with it."""


class DeviceStatusWriter(Reconciler):
    """Writes the reports of one driver. ``controller`` is for the manager.

    Args:
        client: writes them.
        api: in the version that the cluster serves.
        driver: name of the driver, and of the field manager.
        pool: of the node; entries for devices of another pool are those of another node. None: this writes for many
            nodes, and is told of which one each time.
        on_problem: gets a sentence when reports cannot be written as they are, once for each sort of problem.
        now: the time, for conditions.
        program: in which it runs, for people.
        workers: how many claims are written at once.
    """

    def __init__(
        self,
        client: StatusClient,
        api: ResourceApi,
        driver: str,
        pool: str | None,
        on_problem: Callable[[str], None],
        now: Callable[[], datetime] = utc_now,
        *,
        program: str = "kubelet plugin",
        workers: int = 2,
    ) -> None:
        self._client = client
        self._api = api
        self._driver = driver
        self._pool = pool
        self._on_problem = on_problem
        self._now = now
        self._program = program
        self._reports: dict[Request, _Report] = {}
        """By claim: those that are prepared, or whose entries are to be withdrawn."""
        self._is_dropped = False
        """Whether the API server drops what is written. Asked again after a restart only: gates need one of the API
        server, and the devices of a running pod are not worth a request that is in vain."""
        self._said: set[_Topic] = set()
        """Problems that have been said; that of writing until one succeeds."""
        self.controller = Controller("devicestatus", self, workers=workers)

    def report(self, claim: v1.ResourceClaim, devices: Sequence[v1.AllocatedDeviceStatus]) -> None:
        """Has the claim say this about its devices of this driver, and nothing else. Returns at once.

        Args:
            claim: as it was read last.
            devices: all of the driver's devices that the claim has on the node, at least one.
        """
        if self._is_dropped:
            return
        pool = devices[0].pool
        known, version = self._of_pool(pool, claim), _version_of(claim)
        before = self._reports.get(claim.key)
        if before is not None and (before.uid, before.pool) == (claim.uid, pool) and before.version > version:
            # A write was answered after the claim was read.
            known, version = before.known, before.version
        timed = tuple(self._timed(self._short(device), known) for device in devices)
        goes_with_pod = any(owner.kind == "Pod" for owner in claim.metadata.owner_references)
        self._reports[claim.key] = report = _Report(claim.uid, pool, timed, known, version, goes_with_pod)
        if not _is_written(report):
            self.controller.enqueue(claim.key, after=WRITE_DELAY_SECONDS)

    def update(self, key: NamespacedName, uid: UID, devices: Sequence[v1.AllocatedDeviceStatus]) -> None:
        """Has a claim that was reported on say this about its devices now. Returns at once.

        Does nothing for one that was not, since nothing is known of it, nor for one whose devices are withdrawn.
        """
        before = self._reports.get(key)
        if before is None or before.uid != uid or not before.devices:
            return
        timed = tuple(self._timed(self._short(device), before.known) for device in devices)
        self._reports[key] = replace(before, devices=timed)
        if not _is_written(self._reports[key]):
            self.controller.enqueue(key, after=WRITE_DELAY_SECONDS)

    def withdraw(self, key: NamespacedName, uid: UID, pool: str | None = None) -> None:
        """The claim is not prepared any more on a node. Returns at once.

        Args:
            key: of the claim.
            uid: the same.
            pool: of the node; None: the one that this is for.
        """
        pool = pool or self._pool or ""
        before = self._reports.get(key)
        if before is None:
            before = _Report(uid, pool, ())  # from before this program was started
        if before.uid != uid:
            return  # another claim has its name, and is prepared: nothing is left of this one
        if before.pool != pool:
            return  # it is prepared on another node by now, or was: the entries of this one went with the allocation
        if self._is_dropped or before.goes_with_pod:
            self._reports.pop(key, None)
            return
        self._reports[key] = replace(before, devices=())
        self.controller.enqueue(key, after=WITHDRAW_DELAY_SECONDS)

    def forget(self, pool: str) -> None:
        """Another speaks for the node of that pool, or it is gone: nothing more is said of it. Returns at once."""
        for key in [key for key, report in self._reports.items() if report.pool == pool]:
            del self._reports[key]

    @override
    async def reconcile(self, request: Request) -> Result:
        report = self._reports.get(request)
        if report is None or _is_written(report):
            return Result()
        answer = await (self._write(request, report) if report.devices else self._withdraw(request, report))
        self._settle(request, report, answer)
        return Result()

    async def _withdraw(self, request: Request, report: _Report) -> v1.ResourceClaim | None:
        """The claim without the entries; None when it has none. Raises as ``_write``."""
        try:
            claim = await self._client.get(self._api.claims, request)
        except NotFoundError:
            return None
        if claim.uid != report.uid or not self._of_pool(report.pool, claim):
            return None
        # In this version only: as soon as it is allocated on another node, it has the entries of the plugin there.
        return await self._write(request, report, claim.metadata.resource_version)

    async def _write(self, request: Request, report: _Report, version: str = "") -> v1.ResourceClaim | None:
        """The claim as the API server has it now; None when there is nothing to say about it any more.

        Raises:
            ConflictError: the claim is not in this version any more.
            RuntimeLayerError: what may heal by itself.
        """
        metadata = {"uid": report.uid, **({"resourceVersion": version} if version else {})}
        body = {"metadata": metadata, "status": {"devices": [each.to_wire() for each in report.devices]}}
        try:
            answer = await self._client.apply(
                self._api.claims, request, body, field_manager=self._driver, force=True, subresource="status"
            )
        except NotFoundError:
            return None
        except (InvalidError, ForbiddenError, BadRequestError, RequestTooLargeError) as error:
            if not _is_outdated(error):
                self._say("write", f"devices cannot be reported on their claims: {error}")
            return None
        if report.devices and not self._of_pool(report.pool, answer):
            self._is_dropped = True
            self._reports.clear()
            self._say(
                "gate",
                f"devices are not reported on their claims, since the API server drops status.devices: switch on its "
                f"feature gate {GATE}, and restart the {self._program}",
            )
            return None
        self._said.discard("write")
        return answer

    def _settle(self, request: Request, report: _Report, answer: v1.ResourceClaim | None) -> None:
        """Notes what came of a report, which may have been replaced meanwhile."""
        latest = self._reports.get(request)
        if latest is report and (answer is None or not report.devices):
            del self._reports[request]
        elif latest is not None and answer is not None and latest.uid == answer.uid:
            learned = replace(latest, known=self._of_pool(latest.pool, answer), version=_version_of(answer))
            self._reports[request] = learned
            if latest is not report and not _is_written(learned):
                self.controller.enqueue(request)  # it may have been taken for written before this write

    def _of_pool(self, pool: str, claim: v1.ResourceClaim) -> tuple[v1.AllocatedDeviceStatus, ...]:
        """The driver's entries for devices of a pool."""
        devices = claim.status.devices
        return tuple(device for device in devices if (device.driver, device.pool) == (self._driver, pool))

    def _timed(
        self, device: v1.AllocatedDeviceStatus, known: Sequence[v1.AllocatedDeviceStatus]
    ) -> v1.AllocatedDeviceStatus:
        """The entry with the time at which each condition became what it is."""
        there = [each.conditions or () for each in known if _identity(each) == _identity(device)]
        before = {condition.type: condition for condition in chain.from_iterable(there)}
        conditions = []
        for condition in device.conditions or ():
            previous = before.get(condition.type)
            since = previous.last_transition_time if previous and previous.status == condition.status else None
            time = since or self._now().replace(microsecond=0)  # whole seconds, as the API has them
            conditions.append(condition.model_copy(update={"last_transition_time": time}))
        return device.model_copy(update={"conditions": tuple(conditions)})

    def _short(self, device: v1.AllocatedDeviceStatus) -> v1.AllocatedDeviceStatus:
        """The entry, without data that the API server would refuse it for."""
        text = json.dumps(device.data, separators=(",", ":"))
        if len(text) <= v1.MAX_DATA_BYTES:
            return device.model_copy(update={"data": json.loads(text)})  # as it comes back, to be compared
        self._say(
            "data",
            f"data of device {device.device} in pool {device.pool} is left out of its report: it has {len(text)} "
            f"bytes, at most {v1.MAX_DATA_BYTES} are allowed",
        )
        return device.model_copy(update={"data": None})

    def _say(self, about: _Topic, problem: str) -> None:
        if about not in self._said:
            self._said.add(about)
            log.warning("Devices are not fully reported on their claims", error=problem)
            self._on_problem(problem)


def _version_of(claim: v1.ResourceClaim) -> int:
    version = claim.metadata.resource_version
    return int(version) if version.isdecimal() else 0


def _identity(device: v1.AllocatedDeviceStatus) -> tuple[str, str, str | None]:
    return device.pool, device.device, device.share_id


def _is_written(report: _Report) -> bool:
    """Whether the API server is known to have the entries. Conditions of other managers in them do not count."""
    if not report.devices:
        return False
    known = {_identity(device): device for device in report.known}
    return known.keys() == {_identity(device) for device in report.devices} and all(
        _says(known[_identity(device)], device) for device in report.devices
    )


def _says(there: v1.AllocatedDeviceStatus, wanted: v1.AllocatedDeviceStatus) -> bool:
    conditions = {condition.type: condition for condition in there.conditions or ()}
    return (there.data, there.network_data) == (wanted.data, wanted.network_data) and all(
        conditions.get(condition.type) == condition for condition in wanted.conditions or ()
    )


def _is_outdated(error: InvalidError | ForbiddenError | BadRequestError | RequestTooLargeError) -> bool:
    """Whether it is the claim that is not what it was: another one of its name, or its devices are not allocated."""
    causes = error.details.get("causes")
    fields = [str(cause.get("field")) for cause in causes if isinstance(cause, Mapping)] if causes else []
    return "metadata.uid" in fields or any(_NOT_ALLOCATED.fullmatch(field) for field in fields)
