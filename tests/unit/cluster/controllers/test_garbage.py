"""The garbage collector: background, foreground and orphaning deletion, across kinds."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.controllers.catalog import Catalog, built_in_kinds
from fake_dra_driver.cluster.controllers.garbage import garbage_collector
from fake_dra_driver.cluster.kinds import CustomResourceDefinition, Node, Pod
from fake_dra_driver.cluster.releases import DEFAULT
from tests.support.control_plane import ControlPlane, control_plane, ref
from tests.unit.cluster.controllers.dependents import CLAIM_SPEC, DEFINITION, ConfigMap, Thing

pytestmark = pytest.mark.looptime


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    make = {
        "kube-controller-manager": lambda plane, client, cache, events: (
            garbage_collector(client, Catalog(cache, DEFAULT)),
        )
    }
    async with control_plane(make, (ConfigMap, Node, Pod, ResourceClaim)) as plane:
        yield plane


def owned(*owners: KubeObject, block: bool = True) -> dict[str, Any]:
    """Metadata of an object with these owners."""
    references = [
        {
            "apiVersion": owner.resource.api_version,
            "kind": owner.resource.kind,
            "name": owner.metadata.name,
            "uid": owner.uid,
            "blockOwnerDeletion": block,
        }
        for owner in owners
    ]
    return {"ownerReferences": references}


async def chain(plane: ControlPlane, **metadata: Any) -> None:
    """A pod, a claim that it owns, and a config map that the claim owns."""
    pod = await plane.pod("pod")
    claim = await plane.claim("claim", metadata={**owned(pod), **metadata})
    await plane.create(ConfigMap, "map", metadata=owned(claim))
    await plane.pass_time(1)


async def test_dependents_go_with_their_owner(plane: ControlPlane) -> None:
    await chain(plane)
    await plane.pass_time(600)
    assert plane.find(ConfigMap, ref("map")) is not None, "what has its owner stays"
    await plane.delete(Pod, ref("pod"))
    await plane.until_gone(ConfigMap, ref("map"))
    assert plane.find(ResourceClaim, ref("claim")) is None


async def test_in_the_foreground_the_owner_goes_last(plane: ControlPlane) -> None:
    await chain(plane, finalizers=["example.com/stay"])
    await plane.delete(Pod, ref("pod"), propagation_policy="Foreground")
    await plane.until(lambda: plane.get(ResourceClaim, ref("claim")).is_deleting)
    await plane.pass_time(600)
    assert plane.get(Pod, ref("pod")).metadata.finalizers == ("foregroundDeletion",)
    assert plane.find(ConfigMap, ref("map")) is None, "the last of the chain goes first"
    await plane.patch(ResourceClaim, ref("claim"), {"metadata": {"finalizers": None}})
    await plane.until_gone(Pod, ref("pod"))
    assert plane.find(ResourceClaim, ref("claim")) is None


async def test_in_the_foreground_the_owner_does_not_wait_for_those_that_do_not_ask_it_to(plane: ControlPlane) -> None:
    pod = await plane.pod("pod")
    stay = {"finalizers": ["example.com/stay"]}
    await plane.claim("claim", metadata={**owned(pod, block=False), **stay})
    await plane.pass_time(1)
    await plane.delete(Pod, ref("pod"), propagation_policy="Foreground")
    await plane.until_gone(Pod, ref("pod"))
    await plane.until(lambda: plane.get(ResourceClaim, ref("claim")).is_deleting)


async def test_a_foreground_deletion_without_dependents_ends_at_once(plane: ControlPlane) -> None:
    await plane.pod("pod")
    await plane.delete(Pod, ref("pod"), propagation_policy="Foreground")
    await plane.until_gone(Pod, ref("pod"))


async def test_orphans_are_let_go(plane: ControlPlane) -> None:
    await chain(plane)
    await plane.delete(Pod, ref("pod"), propagation_policy="Orphan")
    await plane.until_gone(Pod, ref("pod"))
    await plane.pass_time(600)
    assert plane.get(ResourceClaim, ref("claim")).metadata.owner_references == ()
    assert plane.find(ConfigMap, ref("map")) is not None


async def test_one_owner_of_two_is_enough(plane: ControlPlane) -> None:
    first, second = await plane.pod("first"), await plane.pod("second")
    await plane.claim("claim", metadata=owned(first, second))
    await plane.pass_time(1)
    await plane.delete(Pod, ref("first"))
    await plane.until(lambda: len(plane.get(ResourceClaim, ref("claim")).metadata.owner_references) == 1)
    assert plane.get(ResourceClaim, ref("claim")).metadata.owner_references[0].uid == second.uid
    await plane.delete(Pod, ref("second"))
    await plane.until_gone(ResourceClaim, ref("claim"))


async def test_a_successor_of_the_owners_name_is_not_the_owner(plane: ControlPlane) -> None:
    first = await plane.pod("pod")
    await plane.delete(Pod, ref("pod"))
    second = await plane.pod("pod")
    await plane.claim("one", metadata=owned(first))
    await plane.claim("two", metadata=owned(second))
    await plane.until_gone(ResourceClaim, ref("one"))
    await plane.pass_time(60)
    assert plane.find(ResourceClaim, ref("two")) is not None


async def test_what_has_found_another_owner_meanwhile_stays(plane: ControlPlane) -> None:
    await chain(plane)
    with plane.server.late_events("", "configmaps"):
        other = await plane.pod("other")
        await plane.patch(ConfigMap, ref("map"), {"metadata": owned(other)})
        await plane.delete(Pod, ref("pod"))
        await plane.until_gone(ResourceClaim, ref("claim"))
        await plane.pass_time(10)
        assert not (await plane.client.get(ConfigMap, ref("map"))).is_deleting
    await plane.pass_time(60)
    assert plane.get(ConfigMap, ref("map")).metadata.owner_references[0].uid == other.uid


async def test_an_orphan_keeps_an_owner_that_it_has_found_meanwhile(plane: ControlPlane) -> None:
    await chain(plane)
    claim = plane.get(ResourceClaim, ref("claim"))
    with plane.server.late_events("", "configmaps"):
        other = await plane.pod("other")
        await plane.patch(ConfigMap, ref("map"), {"metadata": owned(claim, other)})
        await plane.delete(ResourceClaim, ref("claim"), propagation_policy="Orphan")
        await plane.pass_time(10)
    await plane.until_gone(ResourceClaim, ref("claim"))
    await plane.pass_time(60)
    owners = plane.get(ConfigMap, ref("map")).metadata.owner_references
    assert [owner.uid for owner in owners] == [other.uid]


async def test_an_owner_that_the_cache_does_not_know_is_asked_for(plane: ControlPlane) -> None:
    with plane.server.late_events("", "pods"):
        pod = await plane.pod("pod")
        await plane.claim("claim", metadata=owned(pod))
        await plane.pass_time(600)
        assert plane.find(ResourceClaim, ref("claim")) is not None


async def test_an_owner_that_never_was_takes_its_dependents_with_it(plane: ControlPlane) -> None:
    pod = await plane.pod("pod")
    ghost = pod.model_copy(update={"metadata": pod.metadata.model_copy(update={"uid": "ghost", "name": "ghost"})})
    await plane.claim("claim", metadata=owned(ghost))
    await plane.until_gone(ResourceClaim, ref("claim"))


async def test_another_object_of_the_owners_name_is_not_the_owner(plane: ControlPlane) -> None:
    pod = await plane.pod("pod")
    ghost = pod.model_copy(update={"metadata": pod.metadata.model_copy(update={"uid": "ghost"})})
    await plane.claim("claim", metadata=owned(ghost))
    await plane.until_gone(ResourceClaim, ref("claim"))


async def test_an_owner_of_another_namespace_is_none(plane: ControlPlane) -> None:
    pod = await plane.pod("pod")
    await plane.create(ResourceClaim, "claim", namespace="kube-public", metadata=owned(pod), spec=CLAIM_SPEC)
    await plane.until_gone(ResourceClaim, ref("claim", "kube-public"))
    assert plane.find(Pod, ref("pod")) is not None


async def test_nothing_is_deleted_for_an_owner_of_an_unknown_kind(plane: ControlPlane) -> None:
    owner = {"apiVersion": "example.com/v1", "kind": "Unknown", "name": "x", "uid": "x"}
    await plane.claim("claim", metadata={"ownerReferences": [owner]})
    await plane.pass_time(3000)
    assert plane.find(ResourceClaim, ref("claim")) is not None


async def test_a_cluster_scoped_owner(plane: ControlPlane) -> None:
    node = await plane.node("node-a")
    await plane.claim("claim", metadata=owned(node))
    await plane.pass_time(60)
    assert plane.find(ResourceClaim, ref("claim")) is not None
    await plane.delete(Node, ref("node-a", ""))
    await plane.until_gone(ResourceClaim, ref("claim"))


async def test_custom_kinds_own_and_are_owned(plane: ControlPlane) -> None:
    await plane.create(CustomResourceDefinition, "things.example.com", spec=DEFINITION)
    things = plane.cache.informer(Thing)
    await things.wait_for_sync()
    node = await plane.node("node-a")
    thing = await plane.create(Thing, "thing", metadata=owned(node))
    await plane.claim("claim", metadata=owned(thing))
    await plane.pass_time(60)
    assert things.get(ref("thing"))
    await plane.delete(Node, ref("node-a", ""))
    await plane.until_gone(ResourceClaim, ref("claim"))
    assert things.get(ref("thing")) is None
    await plane.delete(CustomResourceDefinition, ref("things.example.com", ""))
    await plane.pass_time(60)
    await plane.create(CustomResourceDefinition, "things.example.com", spec=DEFINITION)
    await plane.pass_time(60)
    thing = await plane.create(Thing, "thing")
    await plane.claim("claim", metadata=owned(thing))
    await plane.delete(Thing, ref("thing"))
    await plane.until_gone(ResourceClaim, ref("claim"))


def test_every_kind_that_is_served_can_be_collected() -> None:
    served = {
        (each.group, each.version, each.kind, each.plural, each.namespaced)
        for each in ApiServer().registry
        if "delete" in each.verbs
    }
    known = {
        (kind.resource.group, kind.resource.version, kind.resource.kind, kind.resource.plural, kind.resource.namespaced)
        for kind in built_in_kinds(DEFAULT)
    }
    left_out = {(group, "v1", "Event", "events", True) for group in ("", "events.k8s.io")}
    definitions = ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
    assert known | left_out | {definitions} == served
