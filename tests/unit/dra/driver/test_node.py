"""What the author's code of a driver is asked about claims, what is kept of that, and what containers get."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from fake_dra_driver.dra.driver.allocated import AllocatedDevice
from fake_dra_driver.dra.driver.calls import DriverFaultError
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.node import StoredDriverDevice
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.containeredits import ContainerEdits, DeviceNode, Hook, Mount
from fake_dra_driver.dra.node.deviceerror import DeviceInUseError, NotEndedError
from fake_dra_driver.dra.node.driver import PrepareError, ReadyDevice
from fake_dra_driver.dra.node.prepared import RequestResult
from fake_dra_driver.dra.node.retry import RetryBudget
from tests.support.drivernode import CDI_ROOT, CHECKPOINT, NODE, CardClaim, CardConfig, CardMachine, CardPlugin
from tests.unit.dra.driver.lamp import logged

pytestmark = pytest.mark.looptime

KIND = "k8s.card.example.com/card"
RESULT = RequestResult("cards", NODE, "card-0")


@pytest.fixture
def machine() -> CardMachine:
    return CardMachine()


@pytest.fixture
async def plugin(machine: CardMachine) -> CardPlugin:
    plugin = await machine.start()
    await plugin.reconcile()
    return plugin


# --- Prepare


async def test_each_device_of_a_claim_is_prepared_and_has_a_name_of_its_own(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    claim = machine.claim("c", 2, 0, image="fir")
    assert await plugin.prepare(claim) == [
        ReadyDevice(NODE, "card-2", (f"{KIND}=card-2:uid-c",)),
        ReadyDevice(NODE, "card-0", (f"{KIND}=card-0:uid-c",)),
    ]
    machine.assert_sound(claim)
    assert machine.loaded == {("uid-c", "card-2"): "fir", ("uid-c", "card-0"): "fir"}
    assert machine.specification(claim) == {
        "cdiVersion": "0.3.0",
        "containerEdits": {},
        "devices": [
            {
                "containerEdits": {"deviceNodes": [{"path": f"/dev/{name}"}], "env": [f"CARD_{index}={name}"]},
                "name": f"{name}:uid-c",
            }
            for index, name in enumerate(("card-2", "card-0"))
        ],
        "kind": KIND,
    }


async def test_the_authors_code_is_told_what_was_allocated(machine: CardMachine, plugin: CardPlugin) -> None:
    result = RequestResult("cards", NODE, "card-1", share_id="share-1", admin_access=True)
    claim = machine.claim("c", 1, image="fir", result=result)
    device = replace(claim.devices[0], capacity=(("memory", "4Gi"),))
    await plugin.prepare(CardClaim(claim.identity, [device]))
    expected = AllocatedDevice(
        machine.cards["card-1"],
        CardConfig(image="fir"),
        NodeClaim("default", "c", claim.uid),
        0,
        "cards",
        {"memory": "4Gi"},
        "share-1",
        admin_access=True,
    )
    assert machine.seen == [expected]
    del machine.cards["card-1"]
    after = await machine.start()
    await after.unprepare(claim)
    assert machine.seen[1] == replace(expected, device=Device("card-1")), "from the record alone"
    machine.assert_sound()


EDITS = ContainerEdits(
    env={"CARD": 'a, "b": {c}'},
    device_nodes=(DeviceNode(path="/dev/a", host_path="/dev/b", permissions="rw"), DeviceNode(path="/dev/c")),
    mounts=(Mount(host_path="/opt/card", container_path="/card"),),
    hooks=(Hook(hook_name="prestart", path="/opt/card/bin/load", args=("load", "-f"), timeout=5),),
)


async def test_all_that_cdi_knows_can_be_given_to_a_container(machine: CardMachine, plugin: CardPlugin) -> None:
    machine.edits = lambda _: EDITS
    claim = machine.claim("c", 0)
    await plugin.prepare(claim)
    specification = machine.specification(claim)
    assert specification is not None
    assert specification["cdiVersion"] == "0.5.0", "the first in which a node has another path in the container"
    assert specification["devices"][0]["containerEdits"] == {
        "deviceNodes": [{"path": "/dev/a", "hostPath": "/dev/b", "permissions": "rw"}, {"path": "/dev/c"}],
        "env": ['CARD=a, "b": {c}'],
        "hooks": [
            {"hookName": "prestart", "path": "/opt/card/bin/load", "args": ["load", "-f"], "timeout": 5},
        ],
        "mounts": [
            {"hostPath": "/opt/card", "containerPath": "/card", "options": ["ro", "nosuid", "nodev", "bind"]},
        ],
    }
    before = dict(machine.files.contents)
    del machine.files.contents[CDI_ROOT / f"k8s.card.example.com-card_{claim.uid}.yaml"]
    await machine.start()
    assert machine.files.contents == before, "the file is made from the record alone"


async def test_a_device_for_which_a_container_gets_nothing_has_no_cdi_name(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    machine.edits = lambda device: ContainerEdits() if device.index else EDITS
    mixed, bare = machine.claim("mixed", 0, 1), machine.claim("bare", 2)
    assert [device.cdi_device_ids for device in await plugin.prepare(mixed)] == [(f"{KIND}=card-0:uid-mixed",), ()]
    assert machine.cdi_names(mixed) == ["card-0:uid-mixed"]
    machine.edits = lambda _: ContainerEdits()
    assert [device.cdi_device_ids for device in await plugin.prepare(bare)] == [()]
    assert machine.specification(bare) is None
    assert [entry["name"] for entry in machine.recorded(bare.uid)] == ["card-2"]


async def test_names_are_unique_to_device_claim_and_share(machine: CardMachine, plugin: CardPlugin) -> None:
    shares = [replace(RESULT, share_id=f"share-{number}") for number in range(2)]
    looks = [replace(RESULT, request=request, admin_access=True) for request in ("one", "two")]
    claims = []
    for name, result in (("a", shares[0]), ("b", shares[1])):
        claims.append(machine.claim(name, 0, result=result))
    look = machine.claim("look", 0, 0)
    devices = [replace(device, result=result) for device, result in zip(look.devices, looks, strict=True)]
    claims.append(CardClaim(look.identity, devices))
    ready = [device for claim in claims for device in await plugin.prepare(claim)]
    names = [name for device in ready for name in device.cdi_device_ids]
    assert len(set(names)) == 4
    assert [(device.device_name, device.request_names, device.share_id) for device in ready] == [
        ("card-0", ("cards",), "share-0"),
        ("card-0", ("cards",), "share-1"),
        ("card-0", ("one",), None),
        ("card-0", ("two",), None),
    ]
    specification = machine.specification(look)
    assert specification is not None
    assert [device["containerEdits"]["env"] for device in specification["devices"]] == [
        ["CARD_0=card-0", "DRA_ADMIN_ACCESS=true"],
        ["CARD_1=card-0", "DRA_ADMIN_ACCESS=true"],
    ]


async def test_a_claim_that_is_prepared_is_prepared_again_and_its_containers_get_what_is_new(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    """The kubelet asks again after each of its restarts, as after a reboot, which has unloaded the cards."""
    claim = machine.claim("c", 0)
    first = await plugin.prepare(claim)
    machine.loaded.clear()
    writes = machine.files.count("write")
    assert await plugin.prepare(claim) == first
    machine.assert_sound(claim)
    assert machine.files.count("write") == writes, "nothing has changed on the disk"
    machine.edits = lambda _: EDITS
    await plugin.prepare(claim)
    assert machine.recorded(claim.uid)[0]["edits"]["mounts"][0]["hostPath"] == "/opt/card"
    assert "0.5.0" in str(machine.specification(claim))


async def test_a_claim_with_other_devices_than_before_is_ended_first(machine: CardMachine, plugin: CardPlugin) -> None:
    await plugin.prepare(machine.claim("c", 0, 1))
    machine.calls.clear()
    claim = machine.claim("c", 1, 2)
    await plugin.prepare(claim)
    machine.assert_sound(claim)
    assert [(method, card) for method, _, card in machine.calls] == [
        ("unprepare", "card-1"),
        ("unprepare", "card-0"),
        ("prepare", "card-1"),
        ("prepare", "card-2"),
    ]


async def test_what_runs_is_not_ended_where_what_is_said_about_it_reads_differently(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    """As after an upgrade to a release whose model writes a value in another way."""
    await plugin.prepare(machine.claim("a", 0, image="RED"))
    claim = machine.claim("a", 0, image="red")
    await plugin.prepare(claim)
    assert machine.calls == [("prepare", claim.uid, "card-0")] * 2
    assert [device.config.image for device in machine.seen] == ["RED", "RED"]
    machine.assert_sound(claim)


async def test_without_the_api_server_a_claim_is_prepared_as_the_record_has_it(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    claim = machine.claim("c", 0, image="fir")
    first = await plugin.prepare(claim)
    again = await machine.start()
    machine.loaded.clear()
    assert await again.preparer.prepare_as_before(claim.identity, RetryBudget()) == first
    assert machine.loaded == {("uid-c", "card-0"): "fir"}
    other = machine.claim("other", 1)
    assert await again.preparer.prepare_as_before(other.identity, RetryBudget()) is None


async def test_a_name_that_begins_with_a_digit_takes_a_later_version_of_cdi(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    claim = machine.claim("c", 0)
    await plugin.prepare(CardClaim(claim.identity, [replace(claim.devices[0], name="0-card")]))
    specification = machine.specification(claim)
    assert specification is not None
    assert (specification["cdiVersion"], specification["devices"][0]["name"]) == ("0.5.0", "0-card:uid-c")


# --- What goes wrong


async def test_what_was_begun_is_undone_where_a_device_cannot_be_prepared(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    bystander, claim = machine.claim("bystander", 3), machine.claim("c", 0, 1)
    await plugin.prepare(bystander)
    machine.broken = {("prepare", "card-1")}
    with pytest.raises(PrepareError, match="device card-1: prepare is out of order"):
        await plugin.prepare(claim)
    machine.assert_sound(bystander)
    machine.broken.clear()
    await plugin.prepare(claim)
    machine.assert_sound(bystander, claim)


async def test_what_cannot_be_undone_stays_on_record_until_it_can(machine: CardMachine, plugin: CardPlugin) -> None:
    claim = machine.claim("c", 0, 1)
    machine.broken = {("prepare", "card-1"), ("unprepare", "card-0")}
    with pytest.raises(PrepareError, match="prepare is out of order"):
        await plugin.prepare(claim)
    assert [entry["name"] for entry in machine.recorded(claim.uid)] == ["card-0", "card-1"]
    other = machine.claim("other", 0)
    with pytest.raises(DeviceInUseError):
        await plugin.prepare(other)
    with pytest.raises(PrepareError, match="device card-0: unprepare is out of order"):
        await plugin.unprepare(claim)
    machine.broken.clear()
    await plugin.unprepare(claim)
    machine.assert_sound()


async def test_a_device_that_cannot_be_released_keeps_none_of_the_others(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    claim = machine.claim("c", 0, 1, 2)
    await plugin.prepare(claim)
    machine.broken = {("unprepare", "card-0"), ("unprepare", "card-2")}
    with pytest.raises(PrepareError, match="card-2: unprepare is out of order; device card-0: unprepare is out"):
        await plugin.unprepare(claim)
    assert machine.loaded.keys() == {("uid-c", "card-0"), ("uid-c", "card-2")}


async def test_what_runs_keeps_what_it_has_where_it_cannot_be_prepared_again(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    claim = machine.claim("c", 0)
    await plugin.prepare(claim)
    machine.broken = {("prepare", "card-0")}
    with pytest.raises(PrepareError):
        await plugin.prepare(claim)
    machine.assert_sound(claim)


async def test_a_claim_whose_device_hangs_keeps_nothing_from_the_others(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    stuck, other = machine.claim("stuck", 0), machine.claim("other", 1)
    gate = machine.gates[stuck.uid] = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(plugin.prepare(stuck))
        await machine.waits.wait()
        assert machine.calls == [("prepare", "uid-stuck", "card-0")]
        await plugin.prepare(other)
        await plugin.unprepare(other)
        with pytest.raises(DeviceInUseError, match=r"card-0 is prepared for claim default/stuck .* still holds it"):
            await plugin.prepare(machine.claim("rival", 0))
        gate.set()
    machine.assert_sound(stuck)


async def test_another_process_waits_for_what_is_done_to_a_device(machine: CardMachine, plugin: CardPlugin) -> None:
    """During a rolling update the kubelet asks the new one, while the old one still works."""
    claim, other = machine.claim("c", 0), machine.claim("other", 1)
    successor = await machine.start()
    gate = machine.gates[claim.uid] = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(plugin.prepare(claim))
        await machine.waits.wait()
        group.create_task(successor.unprepare(claim))
        await successor.prepare(other)
        assert [method for method, uid, _ in machine.calls if uid == claim.uid] == ["prepare"]
        gate.set()
    machine.assert_sound(other)


async def test_a_claim_is_left_alone_where_other_processes_cannot_be_kept_off(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    machine.lock_error = OSError("no such folder")
    with pytest.raises(PrepareError, match="cannot keep other processes from the devices of claim uid-c: no such"):
        await plugin.prepare(machine.claim("c", 0))
    assert machine.calls == []


@pytest.mark.parametrize(
    ("edits", "problem"),
    [
        (ContainerEdits(env={"CARD": "a\nb"}), r"'CARD=a\\nb' is not an environment variable"),
        (ContainerEdits(mounts=(Mount(host_path="card", container_path="/card"),)), "'card' is not an absolute path"),
        (ContainerEdits(device_nodes=(DeviceNode(path="/dev/c", permissions="x"),)), "'x' is not what may be done"),
    ],
)
async def test_edits_that_no_container_can_get_are_the_drivers_fault(
    machine: CardMachine, plugin: CardPlugin, edits: ContainerEdits, problem: str
) -> None:
    machine.edits = lambda _: edits
    with pytest.raises(DriverFaultError, match=rf"CardDriver.prepare\(card-0\) returned .* can get: {problem}"):
        await plugin.prepare(machine.claim("c", 0))
    machine.assert_sound()


# --- Claims in each other's way


async def test_a_stale_claim_is_undone_before_its_device_is_prepared_for_another(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    gone, claim = machine.claim("gone", 0), machine.claim("c", 0)
    await plugin.prepare(gone)
    del machine.lookup.claims[gone.uid]
    with pytest.raises(NotEndedError):
        await plugin.prepare(claim)
    machine.lookup.abandoned.add(gone.uid)
    await plugin.prepare(claim)
    machine.assert_sound(claim)
    assert machine.calls[-2:] == [("unprepare", "uid-gone", "card-0"), ("prepare", "uid-c", "card-0")]
    assert len(plugin.events.messages("StaleClaimUnprepared")) == 1


async def test_a_claim_whose_device_hangs_is_not_waited_for_for_ever(machine: CardMachine, plugin: CardPlugin) -> None:
    stuck, claim = machine.claim("stuck", 0), machine.claim("c", 0)
    await plugin.prepare(stuck)
    machine.delete(stuck)
    gate = machine.gates[stuck.uid] = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(plugin.unprepare(stuck))
        await machine.waits.wait()
        with pytest.raises(NotEndedError, match="claim uid-stuck, which has a device of claim uid-c, is being worked"):
            await plugin.prepare(claim)
        await plugin.unprepare(claim)
        gate.set()
    await plugin.prepare(claim)
    machine.assert_sound(claim)


async def test_claims_that_swap_their_devices_do_not_wait_for_each_other_for_ever(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    await plugin.prepare(machine.claim("a", 0))
    await plugin.prepare(machine.claim("b", 1))
    swapped = [machine.claim("a", 1), machine.claim("b", 0)]
    machine.lookup.abandoned.update(claim.uid for claim in swapped)
    async with asyncio.timeout(60):
        await asyncio.gather(*map(plugin.prepare, swapped), return_exceptions=True)
        for claim in swapped:
            await plugin.prepare(claim)
    machine.assert_sound(*swapped)


async def test_a_stale_claim_is_ended_by_the_recovery(machine: CardMachine, plugin: CardPlugin) -> None:
    gone = machine.claim("gone", 0)
    await plugin.prepare(gone)
    machine.delete(gone)
    machine.broken = {("unprepare", "card-0")}
    await plugin.reconcile()
    assert machine.loaded
    machine.broken.clear()
    await plugin.reconcile()
    machine.assert_sound()


# --- A checkpoint that was lost, or that another release has written


async def test_the_claims_of_a_lost_checkpoint_are_prepared_again(machine: CardMachine, plugin: CardPlugin) -> None:
    good, bad = machine.claim("good", 0), machine.claim("bad", 1)
    for claim in (good, bad):
        await plugin.prepare(claim)
    del machine.files.contents[CHECKPOINT]
    machine.broken = {("prepare", "card-1")}
    again = await machine.start()
    await again.reconcile()
    assert again.checkpoint.is_complete
    assert machine.cdi_names(bad) == ["card-1:uid-bad"], "what runs may be started again"
    assert "device card-1: prepare is out of order" in again.events.messages("ClaimNotRestored")[0]
    machine.broken.clear()
    await again.prepare(bad)
    machine.assert_sound(good, bad)


async def test_what_the_api_server_has_said_does_not_replace_what_the_kubelet_has_asked_for(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    claim = machine.claim("c", 0)
    await plugin.prepare(claim)
    await plugin.preparer.adopt(claim.identity, claim.devices)
    machine.assert_sound(claim)


async def test_a_claim_ends_whose_configuration_this_release_does_not_take(
    machine: CardMachine, plugin: CardPlugin
) -> None:
    claim = machine.claim("c", 0)
    stored = replace(claim.devices[0], config='{"image": "fir", "clock": "fast"}')
    await plugin.prepare(CardClaim(claim.identity, [stored]))
    with logged() as lines:
        await plugin.unprepare(claim)
    assert [device.config for device in machine.seen] == [CardConfig(image="fir")] * 2
    assert "['clock']" in lines[0]
    machine.assert_sound()


def test_what_a_later_release_knows_of_edits_is_ignored() -> None:
    data: dict[str, Any] = {"name": "card-0", "edits": {"env": {"A": "b"}, "netDevices": [{"name": "x"}]}, "new": 1}
    stored = StoredDriverDevice.model_validate_json(json.dumps(data))
    assert stored.prepared() == DriverPreparedDevice("card-0", 0, "", edits=ContainerEdits(env={"A": "b"}))
    assert json.loads(stored.model_dump_json(by_alias=True, exclude_defaults=True)) == data


@pytest.mark.parametrize("edits", [None, ContainerEdits(), EDITS])
def test_a_device_is_read_as_it_was_stored(edits: ContainerEdits | None) -> None:
    device = DriverPreparedDevice("card-0", 3, '{"image":"fir"}', (("memory", "4Gi"),), RESULT, edits)
    text = StoredDriverDevice.of(device).model_dump_json(by_alias=True, exclude_defaults=True)
    assert StoredDriverDevice.model_validate_json(text).prepared() == device
