"""A real API server asks the webhook: what people read, in every version, and what is not in the way."""

import asyncio
import json
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.runtime.client import Client
from tests.integration.webhook.conftest import RunningWebhook
from tests.support.apiserver import ApiServer
from tests.support.structuredworld import CLASS, opaque, parameters

pytestmark = pytest.mark.apiserver(structured=True)

Kubectl = Callable[..., Awaitable[str]]
NAME = "resourceclaim-parameters.fake.resource.3-shake.com"


@pytest.fixture
async def versions(client: Client) -> list[str]:
    """The versions of structured DRA that the API server serves, the one to prefer first."""
    served = (await client.discovery.group("resource.k8s.io")).versions
    return [version for version in RESOURCE_APIS if version in served]


@pytest.fixture
async def kubectl(
    apiserver: ApiServer, versions: list[str], running: RunningWebhook, namespace: str
) -> AsyncIterator[Kubectl]:
    """kubectl in a namespace in which the webhook is asked."""

    async def run(*arguments: str, stdin: dict[str, Any] | None = None) -> str:
        text = None if stdin is None else json.dumps(stdin)
        return await asyncio.to_thread(apiserver.kubectl, "--namespace", namespace, *arguments, stdin=text)

    bundle = b64encode(await asyncio.to_thread(running.files.certificate.read_bytes)).decode()
    url = f"https://127.0.0.1:{running.port}/validate-resource-claim-parameters"
    rule = {
        "operations": ["CREATE", "UPDATE"],
        "apiGroups": ["resource.k8s.io"],
        "apiVersions": list(RESOURCE_APIS),
        "resources": ["resourceclaims", "resourceclaimtemplates"],
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": NAME,
                "clientConfig": {"url": url, "caBundle": bundle},
                "rules": [rule],
                "matchPolicy": "Exact",
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "failurePolicy": "Fail",
            }
        ],
    }
    await run("create", "-f", "-", stdin=configuration)
    try:
        # Asked from the moment on at which the API server's own cache has it.
        await until_admitted(run, claim(versions[0], "probe", opaque("text")), False)
        yield run
    finally:
        await run("delete", "validatingwebhookconfiguration", namespace)


async def until_admitted(kubectl: Kubectl, manifest: dict[str, Any], wanted: bool) -> None:
    """Returns once the object is let in, or refused: the API server reads changes of its webhooks from a cache."""
    async with asyncio.timeout(60):
        while await is_admitted(kubectl, manifest) != wanted:  # noqa: ASYNC110 - another program's cache
            await asyncio.sleep(0.05)


async def is_admitted(kubectl: Kubectl, manifest: dict[str, Any]) -> bool:
    try:
        await kubectl("create", "--dry-run=server", "-f", "-", stdin=manifest)
    except subprocess.CalledProcessError:
        return False
    return True


async def refusal(kubectl: Kubectl, manifest: dict[str, Any], *command: str) -> str:
    """What kubectl says."""
    with pytest.raises(subprocess.CalledProcessError) as raised:
        await kubectl(*(command or ("create", "-f", "-")), stdin=manifest)
    return str(raised.value.stderr)


def spec(version: str, *config: dict[str, Any]) -> dict[str, Any]:
    asked = {"deviceClassName": CLASS}
    request = {"name": "fakes", **asked} if version == "v1beta1" else {"name": "fakes", "exactly": asked}
    return {"devices": {"requests": [request], "config": list(config)}}


def claim(version: str, name: str, *config: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": f"resource.k8s.io/{version}",
        "kind": "ResourceClaim",
        "metadata": {"name": name},
        "spec": spec(version, *config),
    }


async def test_claims_and_templates_of_every_version(kubectl: Kubectl, versions: list[str]) -> None:
    for version in versions:
        await kubectl("create", "-f", "-", stdin=claim(version, f"good-{version}", opaque(parameters(split=2))))
        said = await refusal(kubectl, claim(version, "bad", opaque(parameters(split=65, spilt=1))))
        assert "spec.devices.config[0].opaque.parameters.spec.split: must be at most 64, is 65" in said
        assert "spec.spilt: there is no such field, only count, selector and split" in said
        assert 'The ResourceClaim "bad" is invalid' in said, "in the form of the API server's own validation"
        template = {
            "apiVersion": f"resource.k8s.io/{version}",
            "kind": "ResourceClaimTemplate",
            "metadata": {"name": "bad"},
            "spec": {"spec": spec(version, opaque(parameters(count=2)))},
        }
        said = await refusal(kubectl, template)
        assert "spec.spec.devices.config[0].opaque.parameters.spec.count: must be 1, the number of devices" in said


async def test_a_claim_that_was_let_in_before_can_change_and_go(
    apiserver: ApiServer, kubectl: Kubectl, versions: list[str], namespace: str
) -> None:
    """The webhook is switched off meanwhile."""
    bad = claim(versions[0], "old", opaque(parameters(split=65)))
    bad["metadata"]["finalizers"] = ["example.com/hold"]
    configuration = await kubectl("get", "validatingwebhookconfiguration", namespace, "-o", "json")
    await kubectl("delete", "validatingwebhookconfiguration", namespace)
    await until_admitted(kubectl, bad, True)
    await kubectl("create", "-f", "-", stdin=bad)
    await kubectl("create", "-f", "-", stdin={**json.loads(configuration), "metadata": {"name": namespace}})
    await until_admitted(kubectl, claim(versions[0], "probe", opaque("text")), False)
    await kubectl("label", "resourceclaim", "old", "a=b")
    await kubectl("delete", "resourceclaim", "old", "--wait=false")
    await kubectl("patch", "resourceclaim", "old", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    assert "old" not in await kubectl("get", "resourceclaims", "-o", "name")
