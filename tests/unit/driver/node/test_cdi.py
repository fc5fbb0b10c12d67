"""What a container runtime gets: CDI files as the Go driver wrote them, and variables that never collide on top."""

import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.fake import CDI_KIND
from fake_dra_driver.api.kube import meta
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.node.cdi import CdiFolder, CdiSpecError
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.dra.node.preparedmodel import unique_name
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice, WantedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.profile.fakes import fake_node
from tests.support.disk import MemoryFiles

Folder = CdiFolder[FakePreparedDevice]
NODE = "fake-dra-driver-cluster-worker"
MODEL = FakePreparedModel(NODE)
ROOT = Path("/var/run/cdi")
UID = "5a3c8f2e-6d70-4d0b-9d5f-0a6b8f4c1e77"
COMMON_FILE = ROOT / "k8s.fake.resource.3-shake.com-fake_common.yaml"
CLAIM_FILE = ROOT / f"k8s.fake.resource.3-shake.com-fake_{UID}.yaml"

GOLDEN_COMMON = """\
cdiVersion: "0.3.0"
containerEdits: {}
devices:
- containerEdits:
    env:
    - "FAKE_NODE_NAME=fake-dra-driver-cluster-worker"
    - "DRA_RESOURCE_DRIVER_NAME=fake.resource.3-shake.com"
  name: "common"
kind: "k8s.fake.resource.3-shake.com/fake"
"""

GOLDEN_SPLIT = f"""\
cdiVersion: "0.3.0"
containerEdits: {{}}
devices:
- containerEdits:
    env:
    - "FAKE_DEVICE_0=FAKE-d54e4b82-88d3-5d4b-a30b-b692b3805590"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_DEVICE_0=FAKE-d54e4b82-88d3-5d4b-a30b-b692b3805590"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_MODEL_0=LATEST-FAKE-MODEL"
  name: "FAKE-d54e4b82-88d3-5d4b-a30b-b692b3805590"
- containerEdits:
    env:
    - "FAKE_DEVICE_0=FAKE-d54e4b82-88d3-5d4b-a30b-b692b3805590"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_DEVICE_0=FAKE-d54e4b82-88d3-5d4b-a30b-b692b3805590"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_MODEL_0=LATEST-FAKE-MODEL"
  name: "FAKE-d54e4b82-88d3-5d4b-a30b-b692b3805590:{UID}"
- containerEdits:
    env:
    - "FAKE_DEVICE_1=FAKE-8e0f322e-bab9-0b81-64f1-eaf4736e2b9d"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_DEVICE_1=FAKE-8e0f322e-bab9-0b81-64f1-eaf4736e2b9d"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_MODEL_1=LATEST-FAKE-MODEL"
  name: "FAKE-8e0f322e-bab9-0b81-64f1-eaf4736e2b9d"
- containerEdits:
    env:
    - "FAKE_DEVICE_1=FAKE-8e0f322e-bab9-0b81-64f1-eaf4736e2b9d"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_DEVICE_1=FAKE-8e0f322e-bab9-0b81-64f1-eaf4736e2b9d"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_MODEL_1=LATEST-FAKE-MODEL"
  name: "FAKE-8e0f322e-bab9-0b81-64f1-eaf4736e2b9d:{UID}"
- containerEdits:
    env:
    - "FAKE_DEVICE_2=FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_DEVICE_2=FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_MODEL_2=LATEST-FAKE-MODEL"
  name: "FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a"
- containerEdits:
    env:
    - "FAKE_DEVICE_2=FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_DEVICE_2=FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_MODEL_2=LATEST-FAKE-MODEL"
  name: "FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a:{UID}"
kind: "k8s.fake.resource.3-shake.com/fake"
"""
"""A device split in two, then a whole one; each by its UUID, and by the name that no other claim can have."""


GOLDEN_STRUCTURED = f"""\
cdiVersion: "0.3.0"
containerEdits: {{}}
devices:
- containerEdits:
    env:
    - "FAKE_DEVICE_0=FAKE-4d6cc6e5-e22d-3807-f026-783d55841ea5"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_DEVICE_0=FAKE-4d6cc6e5-e22d-3807-f026-783d55841ea5"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_MODEL_0=LATEST-FAKE-MODEL"
  name: "FAKE-4d6cc6e5-e22d-3807-f026-783d55841ea5:{UID}"
- containerEdits:
    env:
    - "FAKE_DEVICE_1=FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_DEVICE_1=FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a"
    - "FAKE_CLAIM_5A3C8F2E_6D70_4D0B_9D5F_0A6B8F4C1E77_MODEL_1=LATEST-FAKE-MODEL"
    - "DRA_ADMIN_ACCESS=true"
  name: "FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a:{UID}"
kind: "k8s.fake.resource.3-shake.com/fake"
"""
"""A device, then another that the claim has admin access to."""


