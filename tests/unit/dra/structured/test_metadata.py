"""The metadata files of claims: where they are, what they say, and that none is left."""

import asyncio
import json
import os
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.structured.metadata import DeviceMetadata, MetadataDevice, MetadataFiles
from tests.unit.dra.structured.lamps import DRIVER, POOL, claim

ATTRIBUTES = {"color": v1.DeviceAttribute(string="white"), "index": v1.DeviceAttribute(int_value=0)}
LAMPS = [
    MetadataDevice("a", POOL, "lamp-0", ATTRIBUTES),
    MetadataDevice("b/small", POOL, "lamp-1"),
    MetadataDevice("a", POOL, "lamp-2"),
]


class Stop(BaseException):
    """The plugin is killed here."""


class StoppingFiles(DiskFiles):
    """Files whose user is killed before it does a change."""

    def __init__(self, changes: int) -> None:
        self._left = changes

    @override
    def make_folder(self, path: Path, mode: int) -> None:
        self._step()
        super().make_folder(path, mode)

    @override
    def write(self, path: Path, data: bytes, mode: int) -> None:
        self._step()
        super().write(path, data, mode)

    @override
    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    @override
    def remove_folder(self, path: Path) -> None:
        self._step()
        super().remove_folder(path)

    def _step(self) -> None:
        if self._left == 0:
            raise Stop
        self._left -= 1


