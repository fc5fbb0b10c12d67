"""Nodes of KWOK, in pools with a DeviceProfile each, and pods that ask for their devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import DRIVER_NAME, SIMULATED_LABEL, NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource import v1
from tests.e2e.client import Client, Manifest
from tests.e2e.driver import DRIVER_NAMESPACE
from tests.e2e.waiting import wait_until
from tests.scenarios.structured.manifests import claim_template, request
from tests.support.autoscaler import POOL_LABEL, Machines, Pool, pool_of_profile
from tests.support.kwok import ANNOTATION, kwok_node

__all__ = ["Fleet", "KwokMachines", "cards_of", "fleet_pod", "pool_template", "profile_manifest"]

_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Fleet:
    """The KWOK nodes of a cluster, and what is seen of their devices."""

    client: Client

    def add(self, pool: str, names: Sequence[str]) -> None:
        """Nodes of a pool, as an autoscaler makes them."""
        self.client.create(*(kwok_node(name, labels={POOL_LABEL: pool}) for name in names))
        for name in names:
            # With --static-nodes the controller that would take admission's not-ready taint away is off.
            taints = [{"key": ANNOTATION, "value": "fake", "effect": "NoSchedule"}]
            self.client.patch(Node, name, {"spec": {"taints": taints}})

    def remove(self, *names: str) -> None:
        """As a cloud's controller does it."""
        for name in names:
            self.client.delete(Node, name)

    def names(self) -> Sequence[str]:
        """The nodes that there are."""
        return [node.metadata.name for node in self.client.list(Node) if ANNOTATION in node.metadata.annotations]

    def devices(self) -> Mapping[str, Sequence[v1.Device]]:
        """What each node's complete pool of the newest generation has, by node; only of nodes that are KWOK's."""
        names = set(self.names())
        found: dict[str, list[v1.ResourceSliceSpec]] = {}
        for each in self.client.list(v1.ResourceSlice):
            if each.spec.node_name in names and each.spec.driver == DRIVER_NAME:
                found.setdefault(each.spec.node_name, []).append(each.spec)
        current = {node: _newest(specs) for node, specs in found.items()}
        return {
            node: [device for spec in specs for device in spec.devices]
            for node, specs in current.items()
            if len(specs) == specs[0].pool.resource_slice_count
        }

    def states(self) -> Mapping[str, NodeAllocationState]:
        """The states that the controller keeps for nodes without a plugin, by node."""
        states = self.client.list(NodeAllocationState, DRIVER_NAMESPACE)
        return {each.metadata.name: each for each in states if each.metadata.labels.get(SIMULATED_LABEL) == "true"}

    def wait_devices(self, counts: Mapping[str, int]) -> None:
        """Waits until these nodes, and no others, offer so many devices, and say that they are Ready."""

        def are_there() -> bool:
            offered = {node: len(devices) for node, devices in self.devices().items()}
            assert offered == counts
            assert {name: state.status for name, state in self.states().items()} == dict.fromkeys(counts, "Ready")
            listed = {name: len(state.spec.allocatable_device) for name, state in self.states().items()}
            assert listed == counts
            return True

        wait_until(f"{len(counts)} nodes offer their devices", are_there, _SECONDS)

    def wait_gone(self) -> None:
        """Waits until there is no node of KWOK any more, and nothing that was one's."""

        def is_gone() -> bool:
            assert not self.states()
            left = {each.spec.node_name for each in self.client.list(v1.ResourceSlice)}
            assert left <= {node.metadata.name for node in self.client.list(Node)}
            return not self.names()

        wait_until("nothing of KWOK's nodes is left", is_gone, _SECONDS)


class KwokMachines(Machines):
    """Makes nodes of a fleet, numbered pool by pool."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._last: dict[str, int] = {}

    @override
    def add(self, pool: str, count: int) -> None:
        first = self._last.get(pool, 0) + 1
        self._last[pool] = first + count - 1
        self._fleet.add(pool, [f"{pool}-{number}" for number in range(first, first + count)])

    @override
    def remove(self, node: str) -> None:
        self._fleet.remove(node)


def _newest(specs: Sequence[v1.ResourceSliceSpec]) -> Sequence[v1.ResourceSliceSpec]:
    """Those of the newest generation of the pool."""
    newest = max(spec.pool.generation for spec in specs)
    return [spec for spec in specs if spec.pool.generation == newest]


def profile_manifest(pool: str, count: int, **attributes: str) -> dict[str, Any]:
    """A DeviceProfile for the nodes of a pool: so many cards with these attributes, of which ``pool`` is one."""
    return {
        "apiVersion": DeviceProfile.resource.api_version,
        "kind": DeviceProfile.resource.kind,
        "metadata": {"name": pool},
        "spec": {
            "nodeSelector": {"matchLabels": {POOL_LABEL: pool}},
            "groups": [
                {
                    "name": "card",
                    "type": "card",
                    "count": count,
                    "attributes": {name: {"string": value} for name, value in {"pool": pool, **attributes}.items()},
                }
            ],
        },
    }


def pool_template(profile: Manifest, *, most: int) -> Pool:
    """What an autoscaler knows of a pool that has no nodes yet."""
    return pool_of_profile(profile["metadata"]["name"], DeviceProfile.from_wire(profile), DRIVER_NAME, most=most)


def cards_of(pool: str, namespace: str, count: int = 1) -> Manifest:
    """A template of claims for cards of a pool's nodes, with the pool's name."""
    # Devices of other nodes have no such attribute.
    is_of_pool = f"device.attributes['{DRIVER_NAME}'].?pool.orValue('') == '{pool}'"
    return claim_template(pool, namespace, request(count=count, select=[is_of_pool]))


def fleet_pod(name: str, namespace: str, template: str) -> dict[str, Any]:
    """A pod with a claim from a template, on a node of KWOK."""
    container = {"name": "main", "image": "example.com/train:v1", "resources": {"claims": [{"name": "cards"}]}}
    spec = {
        "containers": [container],
        "nodeSelector": {"type": "kwok"},
        "tolerations": [{"key": ANNOTATION, "operator": "Exists"}],
        "resourceClaims": [{"name": "cards", "resourceClaimTemplateName": template}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
