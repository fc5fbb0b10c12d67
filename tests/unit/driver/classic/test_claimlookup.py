"""What classic DRA answers a node that asks about claims: from handles, the ledger and the claims themselves."""

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.driver.node.prepared import WantedDevice
from fake_dra_driver.runtime.errors import TransportError
from tests.support.node import NODE, UUIDS, NodeWorld, Plugin

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> NodeWorld:
    return NodeWorld()


@pytest.fixture
async def plugin(world: NodeWorld) -> Plugin:
    """A plugin that has published itself, so that there is a ledger."""
    plugin = await world.start()
    await plugin.settle()
    plugin.client.requests()
    return plugin


async def test_a_handle_is_enough(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 3, WantedDevice(UUIDS[1], 2))
    uuids = [device.uuid for device in await plugin.lookup.devices(claim)]
    assert uuids == [UUIDS[3], *children(UUIDS[1], 2)]
    assert plugin.client.requests() == []


async def test_without_a_handle_the_ledger_is_read_as_it_is_now(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 3, with_handle=False)
    assert [device.uuid for device in await plugin.lookup.devices(claim)] == [UUIDS[3]]
    assert plugin.client.requests() == [("get", "NodeAllocationState")]


async def test_a_claim_in_neither_handle_nor_ledger_holds_nothing(plugin: Plugin) -> None:
    with pytest.raises(PrepareError, match=rf"claim default/c \(uid\) holds no devices.*{NODE} does not list it"):
        await plugin.lookup.devices(ClassicClaim("default", "c", UID("uid")))


async def test_an_unavailable_api_server_is_an_error(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 3, with_handle=False)
    plugin.client.is_away = True
    with pytest.raises(TransportError):
        await plugin.lookup.devices(claim)
    with pytest.raises(TransportError):
        await plugin.lookup.in_use()


async def test_known_holders_are_those_of_the_cached_ledger(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    prepared = {claim.uid, "another"}
    assert plugin.lookup.known_holders(prepared) == set()
    plugin.deliver()
    assert plugin.lookup.known_holders(prepared) == {claim.uid}
    assert plugin.client.requests() == []


async def test_claims_in_use_are_reserved_or_still_listed_as_prepared(world: NodeWorld, plugin: Plugin) -> None:
    reserved = world.claim("reserved", 0)
    ending = world.claim("ending", 1, with_handle=False, reserved=False)
    garbage = world.claim("garbage", 2)
    handles = {"resourceHandles": [{"driverName": DRIVER_NAME, "data": "{"}]}
    world.api.update(ResourceClaim, garbage.name, "default", {"status": {"allocation": handles}})
    world.claim("not-used", 3, reserved=False)
    world.claim("elsewhere", 4, node="another-node", in_ledger=False)
    world.claim("unknown", 5, with_handle=False, in_ledger=False)
    world.release(world.claim("released", 6))
    foreign = world.claim("foreign", 7, in_ledger=False)
    world.api.update(ResourceClaim, foreign.name, "default", {"status": {"driverName": "gpu.example.com"}})
    world.update_state({"spec": {"preparedDevices": {ending.uid: {"fake": {"devices": [{"uuid": UUIDS[1]}]}}}}})
    plugin.deliver()
    found = {
        entry.claim.uid: ([device.uuid for device in entry.devices], bool(entry.problem))
        for entry in await plugin.lookup.in_use()
    }
    assert found == {
        reserved.uid: ([UUIDS[0]], False),
        ending.uid: ([UUIDS[1]], False),
        garbage.uid: ([], True),
    }


async def test_a_claim_that_was_replaced_holds_nothing(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    await plugin.prepare(claim)
    prepared = plugin.checkpoint.claims[claim.uid]
    assert set(await plugin.lookup.still_held(prepared)) == {UUIDS[0]}
    world.delete(claim)
    assert set(await plugin.lookup.still_held(prepared)) == set()
    world.claim("c", 0)
    assert set(await plugin.lookup.still_held(prepared)) == set()
