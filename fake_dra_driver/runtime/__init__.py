"""A framework for Kubernetes controllers: controller-runtime's ideas on asyncio and kr8s. It knows nothing of DRA.

A program is a handful of parts, and a manager that starts and stops them::

    API server <── client ──> cache (informers) ──> source ──> work queue ──> controller ──> your reconciler
        ^             ^          list and watch     mapper,      one entry      workers         │
        │             │                             predicate    a key                          │
        │             ├──────────── writes, and kr8s through client.api ────────────────────────┤
        └─────────────────────────── events <── event recorder <────────────────────────────────┘

A minimal one::

    import kr8s.asyncio

    from fake_dra_driver.api.kube.core import Pod
    from fake_dra_driver.runtime import Controller, EventRecorder, HealthServer, Manager, Metrics, setup_logging

    setup_logging()
    metrics = Metrics()
    healthz = HealthServer(":8080", metrics=metrics)
    manager = await Manager.of(await kr8s.asyncio.api(), user_agent="example", metrics=metrics, healthz=healthz)
    events = EventRecorder(manager.client, "example", metrics=metrics)
    manager.use_events(events)
    pods = manager.cache.informer(Pod)
    controller = Controller("pod", PodReconciler(manager.client, pods, events), workers=4)
    controller.watch(pods)
    manager.add_controller(controller)
    await manager.run()

The objects of kr8s, such as the Pod of ``kr8s.asyncio.objects`` (not the typed one above), work in a reconciler on the
client's session (``kubeapi`` says how): ``await Pod.get("web", namespace="default", api=client.api)``. Credentials,
caches, queues, typed writes and HTTP are not kr8s'. ``Client.connect`` is for a program in a pod that wants none of it.

Start: healthz, events, caches (waits until each is synced), runnables, then, once this process leads, controllers; a
runnable that needs no cache does not wait for any. Stop, on SIGTERM, SIGINT or the failure of a part: controllers
(passes under way get to finish), the lease, runnables, caches, healthz, then the events that are still queued, then the
client. All within the grace period; without any when the lease is lost.

Import from here what ``__all__`` names; it is loaded when it is first asked for, since each module is memory in every
process. ``runtime.patch`` has the operations of JSON patches. The modules inside may change.

Where to read on, from the outside in: ``reconcile`` is what you implement; ``controller`` says what your return values
and errors lead to; ``errors`` which errors there are; ``client`` and ``cache`` what you call; ``manager`` the life of a
program, and ``leaderelection`` which of several works. Between watch and worker: ``source``, ``workqueue``,
``ratelimiter``. Inside the cache: ``informer``, ``store``, ``reflector``, ``listwatch``. Inside the client: ``rest``,
``session``, ``transport``, ``credentials`` (with ``kubeconfig``, ``proxy``, ``clienttls``), ``connectionfailure``,
``patch``, ``discovery``; and for kr8s ``kubeapi``, ``kubeerrors``, ``httpxtransport``. Inside ``events``:
``correlator``. What people see: ``metrics`` (each said once in ``metricfamily``), ``healthz``, ``log``. What the API
server calls: ``httpsserver``, with ``servercertificate``. What bounds strangers: ``webserver``, ``acceptor``,
``listening``. Used by all: ``clock``, ``task``, ``backoff``. For programs: ``garbage``, ``keyedlock``.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.runtime.backoff import Backoff
    from fake_dra_driver.runtime.cache import Cache
    from fake_dra_driver.runtime.client import Client, ListResult
    from fake_dra_driver.runtime.clock import loop_time, utc_now
    from fake_dra_driver.runtime.controller import Controller
    from fake_dra_driver.runtime.discovery import Discovery, ServedGroup
    from fake_dra_driver.runtime.errors import (
        AlreadyExistsError,
        ApiError,
        ConflictError,
        CredentialsError,
        DeadlineError,
        ForbiddenError,
        GoneError,
        InvalidError,
        InvalidObjectError,
        NotFoundError,
        PatchTestFailedError,
        RetryError,
        RuntimeLayerError,
        ServerError,
        TerminalError,
        TransportError,
        UnusableAnswerError,
    )
    from fake_dra_driver.runtime.events import EventRecorder, EventSink
    from fake_dra_driver.runtime.garbage import spare_long_lived
    from fake_dra_driver.runtime.healthz import HealthServer
    from fake_dra_driver.runtime.httpsserver import HttpAnswer, HttpsServer
    from fake_dra_driver.runtime.informer import Informer
    from fake_dra_driver.runtime.keyedlock import KeyedLock
    from fake_dra_driver.runtime.kubeapi import find_api
    from fake_dra_driver.runtime.leaderelection import LeaderElector, LeaseLostError, LeaseTiming, identity
    from fake_dra_driver.runtime.log import setup_logging
    from fake_dra_driver.runtime.manager import Manager
    from fake_dra_driver.runtime.metricfamily import CounterFamily, GaugeFamily, HistogramFamily
    from fake_dra_driver.runtime.metrics import Metrics
    from fake_dra_driver.runtime.ratelimiter import ExponentialRateLimiter, RateLimiter, default_rate_limiter
    from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
    from fake_dra_driver.runtime.servercertificate import ServerCertificate
    from fake_dra_driver.runtime.session import RequestLimiter
    from fake_dra_driver.runtime.source import Mapper, Predicate, Source
    from fake_dra_driver.runtime.store import Change

__all__ = [
    "AlreadyExistsError",
    "ApiError",
    "Backoff",
    "Cache",
    "Change",
    "Client",
    "ConflictError",
    "Controller",
    "CounterFamily",
    "CredentialsError",
    "DeadlineError",
    "Discovery",
    "EventRecorder",
    "EventSink",
    "ExponentialRateLimiter",
    "ForbiddenError",
    "GaugeFamily",
    "GoneError",
    "HealthServer",
    "HistogramFamily",
    "HttpAnswer",
    "HttpsServer",
    "Informer",
    "InvalidError",
    "InvalidObjectError",
    "KeyedLock",
    "LeaderElector",
    "LeaseLostError",
    "LeaseTiming",
    "ListResult",
    "Manager",
    "Mapper",
    "Metrics",
    "NotFoundError",
    "PatchTestFailedError",
    "Predicate",
    "RateLimiter",
    "Reconciler",
    "Request",
    "RequestLimiter",
    "Result",
    "RetryError",
    "RuntimeLayerError",
    "ServedGroup",
    "ServerCertificate",
    "ServerError",
    "Source",
    "TerminalError",
    "TransportError",
    "UnusableAnswerError",
    "default_rate_limiter",
    "find_api",
    "identity",
    "loop_time",
    "setup_logging",
    "spare_long_lived",
    "utc_now",
]

_MODULES: Final = {
    "Backoff": "backoff",
    "Cache": "cache",
    "Client": "client",
    "ListResult": "client",
    "loop_time": "clock",
    "utc_now": "clock",
    "Controller": "controller",
    "Discovery": "discovery",
    "ServedGroup": "discovery",
    "AlreadyExistsError": "errors",
    "ApiError": "errors",
    "ConflictError": "errors",
    "CredentialsError": "errors",
    "DeadlineError": "errors",
    "ForbiddenError": "errors",
    "GoneError": "errors",
    "InvalidError": "errors",
    "InvalidObjectError": "errors",
    "NotFoundError": "errors",
    "PatchTestFailedError": "errors",
    "RetryError": "errors",
    "RuntimeLayerError": "errors",
    "ServerError": "errors",
    "TerminalError": "errors",
    "TransportError": "errors",
    "UnusableAnswerError": "errors",
    "EventRecorder": "events",
    "EventSink": "events",
    "spare_long_lived": "garbage",
    "HealthServer": "healthz",
    "HttpAnswer": "httpsserver",
    "HttpsServer": "httpsserver",
    "Informer": "informer",
    "KeyedLock": "keyedlock",
    "find_api": "kubeapi",
    "LeaderElector": "leaderelection",
    "LeaseLostError": "leaderelection",
    "LeaseTiming": "leaderelection",
    "identity": "leaderelection",
    "setup_logging": "log",
    "Manager": "manager",
    "CounterFamily": "metricfamily",
    "GaugeFamily": "metricfamily",
    "HistogramFamily": "metricfamily",
    "Metrics": "metrics",
    "ExponentialRateLimiter": "ratelimiter",
    "RateLimiter": "ratelimiter",
    "default_rate_limiter": "ratelimiter",
    "Reconciler": "reconcile",
    "Request": "reconcile",
    "Result": "reconcile",
    "ServerCertificate": "servercertificate",
    "RequestLimiter": "session",
    "Mapper": "source",
    "Predicate": "source",
    "Source": "source",
    "Change": "store",
}
"""Where each name is."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
