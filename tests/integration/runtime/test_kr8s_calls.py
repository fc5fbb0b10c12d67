"""Each call of kr8s, through the session of a client, on the embedded and on a real API server."""

import ast
import asyncio
import os
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import kr8s
import pytest
import yaml
from httpx_ws import WebSocketUpgradeError
from kr8s.asyncio import Api
from kr8s.asyncio.objects import APIObject, ConfigMap, CustomResourceDefinition, Deployment, Pod

from fake_dra_driver.api.kr8s import asyncio as kinds
from fake_dra_driver.runtime.client import Client
from tests.integration.runtime.servers import Server

CRDS = Path(__file__).parents[3] / "crds"
PATIENCE_SECONDS = 30


async def test_objects_are_created_read_changed_and_deleted(server: Server, api: Api) -> None:
    made = ConfigMap(server.manifest("map", data={"k": "v"}), api=api)
    assert not await made.exists()
    await made.create()
    assert await made.exists()
    with pytest.raises(kr8s.ServerError, match="already exists"):
        await ConfigMap(server.manifest("map"), api=api).create()

    found = await ConfigMap.get("map", namespace=server.namespace, api=api)
    assert (found.data.k, found.metadata.uid) == ("v", made.metadata.uid)
    await found.patch({"data": {"k": "w"}})
    await found.patch([{"op": "add", "path": "/data/n", "value": "1"}], type="json")
    await found.label({"app": "fake"})
    await found.annotate({"example.com/note": "a/b"})
    await made.refresh()
    assert (made.data.to_dict(), made.labels.app) == ({"k": "w", "n": "1"}, "fake")
    assert made.annotations["example.com/note"] == "a/b"
    await found.label("app-")
    await made.refresh()
    assert "app" not in made.labels

    await made.delete()
    with pytest.raises(kr8s.NotFoundError):
        await found.refresh()


async def test_several_objects_are_created_at_once(server: Server, api: Api) -> None:
    await api.create([ConfigMap(server.manifest(f"map-{index}"), api=api) for index in range(3)])
    assert await names(server, api, ConfigMap) == ["map-0", "map-1", "map-2"]


async def test_objects_are_listed_by_kind_label_and_field(server: Server, api: Api) -> None:
    for index in range(3):
        manifest = server.manifest(f"map-{index}")
        manifest["metadata"]["labels"] = {"parity": str(index % 2)}
        await ConfigMap(manifest, api=api).create()

    assert await names(server, api, "configmaps") == ["map-0", "map-1", "map-2"]
    assert await names(server, api, ConfigMap, label_selector={"parity": "0"}) == ["map-0", "map-2"]
    assert await names(server, api, "cm", field_selector="metadata.name=map-1") == ["map-1"]


async def names(server: Server, api: Api, kind: Any, **selection: Any) -> list[str]:
    listed = api.get(kind, namespace=server.namespace, **selection)
    return sorted([found.name async for found in listed if isinstance(found, APIObject)])


async def test_a_pod_is_waited_for(server: Server, api: Api) -> None:
    pod = Pod(server.pod("web"), api=api)
    await pod.create()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(pod.wait("condition=Ready", timeout=PATIENCE_SECONDS), name="wait")
        conditions = [{"type": name, "status": "True"} for name in ("Ready", "ContainersReady")]
        same = await Pod.get("web", namespace=server.namespace, api=api)
        await same.patch({"status": {"phase": "Running", "conditions": conditions}}, subresource="status")
        await waiting
    assert await same.ready()
    async with asyncio.TaskGroup() as group:
        group.create_task(pod.wait("delete", timeout=PATIENCE_SECONDS), name="wait")
        await same.delete()


async def test_a_watch_tells_what_happens_and_ends_when_it_is_left(server: Server, api: Api) -> None:
    first = ConfigMap(server.manifest("first"), api=api)
    await first.create()
    seen: list[tuple[str, bool]] = []
    watch = api.watch("configmaps", namespace=server.namespace, field_selector="metadata.name=first")
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(watch) as events:
        async for kind, found in events:
            seen.append((kind, "seen" in found.labels))
            if kind == "ADDED":
                await first.label({"seen": "yes"})
            elif kind == "MODIFIED":
                await first.delete()
            else:
                break
    assert seen == [("ADDED", False), ("MODIFIED", True), ("DELETED", True)]


