"""Prepare and unprepare in structured DRA: one read of the claim, then what the scheduler has allocated."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.node.deviceerror import DeviceInUseError, DeviceMissingError
from fake_dra_driver.dra.node.driver import PrepareError, ReadyDevice
from tests.support.node import NODE, UUIDS
from tests.support.structurednode import OTHER_DRIVER, StructuredPlugin, StructuredWorld, parameters, result

pytestmark = pytest.mark.looptime

SHARES = ("29af2b1c-7d3e-4f5a-9b60-000000000001", "29af2b1c-7d3e-4f5a-9b60-000000000002")


def qualified(*names: str) -> tuple[str, ...]:
    return tuple(f"k8s.fake.resource.3-shake.com/fake={name}" for name in (*names, "common"))


def ids_of(devices: Sequence[ReadyDevice]) -> list[str]:
    """The last part of the CDI names, without that of the common device."""
    return [name.partition("=")[2] for device in devices for name in device.cdi_device_ids[:-1]]


# --- Prepare ---


async def test_a_claim_is_prepared_by_its_allocation(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    claim = world.claim("c", 3, 1)
    assert await plugin.driver.prepare(claim) == [
        ReadyDevice(NODE, "fake-3", qualified(f"{UUIDS[3]}:{claim.uid}"), ("fakes",)),
        ReadyDevice(NODE, "fake-1", qualified(f"{UUIDS[1]}:{claim.uid}"), ("fakes",)),
    ]
    assert plugin.client.requests() == [("get", "ResourceClaim")]
    variable = f"FAKE_CLAIM_{claim.uid.upper().replace('-', '_')}"
    assert world.environments()[claim.uid] == {
        f"{UUIDS[3]}:{claim.uid}": {
            "FAKE_DEVICE_0": UUIDS[3],
            f"{variable}_DEVICE_0": UUIDS[3],
            f"{variable}_MODEL_0": "LATEST-FAKE-MODEL",
        },
        f"{UUIDS[1]}:{claim.uid}": {
            "FAKE_DEVICE_1": UUIDS[1],
            f"{variable}_DEVICE_1": UUIDS[1],
            f"{variable}_MODEL_1": "LATEST-FAKE-MODEL",
        },
    }
    world.assert_sound(plugin, claim)


async def test_a_container_that_uses_one_request_can_be_given_its_devices_alone(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    claim = world.claim("c", result(2, "left"), result(0, "right"), result(1, "left"))
    devices = await plugin.driver.prepare(claim)
    assert [(device.device_name, device.request_names) for device in devices] == [
        ("fake-2", ("left",)),
        ("fake-0", ("right",)),
        ("fake-1", ("left",)),
    ]


async def test_an_alternative_is_named_after_its_request(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    """The kubelet compares with what pods name, which are requests, never subrequests."""
    devices = await plugin.driver.prepare(world.claim("c", result(2, "fakes/second")))
    assert devices[0].request_names == ("fakes",)


async def test_devices_of_other_drivers_are_left_to_them(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    theirs = result("gpu-0", "gpus", driver=OTHER_DRIVER)
    opaque = v1.OpaqueDeviceConfiguration(driver=OTHER_DRIVER, parameters={"whatever": True})
    config = v1.DeviceAllocationConfiguration(source="FromClaim", opaque=opaque)
    claim = world.claim("c", theirs, result(5), config=[config])
    assert [device.device_name for device in await plugin.driver.prepare(claim)] == ["fake-5"]


async def test_a_split_device_becomes_its_children(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    claim = world.claim("c", 0, 2, config=[parameters(split=2)])
    parts = [*children(UUIDS[0], 2), *children(UUIDS[2], 2)]
    devices = await plugin.driver.prepare(claim)
    assert devices == [
        ReadyDevice(NODE, "fake-0", qualified(*(f"{part}:{claim.uid}" for part in parts[:2])), ("fakes",)),
        ReadyDevice(NODE, "fake-2", qualified(*(f"{part}:{claim.uid}" for part in parts[2:])), ("fakes",)),
    ]
    assert world.recorded() == {claim.uid: parts}
    world.assert_sound(plugin, claim)


async def test_a_claim_with_admin_access_gets_devices_that_others_have(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    user = world.claim("user", 0)
    admin = world.claim("admin", *(result(number, "all", admin_access=True) for number in range(2)), result(3, "own"))
    await plugin.driver.prepare(user)
    devices = await plugin.driver.prepare(admin)
    assert [device.device_name for device in devices] == ["fake-0", "fake-1", "fake-3"]
    found = world.environments()
    assert [each.get("DRA_ADMIN_ACCESS") for each in found[admin.uid].values()] == ["true", "true", None]
    assert all("DRA_ADMIN_ACCESS" not in each for each in found[user.uid].values())
    await plugin.driver.prepare(world.claim("another", 1))
    world.assert_sound(plugin, user, admin, world.node_claim("another"))
    await plugin.settle()
    assert world.published() == {
        user.uid: [UUIDS[0]],
        admin.uid: [UUIDS[3]],
        world.node_claim("another").uid: [UUIDS[1]],
    }


async def test_shares_of_a_device_go_to_several_claims(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    claims = [world.claim(f"c-{share}", result(0, share_id=share)) for share in SHARES]
    for claim, share in zip(claims, SHARES, strict=True):
        assert await plugin.driver.prepare(claim) == [
            ReadyDevice(NODE, "fake-0", qualified(f"{UUIDS[0]}:{claim.uid}:{share}"), ("fakes",), share)
        ]
    world.assert_sound(plugin, *claims)


async def test_preparing_again_gives_the_same_answer_and_writes_nothing(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    claim = world.claim("c", 4, 2, config=[parameters(split=2)])
    first = await plugin.driver.prepare(claim)
    writes = plugin.files.count("write")
    assert await plugin.driver.prepare(claim) == first
    again = await world.start()
    assert await again.driver.prepare(claim) == first
    assert plugin.files.count("write") == writes
    assert again.changes == 0


async def test_a_file_that_a_reboot_has_removed_is_written_again(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    claim = world.claim("c", 0)
    first = await plugin.driver.prepare(claim)
    before = world.cdi_contents()
    for path in [path for path in plugin.files.contents if claim.uid in path.name]:
        del plugin.files.contents[path]
    assert await plugin.driver.prepare(claim) == first
    assert world.cdi_contents() == before


async def test_a_reallocated_claim_gets_its_new_devices(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    await plugin.driver.prepare(world.claim("c", 0, 1))
    changed = world.claim("c", 1, 2)
    assert ids_of(await plugin.driver.prepare(changed)) == [f"{UUIDS[n]}:{changed.uid}" for n in (1, 2)]
    other = world.claim("other", 0)
    await plugin.driver.prepare(other)
    world.assert_sound(plugin, changed, other)


async def test_claims_of_one_call_are_prepared_at_once(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    claims = [world.claim(f"c-{number}", number) for number in range(8)]
    answers = await asyncio.gather(*(plugin.driver.prepare(claim) for claim in claims for _ in range(3)))
    expected = [[f"{UUIDS[number]}:{claim.uid}"] for number, claim in enumerate(claims)]
    assert [ids_of(answer) for answer in answers] == [each for each in expected for _ in range(3)]
    world.assert_sound(plugin, *claims)


async def test_a_claim_keeps_its_device_when_the_node_is_given_fewer(world: StructuredWorld) -> None:
    plugin = await world.start()
    claim = world.claim("c", 7)
    first = await plugin.driver.prepare(claim)
    world.inventory = world.inventory[:4]
    smaller = await world.start()
    assert await smaller.driver.prepare(claim) == first
    with pytest.raises(DeviceMissingError, match=r"this node has no device fake-6, which was allocated for .* fakes;"):
        await smaller.driver.prepare(world.claim("other", 6))


async def test_people_are_told_of_devices_on_their_claim(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    claim = world.claim(
        "c", result(0, "whole"), result(1, "parts", share_id=SHARES[0]), config=[parameters("parts", split=2)]
    )
    await plugin.driver.prepare(claim)
    whole, parts = (device.to_wire() for device in plugin.reports.devices["c"])
    assert whole.pop("conditions")[0].items() >= {"type": "Ready", "status": "True", "reason": "Prepared"}.items()
    identity = {"driver": "fake.resource.3-shake.com", "pool": NODE}
    assert whole == {
        **identity,
        "device": "fake-0",
        "data": {"uuid": UUIDS[0], "model": "LATEST-FAKE-MODEL"},
    }
    assert parts["shareID"] == SHARES[0]
    assert parts["data"] == {
        "uuid": UUIDS[1],
        "model": "LATEST-FAKE-MODEL",
        "children": list(children(UUIDS[1], 2)),
    }
    await plugin.driver.unprepare(claim)
    assert plugin.reports.devices == {}


# --- What cannot be prepared ---


async def test_a_claim_that_holds_nothing_here_is_refused_alone(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    elsewhere = world.claim("elsewhere", result(0, pool="another-node"))
    deallocated = world.claim("deallocated", 1)
    world.deallocate(deallocated)
    replaced = replace(world.claim("replaced", 2), uid=UID("uid-before"))
    gone = replace(replaced, name="gone")
    fine = world.claim("fine", 3)
    claims = [elsewhere, deallocated, replaced, gone, fine]
    answers = await asyncio.gather(*map(plugin.driver.prepare, claims), return_exceptions=True)
    texts = [str(answer) for answer in answers[:4]]
    assert all(isinstance(answer, PrepareError) for answer in answers[:4])
    assert "in pool another-node, none in pool fake-dra-driver-cluster-worker of this node" in texts[0]
    assert "is not allocated" in texts[1]
    assert "another claim has its name now" in texts[2]
    assert "does not exist any more" in texts[3]
    world.assert_sound(plugin, fine)


async def test_parameters_that_cannot_be_used_are_refused_with_their_path(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    claim = world.claim("c", 0, config=[parameters(split=65)])
    with pytest.raises(PrepareError, match=r"parameters\.spec\.split: must be at most 64, is 65$"):
        await plugin.driver.prepare(claim)
    world.assert_sound(plugin)


async def test_a_device_that_another_claim_holds_is_refused(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    holder = world.claim("holder", 0)
    await plugin.driver.prepare(holder)
    with pytest.raises(DeviceInUseError, match=rf"device {UUIDS[0]} is prepared for claim default/holder"):
        await plugin.driver.prepare(world.claim("c", 0))
    world.assert_sound(plugin, holder)


@pytest.mark.parametrize("how", ["deleted", "deallocated", "moved"])
async def test_a_claim_that_holds_a_device_no_longer_gives_way(
    world: StructuredWorld, plugin: StructuredPlugin, how: str
) -> None:
    holder = world.claim("holder", 0)
    await plugin.driver.prepare(holder)
    match how:
        case "deleted":
            world.delete(holder)
        case "deallocated":
            world.deallocate(holder)
        case _:
            world.claim("holder", result(0, pool="another-node"))
            world.abandon(holder)
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.assert_sound(plugin, claim)


# --- The API server is away ---


async def test_a_prepared_claim_is_answered_while_the_api_server_is_away(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    claim = world.claim("c", 0, config=[parameters(split=2)])
    first = await plugin.driver.prepare(claim)
    again = await world.start()
    again.client.is_away = True
    assert await again.driver.prepare(claim) == first
    with pytest.raises(PrepareError, match=r"cannot find out which devices claim default/new holds: .*refused"):
        await again.driver.prepare(world.claim("new", 1))
    await again.driver.unprepare(claim)
    world.assert_sound(again)


async def test_an_api_server_that_is_away_for_a_moment_is_asked_again(
    world: StructuredWorld, plugin: StructuredPlugin
) -> None:
    claim = world.claim("c", 0)
    plugin.client.is_away = True
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(plugin.driver.prepare(claim))
        await asyncio.sleep(2)
        plugin.client.is_away = False
    assert ids_of(answer.result()) == [f"{UUIDS[0]}:{claim.uid}"]


# --- Unprepare ---


async def test_unprepare_needs_no_api_server(world: StructuredWorld, plugin: StructuredPlugin) -> None:
    claim, other = world.claim("c", 0), world.claim("other", 1)
    for each in (claim, other):
        await plugin.driver.prepare(each)
    world.delete(claim)
    plugin.client.requests()
    await plugin.driver.unprepare(claim)
    await plugin.driver.unprepare(claim)
    assert plugin.client.requests() == []
    world.assert_sound(plugin, other)
