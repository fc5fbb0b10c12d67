"""When the plugin of a driver is ready on a node: registered with the kubelet, and what it has to say published.

A pod that is scheduled before that finds no devices, or a node whose kubelet knows no such driver, and is tried again
only later. In structured DRA the slices of a driver must be there, all of a pool and of one generation. In classic DRA
it is up to the driver where it keeps its devices: what counts is the NodeAllocationState of drivers that have one, in
the group ``nas.<driver>``, whose status has to be Ready.
"""

from collections.abc import Sequence

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.api.resource.v1 import ResourceSlice
from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.errors import ClusterError, listed, no_such
from fake_dra_driver.cluster.testing.report import describe_drivers
from fake_dra_driver.cluster.testing.waiting import wait

__all__ = ["wait_for_plugin"]

_STATES = "nodeallocationstates"


async def wait_for_plugin(
    cluster: Cluster, driver: str, nodes: Sequence[str], *, has_devices: bool, timeout_seconds: float
) -> None:
    """Waits until the driver's plugin is ready on these nodes.

    Raises:
        ClusterError: there is no such node.
        UnmetError: with what is missing, and the logs of the driver's pods.
    """
    for node in nodes:
        if node not in cluster.nodes:
            raise no_such("node", node, cluster.nodes)

    async def is_ready() -> bool:
        return not await _missing(cluster, driver, nodes, has_devices=has_devices)

    async def explain() -> str:
        missing = await _missing(cluster, driver, nodes, has_devices=has_devices)
        return "\n".join(filter(None, (*(f"  {line}" for line in missing), await describe_drivers(cluster))))

    await wait(cluster, f"{driver} is ready on {listed(nodes)}", is_ready, explain, timeout_seconds)


async def _missing(cluster: Cluster, driver: str, nodes: Sequence[str], *, has_devices: bool) -> Sequence[str]:
    """What there is not yet."""
    embedded = {node.name: node for node in cluster.embedded_nodes()}
    registered = {node: embedded[node].registered_drivers() for node in nodes}
    missing = [
        f"the kubelet of {node} knows no plugin of {driver}; those that have registered: {listed(drivers)}"
        for node, drivers in registered.items()
        if driver not in drivers
    ]
    api = RESOURCE_APIS.get(cluster.release.structured_version)
    if api is None:
        return [*missing, *await _missing_states(cluster, driver, nodes)]
    slices = [each for each in (await cluster.client.list(api.slices)).items if each.spec.driver == driver]
    if has_devices:
        missing += [
            f"{driver} has published no devices of {node}; where there are none to be, say has_devices=False"
            for node in nodes
            if not _is_published([each for each in slices if each.spec.node_name == node])
        ]
    return missing


def _is_published(slices: Sequence[ResourceSlice]) -> bool:
    """Whether these are all slices of the newest generation of a pool."""
    newest = max((each.spec.pool.generation for each in slices), default=0)
    current = [each for each in slices if each.spec.pool.generation == newest]
    return bool(current) and len(current) == current[0].spec.pool.resource_slice_count


async def _missing_states(cluster: Cluster, driver: str, nodes: Sequence[str]) -> Sequence[str]:
    try:
        kind: type[KubeObject] = cluster.kind(f"{_STATES}.nas.{driver}")
    except ClusterError:
        return []  # a driver that keeps its devices elsewhere
    states = {state.metadata.name: state.to_wire().get("status") for state in (await cluster.client.list(kind)).items}
    return [
        f"the NodeAllocationState of {node} {'is ' + str(states[node]) if node in states else 'does not exist'}"
        for node in nodes
        if states.get(node) != "Ready"
    ]
