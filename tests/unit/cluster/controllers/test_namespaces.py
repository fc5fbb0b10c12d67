"""Namespaces: what is in them goes first; and each has a service account."""

from collections.abc import AsyncIterator

import pytest

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster.controllers.catalog import Catalog
from fake_dra_driver.cluster.controllers.namespaces import namespace_controller
from fake_dra_driver.cluster.controllers.serviceaccounts import service_account_controller
from fake_dra_driver.cluster.kinds import CustomResourceDefinition, Namespace, Pod, ServiceAccount
from fake_dra_driver.cluster.releases import DEFAULT
from tests.support.control_plane import ControlPlane, control_plane, ref
from tests.unit.cluster.controllers.dependents import CLAIM_SPEC, DEFINITION, ConfigMap, Thing

pytestmark = pytest.mark.looptime

N = ref("n", "")


class Role(KubeObject):
    resource = ResourceKind("rbac.authorization.k8s.io", "v1", "Role", "roles")


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    make = {
        "kube-controller-manager": lambda plane, client, cache, events: (
            namespace_controller(client, cache, Catalog(cache, DEFAULT), plane.now),
            service_account_controller(client, cache),
        )
    }
    kinds = (ConfigMap, Namespace, Pod, ResourceClaim, Role, ServiceAccount)
    async with control_plane(make, kinds) as plane:
        yield plane


async def test_an_empty_namespace_goes(plane: ControlPlane) -> None:
    await plane.create(Namespace, "n")
    await plane.delete(Namespace, N)
    await plane.until_gone(Namespace, N)


async def test_its_content_goes_first(plane: ControlPlane) -> None:
    await plane.create(Namespace, "n")
    await plane.until(lambda: plane.find(ServiceAccount, ref("default", "n")))
    await plane.create(ConfigMap, "map", namespace="n")
    await plane.create(Role, "role", namespace="n")
    about = {"kind": "Namespace", "name": "n", "namespace": "n"}
    await plane.create(Event, "event", namespace="n", involvedObject=about, reason="Because")
    await plane.create(ConfigMap, "other")
    await plane.pass_time(1)
    await plane.delete(Namespace, N)
    await plane.until_gone(Namespace, N)
    assert not [*plane.list(ConfigMap, "n"), *plane.list(Role, "n"), *plane.list(Event, "n")]
    assert plane.find(ConfigMap, ref("other")) is not None


async def test_what_holds_it_up_is_told(plane: ControlPlane) -> None:
    await plane.create(Namespace, "n")
    stay = {"finalizers": ["example.com/stay"]}
    await plane.create(ResourceClaim, "one", namespace="n", metadata=stay, spec=CLAIM_SPEC)
    await plane.create(ResourceClaim, "two", namespace="n", metadata=stay, spec=CLAIM_SPEC)
    containers = [{"name": "c", "image": "busybox"}]
    await plane.create(Pod, "p", namespace="n", spec={"containers": containers, "nodeName": "node-a"})
    await plane.delete(Namespace, N)
    await plane.until(lambda: plane.get(Namespace, N).status.conditions)
    await plane.pass_time(60)
    found = plane.get(Namespace, N)
    assert found.status.phase == "Terminating"
    conditions = {each.type: (each.status, each.reason, each.message) for each in found.status.conditions}
    assert conditions == {
        "NamespaceDeletionDiscoveryFailure": (
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        "NamespaceDeletionGroupVersionParsingFailure": (
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        "NamespaceDeletionContentFailure": (
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        "NamespaceContentRemaining": (
            "True",
            "SomeResourcesRemain",
            "Some resources are remaining: pods. has 1 resource instances, "
            "resourceclaims.resource.k8s.io has 2 resource instances",
        ),
        "NamespaceFinalizersRemaining": (
            "True",
            "SomeFinalizersRemain",
            "Some content in the namespace has finalizers remaining: example.com/stay in 2 resource instances",
        ),
    }
    for name in ("one", "two"):
        await plane.patch(ResourceClaim, ref(name, "n"), {"metadata": {"finalizers": None}})
    await plane.until(lambda: "finalizers remaining" not in plane.get(Namespace, N).status.conditions[-1].message)
    assert plane.get(Pod, ref("p", "n")).is_deleting, "a pod has its grace period"
    await plane.delete(Pod, ref("p", "n"), grace_period_seconds=0)
    await plane.until_gone(Namespace, N)


async def test_objects_that_the_caches_do_not_know_go_as_well(plane: ControlPlane) -> None:
    await plane.create(Namespace, "n")
    await plane.until(lambda: plane.find(ServiceAccount, ref("default", "n")))
    with plane.server.late_events("", "configmaps"):
        await plane.create(ConfigMap, "map", namespace="n")
        await plane.delete(Namespace, N)
        await plane.until_gone(Namespace, N)
    assert (await plane.client.list(ConfigMap, "n")).items == ()


async def test_custom_objects_go_as_well(plane: ControlPlane) -> None:
    await plane.create(CustomResourceDefinition, "things.example.com", spec=DEFINITION)
    await plane.create(Namespace, "n")
    await plane.create(Thing, "thing", namespace="n", metadata={"finalizers": ["example.com/stay"]})
    await plane.delete(Namespace, N)
    await plane.until(lambda: plane.get(Namespace, N).status.conditions)
    await plane.patch(Thing, ref("thing", "n"), {"metadata": {"finalizers": None}})
    await plane.until_gone(Namespace, N)
    assert (await plane.client.list(Thing, "n")).items == ()


async def test_another_finalizer_of_the_namespace_is_left_alone(plane: ControlPlane) -> None:
    await plane.create(Namespace, "n", metadata={"finalizers": ["example.com/stay"]})
    await plane.delete(Namespace, N)
    await plane.until(lambda: plane.get(Namespace, N).spec.finalizers == ())
    await plane.pass_time(60)
    assert plane.get(Namespace, N).metadata.finalizers == ("example.com/stay",)


async def test_each_namespace_has_a_service_account(plane: ControlPlane) -> None:
    def accounts() -> list[NamespacedName]:
        return [each.key for each in plane.list(ServiceAccount)]

    every = ["default", "kube-node-lease", "kube-public", "kube-system"]
    await plane.until(lambda: accounts() == [ref("default", namespace) for namespace in every])
    await plane.create(Namespace, "n")
    await plane.until(lambda: ref("default", "n") in accounts())
    before = plane.get(ServiceAccount, ref("default", "n"))
    await plane.delete(ServiceAccount, before.key)
    await plane.until(lambda: (found := plane.find(ServiceAccount, before.key)) and found.uid != before.uid)


async def test_a_namespace_that_goes_gets_no_service_account(plane: ControlPlane) -> None:
    await plane.create(Namespace, "n")
    await plane.create(ConfigMap, "map", namespace="n", metadata={"finalizers": ["example.com/stay"]})
    await plane.until(lambda: plane.find(ServiceAccount, ref("default", "n")))
    await plane.delete(Namespace, N)
    await plane.until_gone(ServiceAccount, ref("default", "n"))
    await plane.pass_time(60)
    assert plane.find(ServiceAccount, ref("default", "n")) is None
    assert plane.get(Namespace, N).status.phase == "Terminating"


async def test_content_that_is_deleted_by_another_client_meanwhile_is_no_error(plane: ControlPlane) -> None:
    await plane.create(Namespace, "n")
    await plane.create(ConfigMap, "map", namespace="n")
    await plane.delete(Namespace, N)
    await plane.pass_time(3)
    await plane.delete(ConfigMap, ref("map", "n"))
    await plane.until_gone(Namespace, N)
