"""Gives each namespace the ConfigMap ``kube-root-ca.crt``: what containers trust when they talk to the API server.

Follows k8s.io/kubernetes/pkg/controller/certificates/rootcacertpublisher. What pods mount beside their token is this.
"""

import contextlib
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.cluster.controllers.podcontrol import is_namespace_going
from fake_dra_driver.cluster.kinds import ConfigMap, Namespace
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import AlreadyExistsError, ApiError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["RootCertificateReconciler", "root_certificate_publisher"]

_NAME: Final = "kube-root-ca.crt"
_KEY: Final = "ca.crt"
_DESCRIPTION: Final = {
    "kubernetes.io/description": (
        "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
        "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
        "Kubernetes clusters."
    )
}


class RootCertificateReconciler(Reconciler):
    """Reconciles the certificate of one namespace."""

    def __init__(
        self, client: Client, namespaces: Informer[Namespace], maps: Informer[ConfigMap], certificate: bytes
    ) -> None:
        self._client = client
        self._namespaces = namespaces
        self._maps = maps
        self._data = {_KEY: certificate.decode()}

    @override
    async def reconcile(self, request: Request) -> Result:
        namespace, key = self._namespaces.get(request), NamespacedName(request.name, _NAME)
        if namespace is None or namespace.is_deleting:
            return Result()
        found = self._maps.get(key)
        try:
            if found is None:
                metadata = ObjectMeta(name=key.name, namespace=key.namespace, annotations=_DESCRIPTION)
                with contextlib.suppress(AlreadyExistsError):
                    await self._client.create(ConfigMap(metadata=metadata, data=self._data))
            elif found.data != self._data:
                await self._client.update(found.model_copy(update={"data": self._data}))
        except ApiError as error:
            if not is_namespace_going(error):
                raise
        return Result()


def root_certificate_publisher(client: Client, cache: Cache, certificate: bytes) -> Controller:
    """The controller of the certificate that containers trust.

    Args:
        client: writes the ConfigMaps.
        cache: on that client.
        certificate: in PEM.
    """
    namespaces = cache.informer(Namespace)
    maps = cache.informer(ConfigMap, field_selector=f"metadata.name={_NAME}")
    controller = Controller("root-ca-cert-publisher", RootCertificateReconciler(client, namespaces, maps, certificate))
    controller.watch(namespaces, predicate=lambda change: change.new is not None)
    controller.watch(maps, lambda change: [NamespacedName("", change.key.namespace)])
    return controller