class SlowFiles(DiskFiles):
    """Files of which the first to be written takes until it is let go."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()

    @override
    def write(self, path: Path, data: bytes, mode: int) -> None:
        self.begun.set()
        assert self.may_end.wait(10)
        super().write(path, data, mode)


class Node:
    """The folders of a node."""

    def __init__(self, root: Path) -> None:
        self.cdi = root / "cdi"
        self.plugin = root / "plugin"

    def metadata(self, files: MetadataFiles | None = None) -> DeviceMetadata:
        """As a plugin that starts has it."""
        return DeviceMetadata(files or DiskFiles(), self.plugin, self.cdi, DRIVER)

    def files(self) -> list[str]:
        """Everything that is there."""
        roots = (self.cdi, self.plugin / "dra-device-metadata")
        return sorted(str(path.relative_to(self.cdi.parent)) for root in roots for path in root.rglob("*"))

    def mount(self, uid: str, request: str) -> dict[str, Any]:
        """What CDI mounts for a request."""
        found = json.loads((self.cdi / f"{DRIVER}_metadata_{uid}_{request}.json").read_bytes())
        [device] = found.pop("devices")
        assert found == {"cdiVersion": "0.5.0", "kind": f"{DRIVER}/metadata"}
        assert device["name"] == f"{uid}_{request}"
        [mount] = device["containerEdits"]["mounts"]
        return dict(mount)

    def host_file(self, uid: str, request: str) -> Path:
        return Path(self.mount(uid, request)["hostPath"])


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def made_for_pod(name: str = "pod-lamps-x7k2p") -> v1.ResourceClaim:
    found = claim(name=name)
    annotations = {v1.POD_CLAIM_ANNOTATION: "lamps"}
    return found.model_copy(update={"metadata": found.metadata.model_copy(update={"annotations": annotations})})


def identity(found: v1.ResourceClaim) -> NodeClaim:
    return NodeClaim(found.metadata.namespace, found.metadata.name, found.uid)


def status(path: Path) -> os.stat_result:
    return path.stat()


def damage(path: Path, text: str) -> None:
    path.write_text(text)


def objects(path: Path) -> Sequence[dict[str, Any]]:
    """The objects of a file, one after the other."""
    text, found = path.read_text(), []
    while text.strip():
        value, end = json.JSONDecoder().raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


async def test_a_file_has_the_devices_of_its_request_in_each_version(node: Node) -> None:
    ids = await node.metadata().prepare(claim(), LAMPS)
    assert ids == {request: f"{DRIVER}/metadata=uid-1_{request}" for request in ("a", "b")}
    mount = node.mount("uid-1", "a")
    assert mount["options"] == ["ro", "bind"]
    path = node.host_file("uid-1", "a")
    assert path == node.plugin / "dra-device-metadata/default_claim/a/metadata.json"
    assert stat.S_IMODE(status(path).st_mode) & 0o444 == 0o444
    found = objects(path)
    assert [each.pop("apiVersion") for each in found] == [
        "metadata.resource.k8s.io/v1beta1",
        "metadata.resource.k8s.io/v1alpha1",
    ]
    expected = {
        "kind": "DeviceMetadata",
        "metadata": {"name": "claim", "namespace": "default", "uid": "uid-1", "generation": 1},
        "requests": [
            {
                "name": "a",
                "devices": [
                    {
                        "driver": DRIVER,
                        "pool": POOL,
                        "name": "lamp-0",
                        "attributes": {"color": {"string": "white"}, "index": {"int": 0}},
                    },
                    {"driver": DRIVER, "pool": POOL, "name": "lamp-2", "attributes": {}},
                ],
            }
        ],
    }
    assert found == [expected, expected]
    [request] = objects(node.host_file("uid-1", "b"))[0]["requests"]
    assert request["name"] == "b/small"


async def test_a_container_finds_it_under_the_name_that_its_pod_has_for_the_claim(node: Node) -> None:
    root = "/var/run/kubernetes.io/dra-device-attributes"
    await node.metadata().prepare(claim(), LAMPS)
    assert node.mount("uid-1", "b")["containerPath"] == f"{root}/resourceclaims/claim/b/{DRIVER}-metadata.json"
    await node.metadata().prepare(made_for_pod(), LAMPS)
    mount = node.mount("uid-1", "b")
    assert mount["containerPath"] == f"{root}/resourceclaimtemplates/lamps/b/{DRIVER}-metadata.json"
    assert objects(node.host_file("uid-1", "b"))[0]["podClaimName"] == "lamps"


async def test_preparing_again_leaves_the_files_alone(node: Node) -> None:
    await node.metadata().prepare(claim(), LAMPS)
    path = node.host_file("uid-1", "a")
    before = status(path).st_ino
    await node.metadata().prepare(claim(), LAMPS)
    assert status(path).st_ino == before


async def test_a_request_that_no_api_server_lets_through_is_refused(node: Node) -> None:
    with pytest.raises(ValueError, match="is not the name of a request"):
        await node.metadata().prepare(claim(), [MetadataDevice("..", POOL, "lamp-0")])
    assert node.files() == []


async def test_unprepare_leaves_nothing(node: Node) -> None:
    metadata = node.metadata()
    await metadata.unprepare(identity(claim()))
    await metadata.prepare(claim(), LAMPS)
    await metadata.prepare(claim(name="other", uid="uid-1_x"), LAMPS[:1])
    await metadata.unprepare(identity(claim()))
    await metadata.unprepare(identity(claim()))
    assert node.files() == [
        f"cdi/{DRIVER}_metadata_uid-1_x_a.json",
        "plugin/dra-device-metadata/default_other",
        "plugin/dra-device-metadata/default_other/a",
        "plugin/dra-device-metadata/default_other/a/metadata.json",
    ]


async def test_a_successor_of_the_same_name_keeps_its_files(node: Node) -> None:
    metadata = node.metadata()
    await metadata.prepare(claim(), LAMPS)
    await metadata.prepare(claim(uid="uid-2"), LAMPS[:1])
    await metadata.unprepare(identity(claim()))
    assert node.files() == [
        f"cdi/{DRIVER}_metadata_uid-2_a.json",
        "plugin/dra-device-metadata/default_claim",
        "plugin/dra-device-metadata/default_claim/a",
        "plugin/dra-device-metadata/default_claim/a/metadata.json",
    ]


async def test_what_a_reboot_takes_is_restored(node: Node) -> None:
    await node.metadata().prepare(made_for_pod(), LAMPS)
    mounts = [node.mount("uid-1", request) for request in ("a", "b")]
    for path in node.cdi.iterdir():
        path.unlink()
    await node.metadata().start([identity(made_for_pod())])
    assert [node.mount("uid-1", request) for request in ("a", "b")] == mounts


async def test_what_was_prepared_is_known_from_the_files_alone(node: Node) -> None:
    assert await node.metadata().prepared(identity(claim())) == {}
    ids = await node.metadata().prepare(claim(), LAMPS)
    (node.cdi / f"{DRIVER}_metadata_uid-1_b.json").unlink()
    assert await node.metadata().prepared(identity(claim())) == ids
    assert node.mount("uid-1", "b")
    assert await node.metadata().prepared(identity(claim(uid="uid-2"))) == {}


async def test_what_a_stop_leaves_is_removed_at_the_next_start(node: Node) -> None:
    await node.metadata().prepare(claim(), LAMPS)
    await node.metadata().prepare(claim(name="other", uid="uid-2"), LAMPS)
    (node.cdi / f".{DRIVER}_metadata_uid-3_a.json.tmp").write_text("{")
    for path in ("uid-2_a", "uid-2_b"):
        (node.cdi / f"{DRIVER}_metadata_{path}.json").unlink()
    others = ["cdi/gpu.example.com_metadata_uid-1_a.json", f"cdi/x{DRIVER}_metadata_uid-1_a.json", "cdi/vendor.json"]
    for other in others:
        (node.cdi.parent / other).write_text("{}")
    await node.metadata().start([])
    assert node.files() == sorted(others)


async def stops_at_each_change(node: Node, work: Callable[[DeviceMetadata], Awaitable[object]]) -> AsyncIterator[int]:
    """Has the work stopped at each of its changes in turn, from the same beginning; gives the number of the change."""
    for change in count():
        try:
            await work(node.metadata(StoppingFiles(change)))
        except Stop:
            yield change
        else:
            assert change >= 4, "the changes were not seen"
            return


async def test_prepare_that_was_stopped_anywhere_is_finished_by_the_next_or_undone_by_a_start(node: Node) -> None:
    ids = await node.metadata().prepare(claim(), LAMPS)
    complete = node.files()
    await node.metadata().start([])
    assert node.files() == []
    async for _ in stops_at_each_change(node, lambda metadata: metadata.prepare(claim(), LAMPS)):
        left = node.files()
        assert set(left) <= set(complete)
        assert await node.metadata().prepare(claim(), LAMPS) == ids
        assert node.files() == complete
        await node.metadata().start([])
        assert node.files() == []


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_unprepare_that_was_stopped_anywhere_is_finished_by_the_next_or_by_a_start(
    node: Node, is_restarted: bool
) -> None:
    await node.metadata().prepare(claim(), LAMPS)
    async for _ in stops_at_each_change(node, lambda metadata: metadata.unprepare(identity(claim()))):
        later = node.metadata()
        await (later.start([]) if is_restarted else later.unprepare(identity(claim())))
        assert node.files() == []
        await later.prepare(claim(), LAMPS)


async def test_a_file_that_cannot_be_read_stays_as_long_as_its_claim_is_prepared(node: Node) -> None:
    await node.metadata().prepare(claim(), LAMPS)
    path = node.host_file("uid-1", "a")
    damage(path, '{"metadata": [')
    stray = node.plugin / "dra-device-metadata" / "stray"
    damage(stray, "left alone")
    await node.metadata().start([identity(claim())])
    assert str(path.relative_to(node.plugin.parent)) in node.files()
    await node.metadata().prepare(claim(), LAMPS)
    assert len(objects(path)) == 2
    damage(path, "[]")
    await node.metadata().unprepare(identity(claim()))
    assert node.files() == ["plugin/dra-device-metadata/stray"]


async def test_a_start_without_any_folder_does_nothing(node: Node) -> None:
    await node.metadata().start([])
    assert node.files() == []


async def test_a_call_that_is_cancelled_ends_when_its_thread_does(tmp_path: Path) -> None:
    """Another process may get the folder as soon as it has ended."""
    files, node = SlowFiles(), Node(tmp_path)
    preparing = asyncio.create_task(node.metadata(files).prepare(claim(), LAMPS))
    assert await asyncio.to_thread(files.begun.wait, 10)
    preparing.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not preparing.done()
    files.may_end.set()
    await asyncio.wait((preparing,))
    assert preparing.cancelled()
    assert len(node.files()) > 1, "the thread has done all of its work"
