"""Gives each namespace its service account ``default``, which admission puts into pods that name none.

Follows k8s.io/kubernetes/pkg/controller/serviceaccount (serviceaccounts_controller.go).
"""

import contextlib
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.cluster.controllers.podcontrol import is_namespace_going
from fake_dra_driver.cluster.kinds import Namespace, ServiceAccount
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import AlreadyExistsError, ApiError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["ServiceAccountReconciler", "service_account_controller"]

_NAME: Final = "default"


class ServiceAccountReconciler(Reconciler):
    """Reconciles the service account of one namespace."""

    def __init__(self, client: Client, namespaces: Informer[Namespace], accounts: Informer[ServiceAccount]) -> None:
        self._client = client
        self._namespaces = namespaces
        self._accounts = accounts

    @override
    async def reconcile(self, request: Request) -> Result:
        namespace = self._namespaces.get(request)
        key = NamespacedName(request.name, _NAME)
        if namespace is None or namespace.is_deleting or self._accounts.get(key) is not None:
            return Result()
        metadata = ObjectMeta(name=key.name, namespace=key.namespace)
        try:
            with contextlib.suppress(AlreadyExistsError):
                await self._client.create(ServiceAccount(metadata=metadata))
        except ApiError as error:
            if not is_namespace_going(error):
                raise
        return Result()


def service_account_controller(client: Client, cache: Cache) -> Controller:
    """The controller of service accounts."""
    namespaces, accounts = cache.informer(Namespace), cache.informer(ServiceAccount)
    controller = Controller("serviceaccount", ServiceAccountReconciler(client, namespaces, accounts))
    controller.watch(namespaces, predicate=lambda change: change.new is not None)
    controller.watch(
        accounts,
        lambda change: [NamespacedName("", change.key.namespace)],
        predicate=lambda change: change.new is None and change.key.name == _NAME,
    )
    return controller