def claim(*wanted: WantedDevice, uid: str = UID) -> FakePreparedClaim:
    planner = FakePlanner(lambda: fake_node(NODE, make_inventory(NODE, 128, ["LATEST-FAKE-MODEL"])), dict)
    devices = planner.devices(NodeClaim("default", "claim", meta.UID(uid)), wanted)
    return PreparedClaim(uid, "default", "claim", tuple(devices))


def uuids(count: int) -> list[str]:
    return [device.uuid for device in make_inventory(NODE, count, ["LATEST-FAKE-MODEL"])]


@pytest.fixture
def files() -> MemoryFiles:
    files = MemoryFiles()
    files.folders.add(ROOT)
    return files


@pytest.fixture
def cdi(files: MemoryFiles) -> Folder:
    return CdiFolder(files, ROOT, MODEL)


def environment(files: MemoryFiles, path: Path) -> dict[str, dict[str, str]]:
    """By device: the variables that a container gets which uses it, as a runtime reads the file."""
    found: Mapping[str, Any] = yaml.safe_load(files.contents[path])
    assert (found["cdiVersion"], found["kind"], found["containerEdits"]) == ("0.3.0", CDI_KIND, {})
    return {
        device["name"]: dict(variable.split("=", 1) for variable in device["containerEdits"]["env"])
        for device in found["devices"]
    }


async def test_the_contents_of_the_common_file(cdi: Folder, files: MemoryFiles) -> None:
    await cdi.write_common()
    assert files.contents == {COMMON_FILE: GOLDEN_COMMON.encode()}


async def test_the_contents_of_a_claims_file(cdi: Folder, files: MemoryFiles) -> None:
    first, second = uuids(2)
    await cdi.write(claim(WantedDevice(first, 2), WantedDevice(second)))
    assert files.contents == {CLAIM_FILE: GOLDEN_SPLIT.encode()}


async def test_the_contents_of_a_structured_claims_file(cdi: Folder, files: MemoryFiles) -> None:
    first, second = uuids(2)
    result = RequestResult("fakes", NODE, "fake-0")
    prepared = claim(
        WantedDevice(first, result=result), WantedDevice(second, result=replace(result, admin_access=True))
    )
    assert await cdi.write(prepared)
    assert files.contents == {CLAIM_FILE: GOLDEN_STRUCTURED.encode()}
    assert not await cdi.write(prepared)
    assert MODEL.device_names(prepared) == [
        f"k8s.fake.resource.3-shake.com/fake={name}" for name in ("common", f"{first}:{UID}", f"{second}:{UID}")
    ]


async def test_shares_of_one_device_have_names_of_their_own(cdi: Folder, files: MemoryFiles) -> None:
    uuid = uuids(1)[0]
    shares = [RequestResult("parts", NODE, "fake-0", share_id=f"share-{number}") for number in range(2)]
    prepared = claim(*(WantedDevice(uuid, 2, share) for share in shares))
    await cdi.write(prepared)
    names = [unique_name(child, UID, share.share_id) for share in shares for child in children(uuid, 2)]
    assert list(environment(files, CLAIM_FILE)) == names
    assert MODEL.device_names(prepared)[1:] == [f"k8s.fake.resource.3-shake.com/fake={name}" for name in names]


async def test_only_root_can_read_the_files(tmp_path: Path) -> None:
    root = tmp_path / "run" / "cdi"
    cdi = CdiFolder(DiskFiles(), root, MODEL)
    await cdi.write_common()
    await cdi.write(claim(WantedDevice(uuids(1)[0])))
    assert stat.S_IMODE(root.stat().st_mode) == 0o750
    assert sorted(path.name for path in root.iterdir()) == sorted([CLAIM_FILE.name, COMMON_FILE.name])
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()} == {0o600}


async def test_a_claim_without_devices_has_a_file_too(cdi: Folder, files: MemoryFiles) -> None:
    await cdi.write(claim())
    assert b"\ndevices: []\n" in files.contents[CLAIM_FILE]
    assert environment(files, CLAIM_FILE) == {}


