"""What drivers say about the health of their devices, for the status of the pods that have them (KEP-4680).

Follows healthinfo.go and HandleWatchResourcesStream of k8s.io/kubernetes/pkg/kubelet/cm/dra: one stream for each plugin
that offers the service, opened again five seconds after it has ended, unless the plugin does not implement it; what a
plugin says counts from when it arrives, for as long as it says itself, else for 30 s; when its stream ends, the health
of its devices is unknown. Unlike a real kubelet this one does not keep it on disk: the next message has all of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from loguru import logger

from fake_dra_driver.cluster.kinds import ResourceClaimName
from fake_dra_driver.cluster.kubelet.dra.calls import PluginDevice, PluginError, UnimplementedError
from fake_dra_driver.cluster.kubelet.dra.claimstate import ClaimInfo
from fake_dra_driver.runtime.clock import Clock, loop_time

__all__ = ["MAX_MESSAGE_LENGTH", "REOPEN_SECONDS", "DeviceHealths", "Health", "ReportedHealth", "resources_status"]

log = logger.bind(component="dra")

Health = Literal["Healthy", "Unhealthy", "Unknown"]

REOPEN_SECONDS: Final = 5.0
MAX_MESSAGE_LENGTH: Final = 1024
"""ResourceHealthMessageMaxLength; what is longer is cut."""
_DEFAULT_TIMEOUT_SECONDS: Final = 30.0
"""DefaultHealthTimeout."""
_MAX_DEVICES: Final = 16384
"""maxDevicesPerDriver: a driver that invents names must not fill the memory."""


@dataclass(frozen=True, slots=True)
class ReportedHealth:
    """What a plugin says about a device."""

    pool: str
    device: str
    health: Health
    message: str = ""
    timeout_seconds: float = 0.0
    """How long that counts; 0: as long as the kubelet's default."""


@dataclass(frozen=True, slots=True)
class _Known:
    report: ReportedHealth
    until: float
    """On the clock of ``DeviceHealths``."""


class HealthSource(Protocol):
    """A plugin that can be asked for the health of its devices."""

    def watch_health(self) -> AsyncIterator[Sequence[ReportedHealth]]:
        """The state of all its devices, again and again. Raises PluginError."""
        ...


class DeviceHealths:
    """The health of the devices on a node.

    Args:
        on_change: called with the driver whose devices are not as they were.
        clock: counts seconds.
    """

    def __init__(self, on_change: Callable[[str], None] = lambda _: None, *, clock: Clock = loop_time) -> None:
        self.on_change = on_change
        self._clock = clock
        self._drivers: dict[str, dict[tuple[str, str], _Known]] = {}
        self._streams: dict[asyncio.Timeout, str] = {}
        # The drivers of the streams that are open, by what ends a stream: a deadline, which none has until it is cut.

    def of(self, driver: str, device: PluginDevice) -> tuple[Health, str]:
        """Health of a device, and what the driver has said about it."""
        known = self._drivers.get(driver, {}).get((device.pool, device.device))
        if known is None or self._clock() > known.until:
            return "Unknown", ""
        return known.report.health, known.report.message

    async def follow(self, driver: str, plugin: HealthSource) -> None:
        """Listens to a plugin until cancelled, or until it says that it does not report health."""
        while True:
            try:
                async with self._stream(driver):
                    async for reports in plugin.watch_health():
                        self._update(driver, reports)
            except UnimplementedError:
                log.info("Plugin does not report the health of its devices", driver=driver)
                return
            except (PluginError, TimeoutError) as error:
                log.warning("Stream of health has ended, opening it again", driver=driver, error=str(error))
            finally:
                self._clear(driver)
            await asyncio.sleep(REOPEN_SECONDS)

    @property
    def followed(self) -> Sequence[str]:
        """The drivers whose streams are open."""
        return sorted(set(self._streams.values()))

    def cut(self, driver: str) -> None:
        """Ends the open streams of a driver as if their connections had broken."""
        for deadline in [deadline for deadline, each in self._streams.items() if each == driver]:
            del self._streams[deadline]
            deadline.reschedule(0)

    @asynccontextmanager
    async def _stream(self, driver: str) -> AsyncIterator[None]:
        """Within the block a stream is open. Raises TimeoutError when it is cut."""
        async with asyncio.timeout(None) as deadline:
            self._streams[deadline] = driver
            try:
                yield
            finally:
                self._streams.pop(deadline, None)

    def _update(self, driver: str, reports: Iterable[ReportedHealth]) -> None:
        known, now, has_changed, reported = self._drivers.setdefault(driver, {}), self._clock(), False, set()
        for report in reports:
            key = (report.pool, report.device)
            if key not in known and len(known) >= _MAX_DEVICES:
                log.warning("Plugin reports the health of too many devices; the rest is ignored", driver=driver)
                break
            reported.add(key)
            has_changed |= key not in known or known[key].report != report
            known[key] = _Known(report, now + (report.timeout_seconds or _DEFAULT_TIMEOUT_SECONDS))
        for key in [key for key, each in known.items() if key not in reported and now > each.until]:
            has_changed |= known.pop(key).report.health != "Unknown"
        if has_changed:
            self.on_change(driver)

    def _clear(self, driver: str) -> None:
        if self._drivers.pop(driver, None):
            self.on_change(driver)


def resources_status(
    claims: Iterable[tuple[ResourceClaimName, ClaimInfo]], healths: DeviceHealths, *, with_messages: bool
) -> Sequence[Mapping[str, Any]]:
    """``allocatedResourcesStatus`` of a container, from the claims that it names.

    Args:
        claims: the entries of its ``resources.claims``, with the claims.
        healths: of the node.
        with_messages: whether the release has a field for what drivers say.
    """
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for wanted, claim in claims:
        name = f"claim:{wanted.name}" + (f"/{wanted.request}" if wanted.request else "")
        base_request = wanted.request.partition("/")[0]
        for driver, devices in claim.devices.items():
            for device in devices:
                if device.is_for(base_request):
                    entry = _entry(driver, device, healths, with_messages=with_messages)
                    found.setdefault(name, {}).setdefault(entry["resourceID"], entry)
    return [{"name": name, "resources": list(resources.values())} for name, resources in found.items()]


def _entry(driver: str, device: PluginDevice, healths: DeviceHealths, *, with_messages: bool) -> Mapping[str, Any]:
    health, message = healths.of(driver, device)
    resource = device.cdi_ids[0] if device.cdi_ids else f"{driver}/{device.pool}/{device.device}"
    return {
        "resourceID": resource,
        "health": health,
        **({"message": message} if message and with_messages else {}),
    }
