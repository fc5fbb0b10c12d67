"""The scheduler of the embedded cluster: what kube-scheduler does, as far as DRA needs it.

Whichever DRA a release has, nodes are filtered by what makes them unschedulable, taints, node selector and affinity
(``nodefilter``) and by what they have left of CPU, memory and other resources (``cluster.noderesources``), pods are
bound and told why they are not (``podwriter``, ``diagnosis``), and a pod that could not be placed rests until something
changes that may help (``room`` for resources) and its backoff is over (``attempts``). The rest is in ``classic`` and
``structured``, which do not know each other.

Not here: ports, volumes, affinity between pods, topology spread, preferences, preemption, priorities, and several
profiles.

To assemble a cluster::

    client = server.client("kube-scheduler")
    cache, events = Cache(client), EventRecorder(client, "default-scheduler")
    manager = Manager(client, cache, events=events, signals=())
    for controller in make_scheduler(client, cache, events):
        manager.add_controller(controller)
    await manager.run()
"""

from collections.abc import Sequence

from fake_dra_driver.cluster.releases import DEFAULT, Release
from fake_dra_driver.cluster.scheduler.classic import make_classic_scheduler
from fake_dra_driver.cluster.scheduler.podwriter import PodWriter
from fake_dra_driver.cluster.scheduler.structured import make_structured_scheduler
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, utc_now
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventRecorder

__all__ = ["make_scheduler"]


def make_scheduler(
    client: Client,
    cache: Cache,
    events: EventRecorder,
    *,
    release: Release = DEFAULT,
    scheduler_name: str = "default-scheduler",
    now: WallClock = utc_now,
) -> Sequence[Controller]:
    """The scheduler, as controllers for a Manager. Asks ``cache`` for its informers; nothing runs yet.

    Args:
        client: writes everything. Its own, so that the managers of fields can be told apart.
        cache: on that client: a cycle relies on seeing the writes of the one before.
        events: takes the component of the events.
        release: decides which DRA there is, and what differs between releases.
        scheduler_name: pods with another ``spec.schedulerName`` are left alone.
        now: the clock of what people read.
    """
    pods = PodWriter(client, events, now=now)
    if not release.structured_version:
        return make_classic_scheduler(client, cache, pods, scheduler_name)
    return make_structured_scheduler(client, cache, pods, release, scheduler_name, now)
