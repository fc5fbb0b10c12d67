"""Nodes without a kubelet, as KWOK keeps them: a Node with its annotation is Ready, and pods on it seem to run.

Follows the controller of KWOK 0.7 with its default stages (sigs.k8s.io/kwok/kustomize/stage, fast and
heartbeat-with-lease), so that manifests for KWOK do the same here:

- ``nodes``: a node becomes Ready, and its Lease and its heartbeat keep it so,
- ``pods``: a pod runs at once, one of a Job has then succeeded, and a deletion ends at once,
- ``stages``: what is written for that, ``addresses``: the addresses of pods.

Not here: stages of one's own, logs, exec and metrics of such pods.

A node whose Lease another process holds is left to that one, such as a real KWOK.
"""

from collections.abc import Sequence

from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.kwok.nodes import NodeStages
from fake_dra_driver.cluster.kwok.pods import PodStages
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, utc_now
from fake_dra_driver.runtime.controller import Controller

__all__ = ["make_kwok_controllers"]

_WORKERS = 16


def make_kwok_controllers(client: Client, cache: Cache, now: WallClock = utc_now) -> Sequence[Controller]:
    """What takes care of nodes without a kubelet, for a Manager. Asks ``cache`` for informers; nothing runs yet.

    Args:
        client: writes everything.
        cache: on that client.
        now: the clock for timestamps.
    """
    nodes, pods, leases = cache.informer(Node), cache.informer(Pod), cache.informer(Lease)
    node_stages = NodeStages(client, nodes, leases, now)
    pod_stages = PodStages(client, pods, node_stages, now)
    node_controller = Controller("kwok-node", node_stages, workers=_WORKERS)
    node_controller.watch(nodes)
    leases.subscribe(node_stages.on_lease)
    node_stages.on_taken(pod_stages.wake_pods_of)
    pod_controller = Controller("kwok-pod", pod_stages, workers=_WORKERS)
    pods.subscribe(pod_stages.on_pod)
    pod_controller.watch(pods, predicate=pod_stages.concerns)
    pod_stages.wake_by(pod_controller.enqueue)
    return node_controller, pod_controller
