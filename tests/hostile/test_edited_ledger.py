"""A NodeAllocationState edited by hand into nonsense: controller and plugin go on, and no other claim is affected."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import looptime
from hypothesis import example, given
from hypothesis import strategies as st

from fake_dra_driver.api.fake import LEDGER_REVISION_ANNOTATION, NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.runtime.errors import InvalidError
from tests.crash.bounds import examples
from tests.crash.disk import Disk, PatientExecutor
from tests.crash.host import Host
from tests.crash.kubernetes import Kubernetes
from tests.crash.process import Steps, controller, supervised
from tests.crash.stage import NAMESPACE, Stage, devices_of
from tests.crash.story import Teller

EDITED, OTHER = "a", "b"
UUIDS = st.sampled_from(["FAKE-unknown", "", "the first", "the second"])
"""The last two stand for the node's devices."""
CLAIMS = st.sampled_from(["no claim", "", "the claim", "a/b", "x" * 300])
"""``the claim`` stands for the UID of the one that is allocated there."""
DEVICES = st.lists(
    st.one_of(
        st.fixed_dictionaries({"uuid": UUIDS}, optional={"split": st.integers(0, 2**31)}),
        st.fixed_dictionaries({}),
    ),
    max_size=3,
)
ENTRIES = st.dictionaries(
    CLAIMS, st.one_of(st.just({}), DEVICES.map(lambda devices: {"fake": {"devices": devices}}), st.none()), max_size=4
)
FAKES = st.builds(lambda uuid: {"fake": {"uuid": uuid, "name": "M"}}, UUIDS)
INVENTORY = st.one_of(st.none(), st.lists(st.one_of(st.just({}), FAKES), max_size=4))
REVISIONS = st.sampled_from([None, "", "-1", "x", "9" * 40])
EDITS = st.fixed_dictionaries(
    {},
    optional={
        "spec": st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {},
                optional={
                    "allocatedClaims": st.one_of(st.none(), ENTRIES),
                    "preparedDevices": st.one_of(st.none(), ENTRIES),
                    "allocatableDevice": INVENTORY,
                },
            ),
        ),
        "status": st.sampled_from([None, "Ready", "NotReady", "nonsense"]),
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "annotations": st.one_of(
                    st.none(),
                    st.dictionaries(st.just(LEDGER_REVISION_ANNOTATION), REVISIONS, max_size=1),
                ),
                "ownerReferences": st.none(),
                "finalizers": st.none(),
            },
        ),
    },
)


@examples(15, 1_000)
@given(edit=EDITS)
@example(edit={"spec": {"allocatedClaims": {"no claim": {}, "the claim": {"fake": {"devices": []}}}}})
def test_an_edit_by_hand_affects_no_other_claim_and_gives_nothing_twice(edit: Mapping[str, Any]) -> None:
    loop = looptime.new_event_loop(noop_cycles=1)
    loop.set_default_executor(PatientExecutor(1))
    root = Path(tempfile.mkdtemp(prefix="edited-"))
    try:
        loop.run_until_complete(_live_with(edit, root))
    finally:
        loop.close()
        shutil.rmtree(root)


async def _live_with(edit: Mapping[str, Any], root: Path) -> None:
    stage, disk = Stage(), Disk(root / "node")
    await stage.furnish()
    host = Host(stage, EDITED, 2, disk)
    with disk.watched():
        async with AsyncExitStack() as stack:
            kill_controller = await stack.enter_async_context(supervised(stage, controller, Steps()))
            stage.install = lambda *_: asyncio.sleep(0)
            await stage.node(EDITED, 2)
            kill_plugin = await stack.enter_async_context(supervised(stage, host.plugin, Steps()))
            teller = Teller(stage, Kubernetes(stage, {EDITED: host}), host.complaints)
            await stage.claim("c")
            await stage.pod("p", "c")
            await teller.running("p")
            stage.install = stage.state
            await stage.node(OTHER, 1)
            await _edit(stage, _named(stage, edit))
            await stage.claim("d")
            await stage.pod("q", "d")
            await teller.running("p", "q")
            for kill in (kill_controller, kill_plugin):
                kill()
            await _let_pass(teller)
            given = [uuid for claim in stage.all(ResourceClaim) for uuid in devices_of(claim)]
            assert len(given) == len(set(given)), stage.describe()
            assert stage.is_running("p")
            assert not host.forgotten
            for pod, claim in (("p", "c"), ("q", "d")):
                await stage.delete(Pod, pod)
                await stage.delete(ResourceClaim, claim)
            await teller.until("all claims are gone", lambda: not stage.all(ResourceClaim))


def _named(stage: Stage, edit: Any) -> Any:
    """The edit with the names of what there is."""
    claim = stage.uid(ResourceClaim, "c")
    state = stage.find(NodeAllocationState, EDITED, NAMESPACE)
    assert state is not None
    first, second = (device["fake"]["uuid"] for device in state["spec"]["allocatableDevice"])
    names = {"the claim": claim, "the first": first, "the second": second}

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {names.get(key, key): named(each) for key, each in value.items()}
        if isinstance(value, list):
            return [named(each) for each in value]
        return names.get(value, value) if isinstance(value, str) else value

    return named(edit)


async def _edit(stage: Stage, edit: Any) -> None:
    try:
        await stage.admin.merge_patch(NodeAllocationState, NamespacedName(NAMESPACE, EDITED), edit)
    except InvalidError:
        return  # the CRD lets no such edit through


async def _let_pass(teller: Teller) -> None:
    for _ in range(20):
        await teller.kubernetes.turn()
        await asyncio.sleep(1)