async def test_a_deployment_is_scaled(server: Server, api: Api) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": server.pod("web")["spec"]}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "replicas": 1, "template": template}
    deployment = Deployment(server.manifest("web", spec=spec), api=api)
    await deployment.create()
    await deployment.scale(3)
    await deployment.refresh()
    assert deployment.replicas == 3


async def test_what_is_served_is_discovered(api: Api) -> None:
    assert {"pods", "deployments"} <= {resource["name"] for resource in await api.api_resources()}
    assert {"v1", "apps/v1"} <= {version async for version in api.api_versions()}
    assert (await api.version())["major"] == "1"
    assert await api.lookup_kind("po") == ("pod/v1", "pods", True)


async def test_the_typed_client_asks_for_the_versions_of_a_group(shared: Client) -> None:
    assert (await shared.discovery.group("apps")).versions == ("v1",)
    assert (await shared.discovery.group("nothing.example.com")).versions == ()


async def test_who_we_are_is_asked_of_the_server(api: Api) -> None:
    name = await api.whoami()  # type: ignore[no-untyped-call] # kr8s left it untyped
    assert name in ("admin", "kubernetes-admin")


async def test_an_answer_of_no_known_length_can_be_an_error(server: Server, api: Api) -> None:
    pod = Pod(server.pod("web"), api=api)
    await pod.create()
    with pytest.raises(kr8s.ServerError, match="container none is not valid for pod web"):
        _ = [line async for line in pod.logs(container="none")]


@pytest.mark.parametrize("subresource", ["exec", "portforward"])
async def test_a_websocket_that_is_refused_says_so(server: Server, api: Api, subresource: str) -> None:
    await Pod(server.pod("web"), api=api).create()
    where = {"version": "v1", "namespace": server.namespace, "url": f"pods/web/{subresource}"}
    with pytest.raises(WebSocketUpgradeError) as refused:
        async with api.open_websocket(**where, params={"command": "ls", "ports": "80"}):
            raise AssertionError("it was opened")
    assert 400 <= refused.value.response.status_code < 600


async def test_three_lines_make_and_read_claim_parameters(server: Server, api: Api) -> None:
    await install_crds(api)
    script = f"""
from fake_dra_driver.api.kr8s import FakeClaimParameters
FakeClaimParameters({{"metadata": {{"name": "two"}}, "spec": {{"count": 2}}}}, "{server.namespace}").create()
print(FakeClaimParameters.get("two", "{server.namespace}").spec)
"""
    environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script), env=environment, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert ast.literal_eval(out.decode()) == {"count": 2, "split": 0}

    found = await kinds.FakeClaimParameters.get("two", server.namespace, api=api)
    await found.patch({"spec": {"split": 3}})
    assert (found.spec.split, found.kind) == (3, "FakeClaimParameters")
    with pytest.raises(kr8s.ServerError, match=r"spec\.count"):
        await found.patch({"spec": {"count": 1000}})


async def install_crds(api: Api) -> None:
    for path in sorted(CRDS.glob("*.yaml")):
        crd = CustomResourceDefinition(yaml.safe_load(path.read_text()), api=api)
        if not await crd.exists():  # another test of the session may have been here
            await crd.create()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await is_established(crd)


async def is_established(crd: CustomResourceDefinition) -> None:
    """Waits until it is. ``wait`` of kr8s cannot read ``conditions: null``, which a real API server writes first."""

    def is_so() -> bool:
        status: dict[str, Any] = crd.to_dict().get("status") or {}
        return any((each["type"], each["status"]) == ("Established", "True") for each in status.get("conditions") or ())

    await crd.refresh()
    if not is_so():
        async with aclosing(crd.watch()) as events:
            async for _ in events:
                if is_so():
                    return
