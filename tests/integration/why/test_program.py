"""The sub-command against the embedded API server: what it prints, how it finds what is meant, and how it ends."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from fake_dra_driver.cli import main
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.kinds import CustomResourceDefinition
from fake_dra_driver.codegen import definition
from fake_dra_driver.dra.nodestate.kind import node_allocation_state
from fake_dra_driver.inthread import in_thread
from fake_dra_driver.why.program import ask
from fake_dra_driver.why.report import Report
from fake_dra_driver.why.subject import CannotExplainError
from tests.integration.why.conftest import Cluster
from tests.support.whycases import POD, full_node, pod_of

CASE = full_node("busy")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster where the devices that pod ``train`` waits for are in use."""
    async with ApiServer(kubernetes_version="1.37") as server:
        made = await Cluster.of(server.client("tests"))
        await made.set_up(CASE)
        await in_thread(server.write_kubeconfig, tmp_path / "kubeconfig")
        yield made


async def run(tmp_path: Path, cluster: Cluster, *arguments: str) -> int:
    """The exit status of the command; what it prints is the test's to look at."""
    where = [f"--kubeconfig={tmp_path / 'kubeconfig'}", "-n", cluster.namespace]
    return await in_thread(main, ["why", *arguments, *where])


async def test_a_table_for_people(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(tmp_path, cluster, POD) == 0
    told = capsys.readouterr()
    assert told.out.startswith("Pod train waits: none of the 2 nodes has what it asks for\n")
    assert f"in use by claim {cluster.namespace}/other (pod other-0)" in told.out
    assert told.err == ""


@pytest.mark.parametrize("words", [("claim", "gpu"), ("resourceclaim/gpu",), ("gpu",), ("po", "train")])
async def test_json_and_yaml_for_programs(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert await run(tmp_path, cluster, *words, "-o", "json") == 0
    report = Report.model_validate_json(capsys.readouterr().out)
    assert (report.verdict, report.pod) == ("Impossible", POD)
    assert await run(tmp_path, cluster, *words, "-o", "yaml") == 0
    assert yaml.safe_load(capsys.readouterr().out) == json.loads(report.model_dump_json(by_alias=True))


async def test_a_name_that_is_both_a_pods_and_a_claims_is_the_pods(cluster: Cluster) -> None:
    twin = pod_of("other")
    twin["metadata"] = {**twin["metadata"], "name": "gpu"}
    await cluster.apply(twin)
    report = await cluster.why("gpu")
    assert (report.subject.kind, report.verdict) == ("Pod", "Possible")
    assert report.notes == ("there is a claim of the same name as well: claim/gpu",)
    assert (await cluster.why("claim/gpu")).subject.kind == "ResourceClaim"


async def test_a_claim_that_several_pods_use_is_looked_at_for_one_that_waits(cluster: Cluster) -> None:
    twin = pod_of("gpu")
    twin["metadata"] = {**twin["metadata"], "name": "also"}
    await cluster.apply(twin)
    report = await cluster.why("claim/gpu")
    assert (report.pod, report.notes) == ("also", ("2 pods use the claim; it is looked at for also",))


async def test_a_claim_that_no_pod_uses_is_looked_at_alone(cluster: Cluster) -> None:
    report = await cluster.why("claim/other")
    assert (report.verdict, report.pod) == ("Allocated", "")
    assert report.message == "claim other has gpu-0 of pool busy-1, and is used by pod other-0"


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ("trian", "there is no pod or claim trian in namespace NS; did you mean pod/train?"),
        ("claim/train", "there is no claim train in namespace NS; did you mean pod/train?"),
        ("pod/gpu", "there is no pod gpu in namespace NS; did you mean claim/gpu?"),
        ("zzz", "there is no pod or claim zzz in namespace NS; name another one with --namespace"),
        ("claim/gunk", "there is no claim gunk in namespace NS; name another one with --namespace"),
    ],
)
async def test_what_does_not_exist_is_said_with_what_was_probably_meant(
    cluster: Cluster, subject: str, problem: str
) -> None:
    with pytest.raises(CannotExplainError) as raised:
        await cluster.why(subject)
    assert str(raised.value).replace(cluster.namespace, "NS") == problem


async def test_a_namespace_that_does_not_exist_is_named(cluster: Cluster) -> None:
    with pytest.raises(CannotExplainError, match=r"^there is no namespace nowhere; name another one with --namespace$"):
        await ask(cluster.client, POD, "nowhere")


async def test_a_sentence_says_what_is_wrong(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(tmp_path, cluster, "zzz") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        f"fake-dra-driver why: there is no pod or claim zzz in namespace {cluster.namespace}; name another one with "
        "--namespace\n"
    )


async def test_a_cluster_with_classic_dra_has_another_command() -> None:
    client = ApiServer(kubernetes_version="1.30").client("tests")
    with pytest.raises(CannotExplainError, match=r"classic DRA .*`fake-dra-driver status` says it"):
        await ask(client, POD, "default")


async def test_drivers_of_a_cluster_with_classic_dra_are_named() -> None:
    client = ApiServer(kubernetes_version="1.30").client("tests")
    kind = node_allocation_state("lamp.example.com")
    await client.create(CustomResourceDefinition.from_wire(definition(kind)))
    said = "does not: `fake-dra-driver status --driver-name lamp.example.com` says it$"
    with pytest.raises(CannotExplainError, match=said):
        await ask(client, POD, "default")


def test_it_needs_no_library_of_the_embedded_cluster() -> None:
    program = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("cryptography", "jsonpatch", "rich"):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Missing())
import fake_dra_driver.why.program
"""
    subprocess.run([sys.executable, "-c", program], check=True)
