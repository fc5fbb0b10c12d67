"""The scheduler for classic DRA (Kubernetes 1.27 to 1.30), which negotiates with drivers through PodSchedulingContexts.

A pod goes through one cycle for each attempt (``decision``, a pure function):

- its claims must exist and be usable (``podclaims``),
- nodes are filtered: as for any pod (``nodefilter``, ``cluster.noderesources``), what drivers have ruled out, and where
  claims that are allocated can be used,
- no node is left: the deallocation of a claim that is allocated elsewhere, and that no pod uses, is requested,
- claims wait for a driver: the PodSchedulingContext lists the nodes in question and selects one; with several claims
  not before each has an answer (``claimwriter``),
- none waits: the claims are reserved for the pod, and it is bound.

Not here: the structured parameters of 1.30.
"""

from collections.abc import Sequence
from functools import partial

from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod, ResourceClass
from fake_dra_driver.cluster.scheduler.attempts import MAX_SECONDS, Attempts
from fake_dra_driver.cluster.scheduler.classic.claimwriter import ClaimWriter
from fake_dra_driver.cluster.scheduler.classic.scheduler import PodScheduler, SchedulerCaches
from fake_dra_driver.cluster.scheduler.classic.selectednodes import note_selected_node
from fake_dra_driver.cluster.scheduler.classic.wakeup import Wakeup
from fake_dra_driver.cluster.scheduler.load import Load
from fake_dra_driver.cluster.scheduler.podwriter import PodWriter
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.ratelimiter import BASE_SECONDS, ExponentialRateLimiter
from fake_dra_driver.runtime.reconcile import Request

__all__ = ["make_classic_scheduler"]

_WORKERS = 16
"""Pods whose decisions are written at once; parallelism of kube-scheduler."""


def make_classic_scheduler(client: Client, cache: Cache, pods: PodWriter, scheduler_name: str) -> Sequence[Controller]:
    """The controller that schedules the pods which ask for a scheduler of that name. Nothing runs yet."""
    caches = SchedulerCaches(
        cache.informer(Pod),
        cache.informer(Node),
        cache.informer(ResourceClaim),
        cache.informer(ResourceClass),
        cache.informer(PodSchedulingContext),
    )
    load = Load()
    caches.pods.subscribe(load.on_pod)
    caches.contexts.subscribe(partial(note_selected_node, load))
    wakeup = Wakeup(scheduler_name, caches)
    scheduler = PodScheduler(scheduler_name, caches, ClaimWriter(client), pods, load, Attempts())
    caches.pods.subscribe(scheduler.forget)
    caches.nodes.subscribe(scheduler.on_node)
    limiter: ExponentialRateLimiter[Request] = ExponentialRateLimiter(BASE_SECONDS, MAX_SECONDS)
    controller = Controller("scheduler", scheduler, workers=_WORKERS, rate_limiter=limiter)
    scheduler.wake_by(controller.enqueue)
    wakeup.watch(controller)
    return (controller,)
