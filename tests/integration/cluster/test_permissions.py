"""The roles of the chart against what the driver asks for: nothing more, and nothing that is never asked for.

The embedded API server checks no permissions, so the requests are written down and compared.
"""

from collections.abc import Mapping

from fake_dra_driver.api.kinds import KINDS
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.codegen import CLASSIC, STRUCTURED
from fake_dra_driver.demo.install import NAMESPACE
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.packaging.permissions import driver_components
from fake_dra_driver.packaging.project import claim_kinds
from tests.integration.cluster.world import CONTROLLER, PLUGIN, World

COMPONENTS = {
    "fake-dra-controller": "controller",
    "fake-dra-kubeletplugin": "kubeletplugin",
    "set-nas-status": "kubeletplugin",
}
"""By program, as its User-Agent begins: the component as whose ServiceAccount it runs."""

Permission = tuple[str, str, str, str]
"""Component, API group, resource, verb."""

IN_TROUBLE: set[Permission] = {
    ("controller", "", "events", "create"),
    ("controller", "", "events", "patch"),
    ("controller", "coordination.k8s.io", "leases", "create"),  # the first controller of a cluster
    ("controller", "nas.fake.resource.3-shake.com", "nodeallocationstates", "get"),  # another writer was faster
    ("kubeletplugin", "", "events", "create"),
    ("kubeletplugin", "", "events", "patch"),
    ("kubeletplugin", "", "nodes", "get"),  # the first plugin of a node
    ("kubeletplugin", "nas.fake.resource.3-shake.com", "nodeallocationstates", "create"),  # so, too
    ("kubeletplugin", "nas.fake.resource.3-shake.com", "nodeallocationstates", "get"),  # an allocation of the Go driver
    ("kubeletplugin", "resource.k8s.io", "resourceclaims", "list"),  # a lost checkpoint
    # There are profiles and faults.
    ("controller", "fake.resource.3-shake.com", "devicefaults/status", "patch"),
    ("controller", "fake.resource.3-shake.com", "deviceprofiles/status", "patch"),
    ("kubeletplugin", "", "nodes", "list"),
    ("kubeletplugin", "", "nodes", "watch"),
    ("kubeletplugin", "fake.resource.3-shake.com", "devicefaults/status", "patch"),
}
"""Permissions that a good day may not need."""
ONLY_IN_TROUBLE: Mapping[str, set[Permission]] = {
    CLASSIC: {
        *IN_TROUBLE,
        ("controller", "", "nodes", "get"),  # whether a node is gone
        ("controller", "nas.fake.resource.3-shake.com", "nodeallocationstates", "create"),  # a node is simulated
        ("controller", "resource.k8s.io", "podschedulingcontexts/status", "patch"),  # a node is full
        ("controller", "resource.k8s.io", "resourceclaims", "get"),  # a record is out of place
        ("kubeletplugin", "resource.k8s.io", "resourceclaims", "get"),  # a claim that was never unprepared
    },
    STRUCTURED: {
        *IN_TROUBLE,
        # Nodes are simulated.
        ("controller", "", "nodes", "get"),
        ("controller", "nas.fake.resource.3-shake.com", "nodeallocationstates", "create"),
        ("controller", "resource.k8s.io", "resourceclaims", "get"),
        ("controller", "resource.k8s.io", "resourceslices", "get"),
        ("controller", "resource.k8s.io", "resourceslices", "create"),
        ("controller", "resource.k8s.io", "resourceslices", "update"),
        ("controller", "resource.k8s.io", "resourceslices", "delete"),
        # Devices have binding conditions.
        ("controller", "resource.k8s.io", "resourceclaims/driver", "arbitrary-node:patch"),
        ("controller", "resource.k8s.io", "resourceclaims/status", "patch"),
        ("kubeletplugin", "resource.k8s.io", "resourceslices", "create"),  # the first plugin of a node
        ("kubeletplugin", "resource.k8s.io", "resourceslices", "update"),  # the devices are others than before
        ("kubeletplugin", "resource.k8s.io", "resourceslices", "delete"),  # they need fewer slices
        # Asked by the API server itself, of the caller of a write to a claim's status.
        ("kubeletplugin", "resource.k8s.io", "resourceclaims/driver", "associated-node:patch"),
    },
}
"""Those of each kind of DRA."""


async def test_the_driver_asks_for_what_its_roles_allow_and_for_all_of_it(world: World) -> None:
    """Starts the driver and lets it serve pods, and compares what it asked for with its roles."""
    protocol = CLASSIC if world.api is None else STRUCTURED
    asked: set[Permission] = set()
    namespaces: dict[Permission, set[str]] = {}

    def write_down(target: Target, request: Request) -> Fault | None:
        program = request.header("user-agent").partition("/")[0]
        if program in COMPONENTS:
            resource = target.resource.plural + (f"/{target.subresource}" if target.subresource else "")
            permission = (COMPONENTS[program], target.resource.group, resource, target.verb)
            asked.add(permission)
            namespaces.setdefault(permission, set()).add(target.namespace)
        return None

    with world.cluster.server.faults.injected(write_down):
        await world.kill(CONTROLLER)
        await world.kill(PLUGIN)
        await world.wait_ready()
        await world.apply(1, 5)
        await world.wait_running(1, 5)
        await world.check_agreement(1, 5)  # until the controller has written who holds what
        await world.delete(1, 5)
        await world.wait_gone(1, 5)
        await world.wait_initial()

    allowed: set[Permission] = set()
    for component in driver_components(NAMES, claim_kinds(KINDS)):
        if component.name not in COMPONENTS.values():
            continue
        rules = [rule for rule in (*component.cluster, *component.namespaced) if rule.only in {"", protocol}]
        for rule in rules:
            allowed |= {(component.name, rule.group, name, verb) for name in rule.resources for verb in rule.verbs}
        for rule in component.namespaced:
            for permission in asked:
                if permission[:2] == (component.name, rule.group) and permission[2] in rule.resources:
                    assert namespaces[permission] == {NAMESPACE}, permission
    assert asked <= allowed
    assert allowed - asked <= ONLY_IN_TROUBLE[protocol]
