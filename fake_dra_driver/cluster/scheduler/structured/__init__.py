"""The scheduler for structured DRA (Kubernetes 1.32 and later), which allocates devices from ResourceSlices itself.

A pod goes through one cycle for each attempt (``decision``, a pure function):

- its claims must exist and be usable (``cluster.podclaims``),
- nodes are filtered: as for any pod (``nodefilter``, ``cluster.noderesources``), where claims that are allocated can be
  used, and by what the allocator can find there for the others, and for extended resources that devices stand for
  (``cluster.extendedresources``),
- no node is left: a claim that is allocated elsewhere, and that no other pod uses, is deallocated,
- else the claims are allocated and reserved for the pod (``claimwriter``), and once the devices are ready
  (``bindingconditions``), it is bound.
"""

import uuid
from collections.abc import Sequence

from fake_dra_driver.allocation.allocator import Allocator
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, TAINT_RULES
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.releases import Release
from fake_dra_driver.cluster.scheduler.attempts import MAX_SECONDS
from fake_dra_driver.cluster.scheduler.load import Load
from fake_dra_driver.cluster.scheduler.podwriter import PodWriter
from fake_dra_driver.cluster.scheduler.structured.claimwriter import ClaimWriter
from fake_dra_driver.cluster.scheduler.structured.features import Features
from fake_dra_driver.cluster.scheduler.structured.scheduler import PodScheduler, Writers
from fake_dra_driver.cluster.scheduler.structured.view import ClusterView, SchedulerCaches
from fake_dra_driver.cluster.scheduler.structured.wakeup import Wakeup
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.ratelimiter import BASE_SECONDS, ExponentialRateLimiter
from fake_dra_driver.runtime.reconcile import Request

__all__ = ["make_structured_scheduler"]

_WORKERS = 16
"""Pods whose decisions are written at once; parallelism of kube-scheduler."""


def make_structured_scheduler(
    client: Client, cache: Cache, pods: PodWriter, release: Release, scheduler_name: str, now: WallClock
) -> Sequence[Controller]:
    """The controller that schedules the pods which ask for a scheduler of that name. Nothing runs yet."""
    api, features, load = RESOURCE_APIS[release.structured_version], Features.of(release), Load()
    caches = SchedulerCaches(
        cache.informer(Pod),
        cache.informer(Node),
        cache.informer(api.claims),
        cache.informer(api.classes),
        cache.informer(api.slices),
        cache.informer(TAINT_RULES[release.taint_rule_version]) if release.taint_rule_version else None,
    )
    caches.pods.subscribe(load.on_pod)
    cluster = ClusterView(caches, Allocator(release.behaviour, new_share_id=lambda: str(uuid.uuid4())), load)
    writers = Writers(ClaimWriter(client, now, features), pods)
    scheduler = PodScheduler(scheduler_name, caches, cluster, writers, features, now)
    caches.pods.subscribe(scheduler.forget)
    limiter: ExponentialRateLimiter[Request] = ExponentialRateLimiter(BASE_SECONDS, MAX_SECONDS)
    controller = Controller("scheduler", scheduler, workers=_WORKERS, rate_limiter=limiter)
    if features.retries_when_idle:
        scheduler.retry_when(lambda: controller.is_idle)
    scheduler.wake_by(controller.enqueue)
    Wakeup(scheduler_name, caches).watch(controller)
    return (controller,)
