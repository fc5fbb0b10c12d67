"""The kubelet's side of a DRA plugin's gRPC service, in the versions that a kubelet of that release speaks.

====================  =====================================================================  =================
kubelet               service                                                                deadline
====================  =====================================================================  =================
1.27                  ``v1alpha2.Node``: one claim a call, a failure is a gRPC error         10 s
1.28, 1.29, 1.30      ``v1alpha3.Node``: all claims of a pod in one call, an error for each  45 s
the same              ``v1alpha2.Node`` where the plugin answers UNIMPLEMENTED               45 s
1.32, 1.33            ``v1beta1.DRAPlugin``: as v1alpha3, of structured DRA                  45 s
1.34 and later        ``v1.DRAPlugin`` or that, which the plugin lists first                 45 s
====================  =====================================================================  =================

Follows k8s.io/kubernetes/pkg/kubelet/cm/dra/plugin/client.go. ``claimmanager`` decides what to ask of which plugin, and
when.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import grpc
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.dra.calls import (
    CHANNEL_OPTIONS,
    ClaimRequest,
    Failure,
    PluginDevice,
    PluginService,
    UnimplementedError,
)
from fake_dra_driver.cluster.kubelet.dra.devicehealth import ReportedHealth
from fake_dra_driver.cluster.kubelet.dra.draplugin import v1_service, v1beta1_service
from fake_dra_driver.cluster.kubelet.dra.healthstream import watch_health
from fake_dra_driver.cluster.kubelet.dra.v1alpha2 import V1alpha2Service
from fake_dra_driver.cluster.kubelet.dra.v1alpha3 import V1alpha3Service
from fake_dra_driver.cluster.releases import HealthVersion, PluginVersion, Release

__all__ = ["NodeClient"]

T = TypeVar("T")

_SERVICES: Final[Mapping[PluginVersion, Callable[[grpc.aio.Channel, float], PluginService]]] = {
    "v1alpha2": V1alpha2Service,
    "v1alpha3": V1alpha3Service,
    "v1beta1": v1beta1_service,
    "v1": v1_service,
}


class NodeClient(PluginService):
    """Calls one plugin, in the first of the versions that it offers.

    Args:
        endpoint: path of its socket.
        release: that of the kubelet.
        versions: those to try, in this order; None: those of the release.
        health_version: how it reports the health of its devices; None: it does not.
    """

    def __init__(
        self,
        endpoint: str,
        release: Release,
        versions: Sequence[PluginVersion] | None = None,
        health_version: HealthVersion | None = None,
    ) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix:{endpoint}", options=CHANNEL_OPTIONS)
        self._health_version = health_version
        self._services = [
            _SERVICES[version](self._channel, release.plugin_timeout_seconds)
            for version in versions or release.plugin_versions
        ]

    @override
    async def prepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Sequence[PluginDevice] | Failure]:
        return await self._call(lambda service: service.prepare(claims))

    @override
    async def unprepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Failure | None]:
        return await self._call(lambda service: service.unprepare(claims))

    async def watch_health(self) -> AsyncIterator[Sequence[ReportedHealth]]:
        """The health of all its devices, again and again. Raises PluginError."""
        if self._health_version is None:
            raise UnimplementedError("the plugin has no service for it")
        async for reports in watch_health(self._channel, self._health_version):
            yield reports

    async def close(self) -> None:
        """Closes the connection, which ends calls under way."""
        await self._channel.close()

    async def _call(self, call: Callable[[PluginService], Awaitable[T]]) -> T:
        *preferred, last = self._services
        for service in preferred:
            try:
                return await call(service)
            except UnimplementedError:
                # Not remembered, as in a real kubelet: at the next call the plugin may be a newer one.
                continue
        return await call(last)
