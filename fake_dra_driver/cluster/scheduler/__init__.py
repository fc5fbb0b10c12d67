"""The scheduler of the embedded cluster: what kube-scheduler 1.27 to 1.30 does, as far as classic DRA needs it.

A pod goes through one cycle for each attempt (``classic.decision``, a pure function):

- its claims must exist and be usable (``classic.podclaims``),
- nodes are filtered: unschedulable, taints, node selector and affinity (``nodefilter``), what drivers have ruled out,
  and where claims that are allocated can be used,
- no node is left: the deallocation of a claim that is allocated elsewhere, and that no pod uses, is requested,
- claims wait for a driver: the PodSchedulingContext lists the nodes in question and selects one; with several claims
  not before each has an answer (``classic.claimwriter``),
- none waits: the claims are reserved for the pod, and it is bound (``podwriter``).

A pod that could not be placed gets an event and the condition PodScheduled, and rests until something changes that may
help (``wakeup``) and its backoff is over (``attempts``).

Not here: resources such as CPU and memory, ports, volumes, affinity between pods, topology spread, preferences,
preemption, priorities, several profiles, and the structured parameters of 1.30.

To assemble a cluster::

    client = server.client("kube-scheduler")
    cache, events = Cache(client), EventRecorder(client, "default-scheduler")
    manager = Manager(client, cache, events=events, signals=())
    for controller in make_scheduler(client, cache, events):
        manager.add_controller(controller)
    await manager.run()
"""

from collections.abc import Sequence

from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod, ResourceClass
from fake_dra_driver.cluster.scheduler.attempts import MAX_SECONDS, Attempts
from fake_dra_driver.cluster.scheduler.classic.claimwriter import ClaimWriter
from fake_dra_driver.cluster.scheduler.classic.scheduler import PodScheduler, SchedulerCaches
from fake_dra_driver.cluster.scheduler.classic.wakeup import Wakeup
from fake_dra_driver.cluster.scheduler.load import Load
from fake_dra_driver.cluster.scheduler.podwriter import PodWriter
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, utc_now
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.ratelimiter import BASE_SECONDS, ExponentialRateLimiter
from fake_dra_driver.runtime.reconcile import Request

__all__ = ["make_scheduler"]

_WORKERS = 16
"""Pods whose decisions are written at once; parallelism of kube-scheduler."""


def make_scheduler(
    client: Client,
    cache: Cache,
    events: EventRecorder,
    *,
    scheduler_name: str = "default-scheduler",
    now: WallClock = utc_now,
) -> Sequence[Controller]:
    """The scheduler, as controllers for a Manager. Asks ``cache`` for its informers; nothing runs yet.

    Args:
        client: writes everything. Its own, so that the managers of fields can be told apart.
        cache: on that client: a cycle relies on seeing the writes of the one before.
        events: takes the component of the events.
        scheduler_name: pods with another ``spec.schedulerName`` are left alone.
        now: the clock of what people read.
    """
    caches = SchedulerCaches(
        cache.informer(Pod),
        cache.informer(Node),
        cache.informer(ResourceClaim),
        cache.informer(ResourceClass),
        cache.informer(PodSchedulingContext),
    )
    load = Load()
    caches.pods.subscribe(load.on_pod)
    caches.contexts.subscribe(load.on_context)
    wakeup = Wakeup(scheduler_name, caches)
    scheduler = PodScheduler(
        scheduler_name, caches, ClaimWriter(client), PodWriter(client, events, now=now), load, Attempts()
    )
    caches.pods.subscribe(scheduler.forget)
    caches.nodes.subscribe(scheduler.on_node)
    limiter: ExponentialRateLimiter[Request] = ExponentialRateLimiter(BASE_SECONDS, MAX_SECONDS)
    controller = Controller("scheduler", scheduler, workers=_WORKERS, rate_limiter=limiter)
    wakeup.watch(controller)
    return (controller,)
