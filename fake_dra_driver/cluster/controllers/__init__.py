"""The controllers of the embedded cluster: what kube-controller-manager 1.27 to 1.37 does, as far as needed here.

- ``claimtemplates`` (with ``boundpods``), ``claimreservations`` (with ``deallocation``): the claims of pods, which pods
  may use them, and what becomes of claims that no pod uses.
- ``deployments`` (with ``rollout`` and ``deploymentstatus``), ``replicasets``, ``daemonsets`` (with ``daemonpods``),
  ``statefulsets`` (with ``statefulpods``); ``revisions``: the templates that the last two had.
- ``jobs`` (with ``jobpods`` and ``jobstatus``), ``jobcleanup``, ``cronjobs``.
- ``garbage`` (with ``graph`` and ``catalog``): deletes objects with their owners; ``namespaces``: with their namespace.
- ``nodelifecycle``: silent nodes and the taints of nodes. ``tainteviction``, ``podgc``: pods on nodes with taints that
  they do not tolerate, or on missing nodes. All three count seconds of the event loop, never those of a node's clock.
- ``devicetainteviction`` (with ``devicetaints`` and ``taintrulestatus``): pods whose devices have taints that they do
  not tolerate, and what DeviceTaintRules say of it.
- ``serviceaccounts``: the account ``default`` of each namespace.

Not here: Services and Endpoints, quotas, volumes, disruption budgets, certificates,
autoscaling, the ConfigMap ``kube-root-ca.crt`` of each namespace.

To assemble a cluster::

    client = server.client("kube-controller-manager")
    cache, events = Cache(client), EventRecorder(client, "kube-controller-manager")
    manager = Manager(client, cache, events=events, signals=())
    for controller in make_controllers(client, cache, events):
        manager.add_controller(controller)
    await manager.run()
"""

from collections.abc import Sequence

from fake_dra_driver.cluster.controllers.catalog import Catalog
from fake_dra_driver.cluster.controllers.claimreservations import claim_reservation_controller
from fake_dra_driver.cluster.controllers.claimtemplates import claims_of_pod_controller
from fake_dra_driver.cluster.controllers.cronjobs import cronjob_controller
from fake_dra_driver.cluster.controllers.daemonsets import daemonset_controller
from fake_dra_driver.cluster.controllers.deployments import deployment_controller
from fake_dra_driver.cluster.controllers.devicetainteviction import device_taint_controllers
from fake_dra_driver.cluster.controllers.garbage import garbage_collector
from fake_dra_driver.cluster.controllers.jobcleanup import job_cleanup_controller
from fake_dra_driver.cluster.controllers.jobs import job_controller
from fake_dra_driver.cluster.controllers.namespaces import GRACE_SECONDS, namespace_controller
from fake_dra_driver.cluster.controllers.nodelifecycle import node_lifecycle_controller
from fake_dra_driver.cluster.controllers.podgc import pod_garbage_collector
from fake_dra_driver.cluster.controllers.replicasets import replicaset_controller
from fake_dra_driver.cluster.controllers.rootcertificate import root_certificate_publisher
from fake_dra_driver.cluster.controllers.serviceaccounts import service_account_controller
from fake_dra_driver.cluster.controllers.statefulsets import statefulset_controller
from fake_dra_driver.cluster.controllers.tainteviction import taint_eviction_controller
from fake_dra_driver.cluster.releases import DEFAULT, Release
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, utc_now
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventRecorder

__all__ = ["make_controllers"]


def make_controllers(
    client: Client,
    cache: Cache,
    events: EventRecorder,
    *,
    release: Release = DEFAULT,
    root_certificate: bytes | None = None,
    namespace_grace_seconds: float = GRACE_SECONDS,
    node_lifecycle: bool = True,
    now: WallClock = utc_now,
) -> Sequence[Controller]:
    """All controllers, for a Manager. Asks ``cache`` for their informers; nothing runs yet.

    Args:
        client: writes everything. Its own, so that the managers of fields can be told apart.
        cache: on that client: the controllers rely on seeing what they have written.
        events: reports Events, each controller's under its own name.
        release: the release to behave like.
        root_certificate: what containers trust when they talk to the API server, in PEM; None: nothing is published.
        namespace_grace_seconds: how long the contents of a namespace outlive its deletion.
        node_lifecycle: whether nodes are monitored; if not, nodes without a kubelet stay as they are.
        now: the clock for timestamps, and for what is counted from one.
    """
    catalog = Catalog(cache, release)
    named = events.reporting_as
    looking_after_nodes = (
        (node_lifecycle_controller(client, cache, named("node-controller"), now),) if node_lifecycle else ()
    )
    publishing = (root_certificate_publisher(client, cache, root_certificate),) if root_certificate else ()
    return (
        claims_of_pod_controller(client, cache, named("resource_claim"), release),
        claim_reservation_controller(client, cache, release),
        deployment_controller(client, cache, named("deployment-controller"), now, release),
        replicaset_controller(client, cache, named("replicaset-controller"), now),
        daemonset_controller(client, cache, named("daemonset-controller"), now),
        statefulset_controller(client, cache, named("statefulset-controller"), now),
        job_controller(client, cache, named("job-controller"), release, now),
        job_cleanup_controller(client, cache, now),
        cronjob_controller(client, cache, named("cronjob-controller"), now),
        garbage_collector(client, catalog),
        namespace_controller(client, cache, catalog, now, grace_seconds=namespace_grace_seconds),
        *looking_after_nodes,
        taint_eviction_controller(client, cache, named("taint-eviction-controller"), now),
        *device_taint_controllers(client, cache, named("device-taint-eviction-controller"), release, now),
        pod_garbage_collector(client, cache, now),
        service_account_controller(client, cache),
        *publishing,
    )
