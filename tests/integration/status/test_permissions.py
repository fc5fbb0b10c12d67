"""A real API server lets ``status`` read with the ClusterRole that is documented, and with nothing less."""

import asyncio
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kinds import KINDS
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.codegen import render_crd
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.status.faults import FAULTS_HIDDEN
from fake_dra_driver.status.nodes import NODES_HIDDEN
from fake_dra_driver.status.ourdriver import CLASSIC_KINDS, STRUCTURED_KINDS, OurDriver
from fake_dra_driver.status.program import run_status
from fake_dra_driver.status.settings import StatusSettings
from fake_dra_driver.status.view import CannotReportError, ClusterView, find_api
from tests.support.apiserver import ApiServer

pytestmark = pytest.mark.apiserver

ROLE = "fake-dra-driver-status-reader"
TRIES = 100


def wait_until(apiserver: ApiServer, resource: str, *, allowed: bool) -> None:
    """Returns once the server decides so: it learns of roles by a watch of its own."""
    for _ in range(TRIES):
        try:
            answer = apiserver.kubectl("auth", "can-i", "list", resource, "--as=nobody", "--all-namespaces").strip()
        except subprocess.CalledProcessError as error:  # "no" is a failure to kubectl
            answer = str(error.stdout).strip()
        if (answer == "yes") == allowed:
            return
    raise AssertionError(f"the user may {'not ' if allowed else 'still '}list {resource}")


def kinds(apiserver: ApiServer) -> Sequence[type[KubeObject]]:
    """What is read on this release."""
    return STRUCTURED_KINDS if apiserver.minor > 31 else CLASSIC_KINDS


def resource_of(kind: type[KubeObject]) -> str:
    """As kubectl and RBAC name it."""
    return f"{kind.resource.plural}.{kind.resource.group}" if kind.resource.group else kind.resource.plural


@pytest.fixture
def reader(apiserver: ApiServer, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of a user with the ClusterRole of docs/status.md, on a server with the driver's kinds."""
    for crd in KINDS:
        apiserver.kubectl("apply", "--filename=-", stdin=render_crd(crd, "A test's."))
    names = [f"crd/{crd.resource.plural}.{crd.resource.group}" for crd in KINDS]
    apiserver.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
    # Those of other tests, in namespaces that status would have to be told of: nothing empties the namespaces here.
    apiserver.kubectl("delete", resource_of(NodeAllocationState), "--all", "--all-namespaces")
    page = (Path(__file__).parents[3] / "docs" / "status.md").read_text()
    apiserver.kubectl("apply", "--filename=-", stdin=page.split("```yaml\n")[1].split("```")[0])
    apiserver.kubectl("create", "clusterrolebinding", ROLE, f"--clusterrole={ROLE}", "--user=nobody")
    for kind in kinds(apiserver):
        wait_until(apiserver, resource_of(kind), allowed=True)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(apiserver.kubeconfig_for(apiserver.unprivileged_token))
    yield kubeconfig
    apiserver.kubectl("delete", f"clusterrole/{ROLE}", f"clusterrolebinding/{ROLE}", "--ignore-not-found")


async def test_reading_is_enough(reader: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = await asyncio.to_thread(StatusSettings, kubeconfig=str(reader))
    assert await run_status(settings) == 0
    assert capsys.readouterr().out.startswith("fake.resource.3-shake.com")


async def test_watching_is_allowed_too(reader: Path) -> None:
    client = await Client.connect(kubeconfig=str(reader), user_agent="tests")
    cache = Cache(client)
    ClusterView.of(OurDriver(), cache, client, await find_api(client), None)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cache.run())
        async with asyncio.timeout(30):
            await cache.wait_for_sync()
        running.cancel()
    await client.close()


@pytest.mark.parametrize(("resource", "said"), [("nodes", NODES_HIDDEN), ("devicefaults", FAULTS_HIDDEN)])
async def test_some_may_be_left_out(
    resource: str, said: str, reader: Path, apiserver: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    role = yaml.safe_load(await asyncio.to_thread(apiserver.kubectl, "get", f"clusterrole/{ROLE}", "--output=yaml"))
    del role["metadata"]["resourceVersion"]
    role["rules"] = [rule for rule in role["rules"] if resource not in rule["resources"]]
    await asyncio.to_thread(apiserver.kubectl, "replace", "--filename=-", stdin=yaml.safe_dump(role))
    await asyncio.to_thread(wait_until, apiserver, resource, allowed=False)
    settings = await asyncio.to_thread(StatusSettings, kubeconfig=str(reader))
    assert await run_status(settings) == 0
    assert said in capsys.readouterr().out


async def test_each_rule_is_needed(reader: Path, apiserver: ApiServer) -> None:
    def keep_without(group: str) -> None:
        role["rules"] = [rule for rule in rules if rule["apiGroups"] != [group]]
        apiserver.kubectl("replace", "--filename=-", stdin=yaml.safe_dump(role))
        for kind in kinds(apiserver):
            wait_until(apiserver, resource_of(kind), allowed=kind.resource.group != group)

    role = yaml.safe_load(await asyncio.to_thread(apiserver.kubectl, "get", f"clusterrole/{ROLE}", "--output=yaml"))
    del role["metadata"]["resourceVersion"]
    rules = role["rules"]
    settings = await asyncio.to_thread(StatusSettings, kubeconfig=str(reader))
    for group in sorted({kind.resource.group for kind in kinds(apiserver) if kind not in (DeviceFault, DeviceProfile)}):
        await asyncio.to_thread(keep_without, group)
        with pytest.raises(CannotReportError, match=r"may not list .*status needs get, list and watch"):
            await run_status(settings)
