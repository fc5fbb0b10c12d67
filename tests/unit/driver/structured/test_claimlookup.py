"""What claims hold on a node, by what the API server has: each claim is asked about once, unless there is a reason."""

from dataclasses import replace

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.retry import RetryBudget
from fake_dra_driver.dra.structured.claimlookup import StructuredClaimLookup
from fake_dra_driver.driver.node.prepared import WantedDevice
from fake_dra_driver.runtime.errors import TransportError
from tests.support.node import CHECKPOINT, NODE, STATE, UUIDS
from tests.support.structurednode import StructuredPlugin, StructuredWorld, parameters, result

pytestmark = pytest.mark.looptime


async def test_the_kind_of_claims_is_that_of_the_served_version(plugin: StructuredPlugin) -> None:
    lookup = StructuredClaimLookup(
        DRIVER_NAME, NODE, plugin.pool, dict, plugin.client, RESOURCE_APIS["v1beta1"], plugin.reports
    )
    assert lookup.claim_kind.api_version == "resource.k8s.io/v1beta1"


async def test_a_claim_is_asked_about_once(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    claims = [world.claim(f"c-{number}", number) for number in range(3)]
    for claim in claims:
        await plugin.driver.prepare(claim)
    plugin.client.requests()
    await plugin.recovery.reconcile(STATE)
    assert plugin.client.requests() == [], "what was read when it was prepared"
    again = await world.start()
    await again.recovery.reconcile(STATE)
    assert again.client.requests() == [("get", "ResourceClaim")] * 3
    await again.recovery.reconcile(STATE)
    assert again.client.requests() == []


async def test_a_look_for_stale_claims_while_one_is_being_prepared_costs_no_second_question(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    claim = world.claim("c", 1)
    await plugin.lookup.read(claim)

    await plugin.recovery.reconcile(STATE)  # the claim is not in the checkpoint yet

    assert plugin.lookup.known_holders({claim.uid}) == {claim.uid}


async def test_a_claim_that_was_unprepared_is_not_remembered(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    claim = world.claim("c", 1)
    await plugin.driver.prepare(claim)
    await plugin.driver.unprepare(claim)
    assert plugin.lookup.known_holders({claim.uid}) == set()


async def test_a_report_that_a_stop_has_prevented_is_made_up_for(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    claim = world.claim("c", 1, config=[parameters(split=2)])
    await plugin.driver.prepare(claim)
    again = await world.start()
    await again.settle()
    assert again.reports.devices == plugin.reports.devices
    assert again.reports.devices["c"][0].device == "fake-1"


async def test_claims_that_the_kubelet_never_unprepared_end_at_the_start(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    deleted, deallocated, kept = (world.claim(name, number) for number, name in enumerate(("a", "b", "c")))
    for claim in (deleted, deallocated, kept):
        await plugin.driver.prepare(claim)
    world.delete(deleted)
    world.deallocate(deallocated)
    again = await world.start()
    await again.settle()
    world.assert_sound(again, kept)
    assert len(again.events.messages("StaleClaimUnprepared")) == 2
    assert world.published() == {kept.uid: [UUIDS[2]]}


async def test_what_classic_dra_has_prepared_ends_once_its_claim_is_gone(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    """After an upgrade of the cluster: the claims of classic DRA do not survive it."""
    classic = NodeClaim("default", "classic", UID("uid-classic"))
    await plugin.preparer.prepare(classic, plugin.planner.devices(classic, [WantedDevice(UUIDS[0], 2)]), RetryBudget())
    world.abandon(classic)
    again = await world.start()
    again.client.is_away = True
    with pytest.raises(TransportError):
        await again.recovery.reconcile(STATE)
    assert classic.uid in again.checkpoint.claims, "nothing is ended while it cannot be asked"
    again.client.is_away = False
    await again.settle()
    world.assert_sound(again)
    assert len(again.events.messages("StaleClaimUnprepared")) == 1


async def test_what_classic_dra_has_prepared_makes_room_for_a_claim(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    classic = NodeClaim("default", "classic", UID("uid-classic"))
    await plugin.preparer.prepare(classic, plugin.planner.devices(classic, [WantedDevice(UUIDS[0])]), RetryBudget())
    world.abandon(classic)
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.assert_sound(plugin, claim)


async def test_only_what_is_still_allocated_is_still_held(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    claim = world.claim("c", 0, 1, config=[parameters(split=2)])
    await plugin.driver.prepare(claim)
    prepared = plugin.checkpoint.claims[claim.uid]
    assert await plugin.lookup.still_held(prepared) == set(UUIDS[:2])
    world.claim("c", 1, 2)
    assert await plugin.lookup.still_held(prepared) == {UUIDS[1]}
    world.claim("c", result(0, pool="another-node"))
    assert await plugin.lookup.still_held(prepared) == set()
    assert await plugin.lookup.still_held(replace(prepared, uid="uid-before")) == set()


async def test_a_lost_checkpoint_is_rebuilt_from_what_is_allocated(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    split = world.claim("split", 0, config=[parameters(split=2)])
    admin = world.claim("admin", result(0, admin_access=True))
    first = [await plugin.driver.prepare(claim) for claim in (split, admin)]
    unusable = world.claim("unusable", 2, config=[parameters(count=2)])
    world.claim("elsewhere", result(3, pool="another-node"))
    world.api.apply(v1.ResourceClaim(metadata=ObjectMeta(name="pending", namespace="default")))
    found = {each.claim: each for each in await plugin.lookup.in_use()}
    assert found.keys() == {split, admin, unusable}
    assert (found[unusable].devices, bool(found[unusable].problem)) == ((), True)
    del world.files.contents[CHECKPOINT]
    again = await world.start()
    await again.settle()
    world.assert_sound(again, split, admin)
    assert [await again.driver.prepare(claim) for claim in (split, admin)] == first
    assert "spec.count: must be 1" in again.events.messages("ClaimNotRestored")[0]


async def test_a_checkpoint_that_is_lost_while_two_processes_use_it_is_rebuilt(world: StructuredWorld) -> None:
    """As in a rolling update: neither of them need know what the other has prepared last."""
    old, new = await world.start(), await world.start()
    for plugin in (old, new):
        plugin.taken = plugin.checkpoint.refresh
        await plugin.reconcile()
    first, second = world.claim("first", 0), world.claim("second", 1)
    await new.driver.prepare(first)
    del world.files.contents[CHECKPOINT]
    await old.driver.prepare(second)
    next_one = await world.start()
    await next_one.settle()
    world.assert_sound(next_one, first, second)
