"""A real API server lets ``why`` read with the ClusterRole that is documented; what is missing is said."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_dra_driver.runtime.client import Client
from fake_dra_driver.why.program import ask
from fake_dra_driver.why.report import Report
from fake_dra_driver.why.subject import CannotExplainError
from tests.integration.why.conftest import Cluster
from tests.support.apiserver import ApiServer
from tests.support.whycases import POD, full_node

pytestmark = pytest.mark.apiserver(structured=True, today=True)

ROLE = "fake-dra-driver-why-reader"
TRIES = 100
PAGE = (Path(__file__).parents[3] / "docs" / "why.md").read_text()
RULES: Sequence[dict[str, Any]] = yaml.safe_load(PAGE.split("```yaml\n")[1].split("```")[0])["rules"]
CASE = full_node("permitted")


class Reader:
    """A user with the documented role, and no other rights."""

    def __init__(self, apiserver: ApiServer, cluster: Cluster, kubeconfig: Path) -> None:
        self._apiserver = apiserver
        self._cluster = cluster
        self._kubeconfig = kubeconfig
        self._missing: Sequence[str] = ["pods"]

    async def may_all_but(self, *plurals: str) -> None:
        """From now on the user may read all that is documented, but for these."""
        rules = [
            {**rule, "resources": kept}
            for rule in RULES
            if (kept := [plural for plural in rule["resources"] if plural not in plurals])
        ]
        await asyncio.to_thread(self._apply, {"kind": "ClusterRole", "metadata": {"name": ROLE}, "rules": rules})
        for rule in RULES:
            for plural in {*rule["resources"]} & {*plurals, *self._missing}:
                group = f".{rule['apiGroups'][0]}" if rule["apiGroups"][0] else ""
                is_allowed = plural not in plurals
                await asyncio.to_thread(self._wait, rule["verbs"][0], plural + group, allowed=is_allowed)
        self._missing = plurals

    def _apply(self, wire: dict[str, Any]) -> None:
        text = yaml.safe_dump({"apiVersion": "rbac.authorization.k8s.io/v1", **wire})
        self._apiserver.kubectl("apply", "--filename=-", stdin=text)

    def _wait(self, verb: str, resource: str, *, allowed: bool) -> None:
        """Returns once the server decides so: it learns of roles by a watch of its own."""
        for _ in range(TRIES):
            try:
                answer = self._apiserver.kubectl("auth", "can-i", verb, resource, "--as=nobody", "-A").strip()
            except subprocess.CalledProcessError as error:  # "no" is a failure to kubectl
                answer = str(error.stdout).strip()
            if (answer == "yes") == allowed:
                return
        raise AssertionError(f"the user may {'not ' if allowed else 'still '}{verb} {resource}")

    async def why(self, subject: str = POD) -> Report:
        """What the user is told."""
        client = await Client.connect(kubeconfig=str(self._kubeconfig), user_agent="tests")
        try:
            return await ask(client, subject, self._cluster.namespace)
        finally:
            await client.close()


@pytest.fixture
async def reader(apiserver: ApiServer, client: Client, tmp_path: Path) -> AsyncIterator[Reader]:
    """A user, in a cluster where the devices that a pod waits for are in use."""
    cluster = await Cluster.of(client)
    await cluster.set_up(CASE)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(apiserver.kubeconfig_for(apiserver.unprivileged_token))
    bind = ("create", "clusterrolebinding", ROLE, f"--clusterrole={ROLE}", "--user=nobody")
    await asyncio.to_thread(apiserver.kubectl, *bind)
    made = Reader(apiserver, cluster, kubeconfig)
    await made.may_all_but()
    yield made
    gone = ("delete", f"clusterrole/{ROLE}", f"clusterrolebinding/{ROLE}", "--ignore-not-found")
    await asyncio.to_thread(apiserver.kubectl, *gone)
    await cluster.clean_up(*CASE.objects)


async def test_the_documented_role_is_enough_and_what_is_missing_is_said(reader: Reader) -> None:
    report = await reader.why()
    assert (report.verdict, report.notes) == ("Impossible", ())
    for plural, verdict, note in [
        ("nodes", "Impossible", "may not list nodes, so nodes are known from ResourceSlices alone"),
        ("devicetaintrules", "Impossible", "may not list devicetaintrules, so devices that they taint look as if"),
        ("namespaces", "Impossible", "may not get namespaces, so whether the namespace allows admin access is not"),
        ("events", "Impossible", "may not list events, so what the scheduler says is not known"),
        ("resourceslices", "Unknown", "may not list resourceslices, so which devices there are is not known"),
        ("deviceclasses", "Unknown", "may not list deviceclasses, so what the claims ask for is not known in full"),
        ("resourceclaims", "Unknown", "may not list resourceclaims, so"),
    ]:
        await reader.may_all_but(plural)
        report = await reader.why()
        assert (report.verdict, [each[: len(note)] for each in report.notes]) == (verdict, [note])
    await reader.may_all_but("pods")
    with pytest.raises(CannotExplainError, match=r"may not get pods in namespace .*see Permissions in docs/why\.md"):
        await reader.why(f"pod/{POD}")
    report = await reader.why("claim/gpu")
    assert (report.verdict, report.pod) == ("Impossible", "")
    assert "which pod uses the claim is not known" in report.notes[0]
