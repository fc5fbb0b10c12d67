"""How healthy a node's devices are, as the kubelet learns it from the stream of ``DRAResourceHealth``.

A driver reports the state of its devices whenever it changes (``HealthReports``). Each stream that a kubelet has open
(``HealthStreams``) carries the whole state: at once, at each report, and again in between, since the health of a device
that a kubelet hears nothing of is unknown to it after a while. Kubelets show it in the status of pods,
``containerStatuses[].allocatedResourcesStatus`` (feature gate ResourceHealthStatus). What is done about an unhealthy
device is not decided here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

__all__ = ["DeviceHealth", "Health", "HealthReports", "HealthStreams"]

DEFAULT_TIMEOUT_SECONDS: Final = 30
"""What kubelets take where a driver names no time."""

_REPEATS: Final = 6
"""Messages within a device's timeout. A kubelet also forgets all devices of a driver when one of its streams ends, as
that of the old process does in a rolling update: so for five seconds at most."""


class Health(IntEnum):
    """With the numbers that they have on the wire."""

    UNKNOWN = 0
    HEALTHY = 1
    UNHEALTHY = 2


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """The state of one device."""

    pool_name: str
    device_name: str
    health: Health
    since: datetime
    """When this was found out. Kubelets take the time at which they are told."""
    message: str = ""
    """What is wrong with it, for people. Kubelets cut it at 1,024 characters."""
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
    """How long the kubelet may rely on this without hearing of it again, as when the plugin is gone; at least 1."""

    def __post_init__(self) -> None:
        """Raises ValueError for a timeout that has passed at once: the stream would never rest."""
        if self.timeout_seconds < 1:
            raise ValueError(
                f"the timeout of device {self.device_name} is {self.timeout_seconds} s, it must be at least 1"
            )


class HealthReports:
    """What the driver last said about the health of its devices."""

    def __init__(self) -> None:
        self.devices: Sequence[DeviceHealth] | None = None
        """The state of all devices; None before the first report."""
        self._news = asyncio.Event()
        """Set, and then replaced, when those who wait have something to look at."""

    def report(self, devices: Iterable[DeviceHealth]) -> None:
        """All devices are in this state now. The kubelet shows the health of one that is left out as unknown."""
        self.devices = tuple(devices)
        self.wake()

    def wake(self) -> None:
        """Lets all who wait for news look whether there is something."""
        self._news.set()
        self._news = asyncio.Event()

    async def wait(self, timeout_seconds: float | None) -> None:
        """Returns at the next report, when those who wait are woken, or after this time. May return without news."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._news.wait()


class HealthStreams:
    """The streams of one gRPC server, which has to wait for their end when it stops."""

    def __init__(self, reports: HealthReports) -> None:
        self._reports = reports
        self._is_closed = False

    def close(self) -> None:
        """Ends all of them, also those that are yet to be opened."""
        self._is_closed = True
        self._reports.wake()

    async def states(self) -> AsyncIterator[Sequence[DeviceHealth]]:
        """What one stream carries: the state at once, or when it is first reported, then at each report and in between.

        A stream whose reader is slow leaves out states that are no longer true.
        """
        while not self._is_closed:
            sent = self._reports.devices
            if sent is not None:
                yield sent
            if self._reports.devices is sent and not self._is_closed:
                await self._reports.wait(_pause_seconds(sent))


def _pause_seconds(devices: Sequence[DeviceHealth] | None) -> float | None:
    """Until the state has to be said again; None: until there is one."""
    if devices is None:
        return None
    return min((device.timeout_seconds for device in devices), default=DEFAULT_TIMEOUT_SECONDS) / _REPEATS
