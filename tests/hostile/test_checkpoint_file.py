"""Whatever the checkpoint's file holds, the plugin starts, prepares, and gives no device to two claims."""

import hashlib
import json
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import to_json

from fake_dra_driver.dra.node.checkpoint import Checkpoint, DamagedCheckpointError
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from tests.crash.bounds import examples
from tests.support.disk import MemoryFiles
from tests.support.node import CHECKPOINT, UUIDS, NodeWorld

PATH = Path("/plugin/checkpoint.json")
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["claims", "complete", "devices", "uuid", "model", "parentUuid", "namespace", "name", "a"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
DEVICE = st.fixed_dictionaries(
    {"uuid": st.sampled_from([*UUIDS[:2], "", "FAKE-x"]), "model": st.text(max_size=5)},
    optional={"parentUuid": st.sampled_from([UUIDS[0], "no device"]), "share": VALUES},
)
CLAIM = st.fixed_dictionaries(
    {"namespace": st.text(max_size=5), "name": st.text(max_size=5), "devices": st.lists(DEVICE, max_size=3)},
    optional={"model_fields_set": VALUES},
)
CONTENTS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {
            "complete": st.booleans(),
            "claims": st.dictionaries(st.sampled_from(["a", "b", "../x", "common", ""]), CLAIM, max_size=3),
        },
        optional={"__class__": VALUES},
    ),
)


def file_of(contents: Any) -> bytes:
    """A file whose checksum is right, whatever is in it."""
    text = to_json(contents)
    digest = hashlib.sha256(text).hexdigest().encode()
    return b'{"version": 1, "checksum": "sha256:%s", "contents": %s}' % (digest, text)


@examples(100, 20_000)
@given(data=st.one_of(st.binary(), CONTENTS.map(file_of), VALUES.map(lambda value: json.dumps(value).encode())))
@example(b"")
@example(b"[" * 100_000)
@example(b'{"version": 99999999999999999999999999}')
@example(b'{"version": 1, "checksum": "", "contents": {"complete": true, "claims": {"\\ud800": 1}}}')
@example(file_of({"complete": True, "claims": {}, "a": 10**5000}))
async def test_a_file_is_read_or_set_aside(data: bytes) -> None:
    files = MemoryFiles({PATH: data})
    checkpoint = Checkpoint(files, PATH, FakePreparedModel("worker"))
    try:
        await checkpoint.load()
    except DamagedCheckpointError:
        assert not checkpoint.is_complete
        assert checkpoint.claims == {}
        assert files.contents[PATH.with_name(f"{PATH.name}.damaged-0")] == data
    else:
        assert files.contents[PATH] == data


@examples(30, 3_000)
@given(contents=CONTENTS)
async def test_the_plugin_starts_with_any_file_and_gives_no_device_twice(contents: Any) -> None:
    world = NodeWorld()
    world.files.contents[CHECKPOINT] = file_of(contents)
    world.files.folders.add(CHECKPOINT.parent)
    plugin = await world.start()
    claim = world.claim("c", 4)
    await plugin.driver.prepare(claim)
    await plugin.settle()
    assert world.recorded()[claim.uid] == [UUIDS[4]]
    assert world.cdi_files()[claim.uid] == [UUIDS[4]]
    await plugin.driver.unprepare(claim)
    assert claim.uid not in world.recorded()
