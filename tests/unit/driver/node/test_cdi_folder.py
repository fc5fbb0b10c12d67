"""Our files among others in the folder that container runtimes read: damaged ones, foreign ones, left over ones."""

import asyncio
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fake_dra_driver.api.fake import CDI_KIND
from fake_dra_driver.cluster.kubelet.containerruntime.cdi import CdiRegistry, UnresolvedDevicesError
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.dra.node.preparedmodel import unique_name
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from tests.support.disk import Crash, ForgetfulDisk, MemoryFiles

Folder = CdiFolder[FakePreparedDevice]
ROOT = Path("/var/run/cdi")
PREFIX = "k8s.fake.resource.3-shake.com-fake_"
COMMON_FILE = ROOT / f"{PREFIX}common.yaml"

FOREIGN = {
    ROOT / "broken.json": b"{",
    ROOT / "binary.yaml": b"\x00\xff\xfe",
    ROOT / "vendor.com-gpu.yaml": b"cdiVersion: 0.6.0\nkind: vendor.com/gpu\ndevices: []\n",
    ROOT / "k8s.fake.resource.3-shake.com-other_a.yaml": b": : :",
    ROOT / "README": b"",
}

RELEASED = b"""\
cdiVersion: "0.3.0"
containerEdits: {}
devices:
- containerEdits:
    env:
    - "FAKE_DEVICE_0=FAKE-0"
    - "FAKE_CLAIM_A_DEVICE_0=FAKE-0"
    - "FAKE_CLAIM_A_MODEL_0=MODEL"
  name: "FAKE-0"
kind: "k8s.fake.resource.3-shake.com/fake"
"""
"""The file of ``claim("a")`` as the first release has written it."""


def claim(uid: str, *uuids: str) -> FakePreparedClaim:
    return PreparedClaim(
        uid, "default", "claim", tuple(FakePreparedDevice(uuid, "MODEL") for uuid in uuids or ["FAKE-0"])
    )


def claim_file(uid: str) -> Path:
    return ROOT / f"{PREFIX}{uid}.yaml"


def make_cdi(files: MemoryFiles) -> Folder:
    files.folders.add(ROOT)
    return CdiFolder(files, ROOT, FakePreparedModel("worker"))


@pytest.fixture
def files() -> MemoryFiles:
    return MemoryFiles()


@pytest.fixture
def cdi(files: MemoryFiles) -> Folder:
    return make_cdi(files)


async def test_a_file_with_the_right_contents_is_not_written_again(cdi: Folder, files: MemoryFiles) -> None:
    for _ in range(2):
        await cdi.write_common()
        await cdi.write(claim("a"))
    assert files.count("write") == 2
    await cdi.write(claim("a", "FAKE-1"))
    assert files.count("write") == 3
    assert b"FAKE-1" in files.contents[claim_file("a")]
    assert sorted(files.contents) == [claim_file("a"), COMMON_FILE]


async def test_a_missing_file_is_written_again(cdi: Folder, files: MemoryFiles) -> None:
    await cdi.write(claim("a"))
    written = dict(files.contents)
    files.contents.clear()
    await cdi.write(claim("a"))
    assert files.contents == written


@given(damaged=st.binary())
@example(b"cdiVersion: 0.3.0\nkind: [")
@example(b"[]")
@example(b"devices: []")
@example(b"2020-13-45")
@example(b"a: 0x_")
@example(b"? {}\n: a")
@example(b"&a [*a, *b]")
@example(b"!!python/object:os.system a")
@example(b"\xff\xfe")
@example(b"[" * 5000)
async def test_a_damaged_file_of_ours_is_set_aside_and_written_again(damaged: bytes) -> None:
    files = MemoryFiles()
    cdi = make_cdi(files)
    for path in (COMMON_FILE, claim_file("a")):
        files.contents[path] = damaged
    await cdi.write_common()
    await cdi.write(claim("a"))
    for path in (COMMON_FILE, claim_file("a")):
        assert files.contents[path].startswith(b'cdiVersion: "0.3.0"')
        assert files.contents[path.with_name(f"{path.name}.damaged-0")] == damaged
    assert not [path for path in files.contents if "damaged" in path.name and path.suffix in {".yaml", ".json"}]