@pytest.mark.parametrize(("count", "split"), [(1, 0), (1, 1), (8, 5), (128, 0), (16, 64), (128, 8)])
async def test_every_device_has_its_own_number(cdi: Folder, files: MemoryFiles, count: int, split: int) -> None:
    prepared = claim(*(WantedDevice(uuid, split) for uuid in uuids(count)))
    assert len(prepared.devices) == count * (split or 1)
    await cdi.write(prepared)
    found = environment(files, CLAIM_FILE)
    assert list(found) == [name for device in prepared.devices for name in (device.uuid, f"{device.uuid}:{UID}")]
    for number, device in enumerate(prepared.devices):
        variables = found[device.uuid]
        assert variables[f"FAKE_DEVICE_{number}"] == device.uuid
        assert len(variables) == 3
        assert found[f"{device.uuid}:{UID}"] == variables


def test_the_kubelet_gets_the_common_device_first() -> None:
    first, second = uuids(2)
    assert MODEL.device_names(claim(WantedDevice(second), WantedDevice(first))) == [
        f"k8s.fake.resource.3-shake.com/fake={name}" for name in ("common", second, first)
    ]


def test_a_name_is_unique_to_device_claim_and_share() -> None:
    uids = (UID, UID.replace("5a", "6b"))
    names = [unique_name(uuid, uid, share) for uuid in uuids(2) for uid in uids for share in (None, *uids)]
    assert len(set(names)) == len(names) == 12
    assert names[0] == "FAKE-4d6cc6e5-e22d-3807-f026-783d55841ea5:5a3c8f2e-6d70-4d0b-9d5f-0a6b8f4c1e77"
    assert names[1] == f"{names[0]}:{UID}"
    assert not set(names) & set(uuids(2))


async def test_two_claims_in_one_container_share_only_the_compatible_variables(cdi: Folder, files: MemoryFiles) -> None:
    first, second = uuids(2)
    other = UID.replace("5a", "6b")
    await cdi.write(claim(WantedDevice(first)))
    await cdi.write(claim(WantedDevice(second), uid=other))
    of_first = environment(files, CLAIM_FILE)[first]
    of_second = environment(files, Path(str(CLAIM_FILE).replace(UID, other)))[second]
    assert of_first.keys() & of_second.keys() == {"FAKE_DEVICE_0"}
    assert first in {**of_first, **of_second}.values()


@given(
    model=st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f"), min_size=1),
    node=st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f")),
)
async def test_whatever_the_names_are_the_runtime_reads_them_as_they_are(model: str, node: str) -> None:
    files = MemoryFiles()
    cdi = CdiFolder(files, ROOT, FakePreparedModel(node))
    await cdi.write_common()
    await cdi.write(PreparedClaim(UID, "default", "claim", (FakePreparedDevice("FAKE-0", model),)))
    assert environment(files, COMMON_FILE)["common"]["FAKE_NODE_NAME"] == node
    assert list(environment(files, CLAIM_FILE)["FAKE-0"].values())[-1] == model


@pytest.mark.parametrize(
    ("uid", "device", "model"),
    [
        (UID, "FAKE-0", "a\nFAKE_NODE_NAME=b"),
        (UID, "FAKE-0", "a\x00"),
        (UID, "FAKE 0", "a"),
        (UID, "FAKE-", "a"),
        (UID, "", "a"),
        ("../../etc/passwd", "FAKE-0", "a"),
        ("", "FAKE-0", "a"),
        (".hidden", "FAKE-0", "a"),
        ("a" * 129, "FAKE-0", "a"),
        ("common", "FAKE-0", "a"),
        ("ends-with-", "FAKE-0", "a"),
    ],
)
async def test_names_that_no_runtime_accepts_are_not_written(
    cdi: Folder, files: MemoryFiles, uid: str, device: str, model: str
) -> None:
    with pytest.raises(CdiSpecError):
        await cdi.write(PreparedClaim(uid, "default", "claim", (FakePreparedDevice(device, model),)))
    assert files.contents == {}


@pytest.mark.parametrize("uid", ["../../etc/passwd", "", "common"])
async def test_only_a_claims_file_can_be_removed(cdi: Folder, files: MemoryFiles, uid: str) -> None:
    await cdi.write_common()
    with pytest.raises(CdiSpecError):
        await cdi.remove(uid)
    assert list(files.contents) == [COMMON_FILE]
