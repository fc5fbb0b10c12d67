"""Claims, names and nodes as large as the API lets them be: the real controller and plugin serve them."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from fake_dra_driver.api.fake import MAX_DEVICES_PER_NODE, MAX_SPLIT, FakeClaimParameters
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.runtime.errors import InvalidError
from tests.crash.disk import Disk, PatientExecutor
from tests.crash.host import Host
from tests.crash.kubernetes import Kubernetes
from tests.crash.process import Steps, controller, supervised
from tests.crash.soundness import complaints
from tests.crash.stage import Stage
from tests.crash.story import SIMULATED, Teller

pytestmark = SIMULATED

LONGEST_NAME = ".".join(["a" * 63] * 4)[:253]
"""A DNS subdomain: of nodes, claims, pods and parameters."""


@pytest.mark.parametrize(
    ("count", "split"),
    [(MAX_DEVICES_PER_NODE, 0), pytest.param(16, MAX_SPLIT, id="as many children as may be")],
)
async def test_the_largest_claims_and_the_longest_names_are_served(count: int, split: int, tmp_path: Path) -> None:
    asyncio.get_running_loop().set_default_executor(PatientExecutor(1))
    stage, disk = Stage(), Disk(tmp_path / "node")
    await stage.furnish()
    host = Host(stage, LONGEST_NAME, MAX_DEVICES_PER_NODE, disk)
    with disk.watched():
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(supervised(stage, controller, Steps()))
            stage.install = lambda *_: asyncio.sleep(0)
            await stage.node(LONGEST_NAME, MAX_DEVICES_PER_NODE)
            await stack.enter_async_context(supervised(stage, host.plugin, Steps()))
            kubernetes = Kubernetes(stage, {LONGEST_NAME: host})
            teller = Teller(stage, kubernetes, lambda: [*complaints(stage), *host.complaints()])
            await stage.claim(LONGEST_NAME, count=count, split=split)
            await stage.pod("p", LONGEST_NAME)
            await teller.running("p")
            await teller.at_rest()
            (devices,) = host.cdi_files().values()
            assert len(devices) == count * (split or 1)
            # No other claim gets one of the devices: the pod waits, and an Event says why.
            await stage.claim("waits", count=MAX_DEVICES_PER_NODE)
            await stage.pod(LONGEST_NAME, "waits")
            await teller.at_rest()
            await stage.delete(Pod, "p")
            await stage.delete(ResourceClaim, LONGEST_NAME)
            await teller.running(LONGEST_NAME)
            await teller.at_rest()


@pytest.mark.parametrize(
    ("count", "split"), [(MAX_DEVICES_PER_NODE + 1, 0), (1, MAX_SPLIT + 1), (0, 0), (17, MAX_SPLIT), (1, -1)]
)
async def test_what_is_beyond_the_limits_is_refused_when_it_is_applied(count: int, split: int) -> None:
    stage = Stage()
    await stage.furnish()
    body = {"spec": {"count": count, "split": split}}
    with pytest.raises(InvalidError):
        await stage.admin.apply(FakeClaimParameters, NamespacedName("default", "p"), body, field_manager="kubectl")
