"""The checkpoint's file between releases: those before, which are strict, and those to come, which know more."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from fake_dra_driver.dra.node.checkpoint import Checkpoint, DamagedCheckpointError
from fake_dra_driver.dra.node.checkpointformat import CheckpointFormat
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice, PreparedFile
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from tests.support.disk import MemoryFiles

PATH = Path("/plugin/checkpoint.json")
FILES = Path(__file__).parent / "checkpoints"
"""Files of other releases. Those named ``released-*`` were written by the first release, and by every revision before
it that wrote any. ``later.json`` is what a later release could write: laid out its own way, with fields of its own."""
MODEL = FakePreparedModel("worker")
FORMAT = CheckpointFormat(MODEL)


def file_of(claims: Mapping[str, FakePreparedClaim], *, complete: bool) -> bytes:
    """The file with these claims."""
    return FORMAT.encode(FORMAT.changed(FORMAT.empty, claims, complete=complete))


PARENT = "FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a"
SPLIT = PreparedClaim(
    "0f9d4c52-7a55-4f4b-8a3e-1b6c7d8e9f00",
    "test3",
    "fake",
    (
        FakePreparedDevice("FAKE-bcca8f6c-bacb-4aa3-dcfd-4398db24f464", "LATEST-FAKE-MODEL", PARENT),
        FakePreparedDevice("FAKE-83fde35b-4eca-d530-17b0-390d716f4fdd", "LATEST-FAKE-MODEL", PARENT),
        FakePreparedDevice("FAKE-5d25fe96-37be-6082-ae92-d398d7d7038d", 'Größe "10"/ノ'),
    ),
)
WHOLE = PreparedClaim(
    "5a3c8f2e-6d70-4d0b-9d5f-0a6b8f4c1e77",
    "default",
    "pod0-fake",
    (FakePreparedDevice("FAKE-4d6cc6e5-e22d-3807-f026-783d55841ea5", "LATEST-FAKE-MODEL"),),
)
BOTH = {SPLIT.uid: SPLIT, WHOLE.uid: WHOLE}
OTHER = PreparedClaim("a", "default", "other", (FakePreparedDevice("FAKE-a1e41d9f-5b3a-d8f8-1b08-177352484a68", "M"),))


class _Strict(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class _ReleasedDevice(_Strict):
    uuid: str
    model: str
    parent_uuid: str | None = None


class _ReleasedClaim(_Strict):
    namespace: str
    name: str
    devices: tuple[_ReleasedDevice, ...]


class _ReleasedContents(_Strict):
    complete: bool
    claims: dict[str, _ReleasedClaim]


class _ReleasedFile(_Strict):
    version: Literal[1]
    checksum: str
    contents: _ReleasedContents


def released_reader(data: bytes) -> Mapping[str, Any]:
    """What the first release reads: no field that it does not know, and a checksum of what it would write itself."""
    file = _ReleasedFile.model_validate_json(data)
    contents = file.contents.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert file.checksum == f"sha256:{hashlib.sha256(to_json(contents)).hexdigest()}"
    return contents


async def load(data: bytes) -> tuple[Checkpoint[FakePreparedDevice], MemoryFiles]:
    files = MemoryFiles({PATH: data})
    checkpoint = Checkpoint(files, PATH, MODEL)
    await checkpoint.load()
    return checkpoint, files


@pytest.mark.parametrize(
    ("name", "claims", "complete"),
    [("complete", BOTH, True), ("incomplete", BOTH, False), ("empty", {}, True)],
)
async def test_a_file_of_the_first_release_is_read_and_written_as_it_was(
    name: str, claims: Mapping[str, FakePreparedClaim], complete: bool
) -> None:
    data = (FILES / f"released-{name}.json").read_bytes()
    checkpoint, _ = await load(data)
    assert (checkpoint.claims, checkpoint.is_complete) == (claims, complete)
    assert file_of(claims, complete=complete) == data


async def test_a_file_of_a_later_release_is_read() -> None:
    checkpoint, _ = await load((FILES / "later.json").read_bytes())
    assert (checkpoint.claims, checkpoint.is_complete) == (BOTH, True)


async def test_fields_of_a_later_release_survive_changes_of_other_claims() -> None:
    checkpoint, files = await load((FILES / "later.json").read_bytes())
    await checkpoint.put(OTHER)
    await checkpoint.remove(WHOLE.uid)
    contents = json.loads(files.contents[PATH])["contents"]
    assert contents["bootId"] == "6f1d2c3b"
    claim = contents["claims"][SPLIT.uid]
    assert (claim["requests"], claim["podUid"]) == (["fakes"], None)
    assert claim["devices"][2]["pool"] == {"name": "worker", "generation": 3}
    assert contents["claims"].keys() == {SPLIT.uid, OTHER.uid}
    again, _ = await load(files.contents[PATH])
    assert again.claims == {SPLIT.uid: SPLIT, OTHER.uid: OTHER}


async def test_fields_of_a_later_release_go_when_their_claims_devices_change() -> None:
    checkpoint, files = await load((FILES / "later.json").read_bytes())
    await checkpoint.put(PreparedClaim(SPLIT.uid, SPLIT.namespace, SPLIT.name, OTHER.devices))
    claim = json.loads(files.contents[PATH])["contents"]["claims"][SPLIT.uid]
    assert claim.keys() == {"namespace", "name", "devices"}
    assert claim["devices"][0].keys() == {"uuid", "model"}


@pytest.mark.parametrize("version", [0, 2, 10**30])
async def test_another_version_is_reported_as_from_another_release(version: int) -> None:
    data = (FILES / "released-empty.json").read_bytes().replace(b'"version":1', b'"version":%d' % version)
    with pytest.raises(DamagedCheckpointError, match=f"it has version {version}, .*: another release wrote it"):
        await load(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ((b'"version":1', b'"version":true'), "version: Input should be a valid integer"),
        ((b'"version":1,', b""), "version: Field required"),
        ((b'"contents"', b'"content"'), "contents: Field required"),
        ((b'{"complete":true', b'{ "complete":true'), "its checksum is wrong"),
        ((b"test3", b"test4"), "its checksum is wrong"),
        ((b"}\n", b""), "Invalid JSON"),
        ((b"Gr", b"\xff"), "invalid start byte"),
    ],
)
async def test_a_damaged_file_is_set_aside_with_the_reason(damage: tuple[bytes, bytes], message: str) -> None:
    files = MemoryFiles({PATH: (FILES / "released-complete.json").read_bytes().replace(*damage)})
    before = files.contents[PATH]
    with pytest.raises(DamagedCheckpointError, match=message):
        await Checkpoint(files, PATH, MODEL).load()
    assert files.contents == {PATH.with_name("checkpoint.json.damaged-0"): before}


async def test_a_field_name_may_contain_escapes() -> None:
    checkpoint, _ = await load(
        (FILES / "later.json").read_bytes().replace(b'"contents": {\n', b'"c\\u006fntents": {\n')
    )
    assert checkpoint.claims == BOTH


# Text as a JSON file can hold it: no halves of surrogate pairs.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DEVICE_NAMES = st.from_regex(r"FAKE-[0-9a-f]{4}", fullmatch=True)
SHARES = st.one_of(st.none(), st.from_regex(r"[0-9a-f]{4}", fullmatch=True))
RESULTS = st.builds(RequestResult, TEXT, TEXT, TEXT, SHARES, st.booleans())


def claims_with(results: st.SearchStrategy[RequestResult | None]) -> st.SearchStrategy[Mapping[str, FakePreparedClaim]]:
    devices = st.builds(
        FakePreparedDevice,
        DEVICE_NAMES,
        st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f")),
        st.one_of(st.none(), DEVICE_NAMES),
        results,
    )
    claim = st.builds(
        PreparedClaim,
        st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
        TEXT.filter(bool),
        TEXT.filter(bool),
        st.lists(devices, max_size=3).map(tuple),
    )
    return st.lists(claim, max_size=4).map(lambda claims: {claim.uid: claim for claim in claims})


CLASSIC_CLAIMS = claims_with(st.none())
CLAIMS = claims_with(st.one_of(st.none(), RESULTS))


@given(claims=CLASSIC_CLAIMS, complete=st.booleans())
def test_a_written_file_is_read_by_this_release_and_by_the_first(
    claims: Mapping[str, FakePreparedClaim], complete: bool
) -> None:
    data = file_of(claims, complete=complete)
    contents = FORMAT.decode(data)
    assert (FORMAT.prepared(contents), contents.complete) == (claims, complete)
    assert released_reader(data) == json.loads(data)["contents"]


@given(claims=CLAIMS, complete=st.booleans())
def test_claims_of_structured_dra_are_read_as_they_were_written(
    claims: Mapping[str, FakePreparedClaim], complete: bool
) -> None:
    contents = FORMAT.decode(file_of(claims, complete=complete))
    assert (FORMAT.prepared(contents), contents.complete) == (claims, complete)


def test_what_structured_dra_adds_stands_in_a_field_of_its_own() -> None:
    """A release that knows only classic claims keeps it there, as ``test_fields_of_a_later_release`` has it."""
    result = RequestResult("fakes", "worker", "fake-3", "29af2b1c-0000-4000-8000-000000000000", admin_access=True)
    plain = RequestResult("fakes", "worker", "fake-3")
    devices = tuple(FakePreparedDevice("FAKE-a", "M", result=each) for each in (result, plain, None))
    data = file_of({"a": PreparedClaim("a", "default", "c", devices)}, complete=True)
    device = {"uuid": "FAKE-a", "model": "M"}
    names = {"request": "fakes", "pool": "worker", "device": "fake-3"}
    assert json.loads(data)["contents"]["claims"]["a"]["devices"] == [
        device | {"result": names | {"shareId": result.share_id, "adminAccess": True}},
        device | {"result": names},
        device,
    ]


def test_what_a_profile_adds_stands_in_fields_of_its_own() -> None:
    note = PreparedFile("/etc/note", "two\nlines", 0o644)
    profiled = FakePreparedDevice("GPU-a", "A100", environment=(("GPU_0", "GPU-a"),), files=(note,))
    silent = FakePreparedDevice("GPU-b", "A100", environment=())
    claims = {"a": PreparedClaim("a", "default", "profiled", (profiled, silent))}
    data = file_of(claims, complete=True)
    devices = json.loads(data)["contents"]["claims"]["a"]["devices"]
    assert devices == [
        {
            "uuid": "GPU-a",
            "model": "A100",
            "environment": {"GPU_0": "GPU-a"},
            "files": [{"path": "/etc/note", "content": "two\nlines", "mode": 0o644}],
        },
        {"uuid": "GPU-b", "model": "A100", "environment": {}},
    ]
    assert FORMAT.prepared(FORMAT.decode(data)) == claims


def test_a_variable_that_no_container_can_have_is_damage() -> None:
    device = FakePreparedDevice("GPU-a", "A100", environment=(("GPU 0", "GPU-a"),))
    with pytest.raises(ValueError, match="'GPU 0=GPU-a' is not an environment variable"):
        FORMAT.decode(file_of({"a": PreparedClaim("a", "default", "c", (device,))}, complete=True))


def test_a_share_that_cannot_be_in_a_cdi_name_is_damage() -> None:
    device = FakePreparedDevice("FAKE-a", "M", result=RequestResult("r", "p", "d", share_id="../x"))
    data = file_of({"a": PreparedClaim("a", "default", "c", (device,))}, complete=True)
    with pytest.raises(ValueError, match="is not a device name that CDI allows"):
        FORMAT.decode(data)


UNKNOWN = st.dictionaries(
    TEXT.map(lambda name: f"x{name}"),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
        max_leaves=8,
    ),
    max_size=3,
)


@given(claims=CLAIMS, data=st.data(), indent=st.sampled_from([None, 1]))
def test_unknown_fields_are_kept_at_any_depth(
    claims: Mapping[str, FakePreparedClaim], data: st.DataObject, indent: int | None
) -> None:
    written = json.loads(file_of(claims, complete=True))["contents"]
    written |= data.draw(UNKNOWN)
    for claim in written["claims"].values():
        claim |= data.draw(UNKNOWN)
        for device in claim["devices"]:
            device |= data.draw(UNKNOWN)
    text = json.dumps(written, indent=indent)
    checksum = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    contents = FORMAT.decode(f'{{"contents": {text}, "checksum": "{checksum}", "version": 1}}'.encode())
    assert FORMAT.prepared(contents) == claims
    assert json.loads(FORMAT.encode(FORMAT.changed(contents, claims, complete=True)))["contents"] == written
