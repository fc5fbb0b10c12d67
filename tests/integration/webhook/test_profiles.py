"""The webhook with an API server that has DeviceProfiles: what they list is accepted, as they are at each moment."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.kinds import CustomResourceDefinition
from fake_dra_driver.codegen import definition
from fake_dra_driver.runtime.client import Client
from tests.integration.webhook.conftest import RunningWebhook, running_webhook

DRIVER = "gpu.example.com"
KIND = {"apiVersion": "gpu.example.com/v1", "kind": "GpuConfig"}
SCHEMA = {"type": "object", "properties": {"interval": {"type": "string", "enum": ["Short", "Long"]}}}
PATH = "spec.devices.config[0].opaque.parameters"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[tuple[Client, str]]:
    """A client of an API server, and the server's kubeconfig."""
    async with ApiServer() as server:
        kubeconfig = tmp_path / "kubeconfig"
        await asyncio.to_thread(server.write_kubeconfig, kubeconfig)
        client = await Client.connect(kubeconfig=str(kubeconfig), user_agent="tests")
        yield client, str(kubeconfig)
        await client.close()


def settings_for(api: tuple[Client, str]) -> Mapping[str, str]:
    return {"FAKE_DRA_KUBECONFIG": api[1], "FAKE_DRA_DRIVER_NAME": DRIVER}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def ready(session: aiohttp.ClientSession, webhook: RunningWebhook) -> None:
    async with asyncio.timeout(30):
        while True:
            async with session.get(f"http://127.0.0.1:{webhook.http_port}/readyz") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.02)


async def problem(session: aiohttp.ClientSession, webhook: RunningWebhook, **fields: Any) -> str:
    """What is wrong with a claim that has a GpuConfig of these fields; empty: nothing."""
    opaque = {"driver": DRIVER, "parameters": {**KIND, **fields}}
    request = {
        "uid": "0d9a",
        "operation": "CREATE",
        "namespace": "default",
        "name": "c",
        "resource": {"group": "resource.k8s.io", "version": "v1", "resource": "resourceclaims"},
        "object": {"metadata": {"name": "c"}, "spec": {"devices": {"config": [{"opaque": opaque}]}}},
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    context = ssl.create_default_context(cafile=str(webhook.files.certificate))
    url = f"https://localhost:{webhook.port}/validate-resource-claim-parameters"
    async with session.post(url, data=json.dumps(review), ssl=context) as answer:
        response = (await answer.json(content_type=None))["response"]
    return "" if response["allowed"] else str(response["status"]["message"])


async def until(session: aiohttp.ClientSession, webhook: RunningWebhook, expected: str, **fields: Any) -> None:
    """Waits until this is wrong; empty: until nothing is."""
    async with asyncio.timeout(30):
        while True:
            found = await problem(session, webhook, **fields)
            if expected in found and (expected or not found):
                return
            await asyncio.sleep(0.02)


async def test_without_profiles_parameters_of_the_quickstart_are_accepted(
    api: tuple[Client, str], tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with running_webhook(tmp_path, settings_for(api)) as webhook:
        await ready(session, webhook)
        assert "must be kind FakeClaimParameters" in await problem(session, webhook)


async def test_what_profiles_list_at_the_moment_is_accepted(
    api: tuple[Client, str], tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    client, _ = api
    await client.create(CustomResourceDefinition.from_wire(definition(DeviceProfile)))
    spec = {"driverName": DRIVER, "configs": [{**KIND, "schema": SCHEMA}]}
    await client.create(DeviceProfile.from_wire({"metadata": {"name": "gpus"}, "spec": spec}))
    async with running_webhook(tmp_path, settings_for(api)) as webhook:
        await ready(session, webhook)
        assert await problem(session, webhook, interval="Long") == ""
        never = await problem(session, webhook, interval="Never")
        assert f'{PATH}.interval: must be "Short" or "Long", is "Never"' in never
        misspelt = await problem(session, webhook, intervl="Long")
        assert f"{PATH}.intervl: there is no such field, only interval" in misspelt
        await client.merge_patch(DeviceProfile, NamespacedName("", "gpus"), {"spec": {"configs": [KIND]}})
        await until(session, webhook, "", interval="Never")
        await client.delete(DeviceProfile, NamespacedName("", "gpus"))
        await until(session, webhook, "must be kind FakeClaimParameters", interval="Long")
