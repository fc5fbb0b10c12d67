"""Metadata of devices comes and goes with their claims: where it is made, and what stays where it is made no more."""

import errno
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import PrepareError, ReadyDevice
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.metadata import ClaimMetadata
from fake_dra_driver.dra.node.retry import RetryBudget
from fake_dra_driver.dra.structured.metadata import DeviceMetadata, MetadataDevice
from fake_dra_driver.dra.structured.nodedriver import MetadataMaker
from tests.support.node import NODE, UUIDS
from tests.support.structurednode import StructuredPlugin, StructuredWorld, result

pytestmark = pytest.mark.looptime


class Metadata(ClaimMetadata, MetadataMaker):
    """Files in memory: by claim, the CDI names by request."""

    def __init__(self) -> None:
        self.names: dict[str, Mapping[str, str]] = {}
        self.devices: Sequence[MetadataDevice] = ()
        """Of the latest claim."""
        self.failures: list[Exception] = []
        """Raised by what is done next, one after the other."""

    @override
    async def prepare(self, claim: v1.ResourceClaim, devices: Sequence[MetadataDevice]) -> Mapping[str, str]:
        self._fail()
        self.devices = devices
        requests = dict.fromkeys(device.request.partition("/")[0] for device in devices)
        self.names[claim.uid] = {request: f"metadata={claim.uid}_{request}" for request in requests}
        return self.names[claim.uid]

    @override
    async def start(self, prepared: Collection[NodeClaim]) -> None:
        uids = {claim.uid for claim in prepared}
        self.names = {uid: names for uid, names in self.names.items() if uid in uids}

    @override
    async def prepared(self, claim: NodeClaim) -> Mapping[str, str]:
        return self.names.get(claim.uid, {})

    @override
    async def unprepare(self, claim: NodeClaim) -> None:
        self._fail()
        self.names.pop(claim.uid, None)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture
def metadata(world: StructuredWorld) -> Metadata:
    metadata = Metadata()
    world.metadata = metadata
    return metadata


@pytest.fixture
async def plugin(world: StructuredWorld, metadata: Metadata) -> StructuredPlugin:
    return await started(world, metadata)


async def started(world: StructuredWorld, metadata: Metadata | None) -> StructuredPlugin:
    plugin = StructuredPlugin(world, metadata)
    await plugin.recovery.start()
    await plugin.settle()
    return plugin


def extras(devices: Sequence[ReadyDevice]) -> list[list[str]]:
    """For each device the CDI names beside those of devices."""
    return [[name for name in device.cdi_device_ids if name.startswith("metadata")] for device in devices]


def files_below(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*.json")}


async def test_the_first_device_of_each_request_brings_its_metadata(
    world: StructuredWorld, plugin: StructuredPlugin, metadata: Metadata
) -> None:
    claim = world.claim("c", result(0, "a"), result(1, "b/x"), result(2, "a"), result(3, "b/x"))
    devices = await plugin.driver.prepare(claim)
    assert extras(devices) == [[f"metadata={claim.uid}_a"], [f"metadata={claim.uid}_b"], [], []]
    assert [device.request for device in metadata.devices] == ["a", "b/x", "a", "b/x"]
    first = metadata.devices[0]
    assert (first.pool, first.name, first.attributes["uuid"].string) == (NODE, "fake-0", UUIDS[0])


async def test_a_prepared_claim_is_answered_with_it_while_the_api_server_is_away(
    world: StructuredWorld, plugin: StructuredPlugin, metadata: Metadata
) -> None:
    claim = world.claim("c", 0)
    first = await plugin.driver.prepare(claim)
    again = await started(world, metadata)
    again.client.is_away = True
    assert await again.driver.prepare(claim) == first


async def test_it_goes_with_its_claim(world: StructuredWorld, plugin: StructuredPlugin, metadata: Metadata) -> None:
    unprepared, stale, kept = (world.claim(name, number) for number, name in enumerate("abc"))
    for claim in (unprepared, stale, kept):
        await plugin.driver.prepare(claim)
    await plugin.driver.unprepare(unprepared)
    world.delete(stale)
    await started(world, metadata=None)
    assert metadata.names.keys() == {kept.uid}


async def test_it_is_not_made_unless_it_is_asked_for(world: StructuredWorld, metadata: Metadata) -> None:
    plugin = await started(world, metadata=None)
    claim = world.claim("c", 0)
    assert extras(await plugin.driver.prepare(claim)) == [[]]
    assert metadata.names == {}


async def test_files_without_a_prepared_claim_are_removed_at_the_start(
    world: StructuredWorld, plugin: StructuredPlugin, metadata: Metadata
) -> None:
    metadata.names["uid-orphan"] = {"a": "metadata=uid-orphan_a"}
    await started(world, metadata)
    assert metadata.names == {}


async def test_a_busy_disk_is_tried_again(world: StructuredWorld, plugin: StructuredPlugin, metadata: Metadata) -> None:
    claim = world.claim("c", 0)
    metadata.failures = [OSError(errno.EBUSY, "busy")] * 2
    assert extras(await plugin.driver.prepare(claim)) == [[f"metadata={claim.uid}_fakes"]]
    metadata.failures = [OSError(errno.EBUSY, "busy")] * 2
    await plugin.driver.unprepare(claim)
    assert metadata.names == {}


async def test_a_claim_with_names_that_cannot_be_written_is_refused(
    world: StructuredWorld, plugin: StructuredPlugin, metadata: Metadata
) -> None:
    metadata.failures = [ValueError("'..' is not the name of a request")]
    with pytest.raises(PrepareError, match="is not the name of a request"):
        await plugin.driver.prepare(world.claim("c", 0))


@pytest.mark.looptime(False)
async def test_files_on_a_disk_come_and_go_with_their_claim(world: StructuredWorld, tmp_path: Path) -> None:
    metadata = DeviceMetadata(DiskFiles(), tmp_path / "plugin", tmp_path / "cdi", DRIVER_NAME)
    world.metadata = metadata
    plugin = StructuredPlugin(world, metadata)
    await plugin.recovery.start()
    claim = world.claim("c", result(0, "a"), result(1, "b"))
    first = await plugin.driver.prepare(claim)
    kind = f"{DRIVER_NAME}/metadata"
    assert [device.cdi_device_ids[-1] for device in first] == [f"{kind}={claim.uid}_{request}" for request in "ab"]
    assert files_below(tmp_path) == {
        "metadata.json",
        *(f"{DRIVER_NAME}_metadata_{claim.uid}_{request}.json" for request in "ab"),
    }
    again = StructuredPlugin(world)
    await again.recovery.start()
    assert await again.preparer.prepare_as_before(claim, RetryBudget()) == first
    await again.driver.unprepare(claim)
    assert files_below(tmp_path) == set()