async def test_a_file_of_the_first_release_is_replaced_and_not_reported_as_damaged(
    cdi: Folder, files: MemoryFiles
) -> None:
    files.contents[claim_file("a")] = RELEASED
    assert not await cdi.write(claim("a"))
    upgraded = dict(files.contents)
    assert not await cdi.write(claim("a"))
    files.contents[claim_file("a")] = RELEASED.replace(b"MODEL", b"OTHER")
    assert await cdi.write(claim("a")), "it is not as that release wrote it"
    assert files.contents == upgraded
    files.contents.clear()
    assert await cdi.write(claim("a")), "it was missing"
    assert files.contents == upgraded


def test_the_kubelet_gets_names_that_the_first_release_defines_too() -> None:
    """After a rollback the kubelet starts containers again without asking for their devices."""
    common, *names = FakePreparedModel("worker").device_names(claim("a"))
    assert common.endswith("=common")
    assert names == [f"{CDI_KIND}={device['name']}" for device in yaml.safe_load(RELEASED)["devices"]]


async def test_a_runtime_finds_a_device_that_is_in_two_files_by_its_unique_names(tmp_path: Path) -> None:
    cdi = CdiFolder(DiskFiles(), tmp_path, FakePreparedModel("worker"))
    runtime = CdiRegistry([tmp_path])
    await cdi.write(claim("a"))
    both = [f"{CDI_KIND}=FAKE-0", f"{CDI_KIND}={unique_name('FAKE-0', 'a')}"]
    assert [await runtime.edits([name]) for name in both] == [await runtime.edits(both)] * 2
    await cdi.write(claim("b"))
    for uid in "ab":
        found = await runtime.edits([f"{CDI_KIND}={unique_name('FAKE-0', uid)}"])
        assert found.env[f"FAKE_CLAIM_{uid.upper()}_DEVICE_0"] == "FAKE-0"
    with pytest.raises(UnresolvedDevicesError, match="in conflict"):
        await runtime.edits([f"{CDI_KIND}=FAKE-0"])


async def test_an_older_file_of_ours_is_replaced_and_not_set_aside(cdi: Folder, files: MemoryFiles) -> None:
    """As the Go driver left them: the same UUIDs, without the variables that are ours alone."""
    files.contents[claim_file("a")] = (
        b"cdiVersion: 0.3.0\ncontainerEdits: {}\ndevices:\n- containerEdits:\n    env:\n    - FAKE_DEVICE_0=FAKE-0\n"
        b"  name: FAKE-0\nkind: k8s.fake.resource.3-shake.com/fake\n"
    )
    await cdi.write(claim("a"))
    assert list(files.contents) == [claim_file("a")]
    assert b"FAKE_CLAIM_A_DEVICE_0" in files.contents[claim_file("a")]


async def test_foreign_files_are_never_touched_and_never_matter(files: MemoryFiles) -> None:
    files.contents |= FOREIGN
    cdi = make_cdi(files)
    await cdi.write_common()
    await cdi.write(claim("a"))
    await cdi.write(claim("b"))
    await cdi.remove("a")
    await cdi.uids()
    await cdi.remove("b")
    assert files.contents == {COMMON_FILE: files.contents[COMMON_FILE], **FOREIGN}
    assert not {path for _, path in files.operations} & FOREIGN.keys(), "a foreign file was looked at"


async def test_claims_that_have_files_are_listed(cdi: Folder, files: MemoryFiles) -> None:
    files.contents |= FOREIGN
    await cdi.write_common()
    for uid in ("c", "a", "b"):
        await cdi.write(claim(uid))
    files.contents[claim_file("..")] = b"no claim has such a UID"
    files.contents[claim_file("d").with_suffix(".yaml.damaged-0")] = b""
    assert await cdi.uids() == ["a", "b", "c"]


async def test_a_half_written_file_is_removed_with_its_claim(tmp_path: Path) -> None:
    cdi = CdiFolder(DiskFiles(), tmp_path, FakePreparedModel("worker"))

    def stop_half_way() -> None:
        with pytest.raises(Crash), ForgetfulDisk(tmp_path).watching(stop_at=2):
            DiskFiles().write(tmp_path / claim_file("a").name, b"half", 0o600)

    await asyncio.to_thread(stop_half_way)
    assert len(await asyncio.to_thread(DiskFiles().names, tmp_path)) == 1
    assert await cdi.uids() == ["a"]
    await cdi.remove("a")
    assert await asyncio.to_thread(DiskFiles().names, tmp_path) == []


async def test_removing_a_missing_file_is_no_error(cdi: Folder, files: MemoryFiles) -> None:
    await cdi.remove("a")
    assert await cdi.uids() == []
    assert files.contents == {}
