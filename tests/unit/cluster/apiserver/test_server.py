"""The server over HTTP: objects, lists, watches, deletion."""

import asyncio
import json
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import ConflictError
from tests.unit.cluster.apiserver.asking import APPLY, JSON_PATCH, MERGE, STRATEGIC, Ask

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


def config_map(name: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, **fields.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **fields}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "busybox"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


async def events(http: httpx.AsyncClient, path: str) -> AsyncGenerator[dict[str, Any], None]:
    async with http.stream("GET", path) as response:
        assert response.status_code == 200
        async for line in response.aiter_lines():
            yield json.loads(line)


async def test_who_has_no_token_gets_401(server: ApiServer, http: httpx.AsyncClient) -> None:
    for header in ("", "Bearer nonsense", "Bearer a.b.c", f"Basic {server.token}"):
        response = await http.get(MAPS, headers={"Authorization": header})
        assert (response.status_code, response.json()["reason"]) == (401, "Unauthorized")


async def test_the_kubeconfig_is_for_its_owner_alone(server: ApiServer, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("old")
    file.chmod(0o644)
    await asyncio.to_thread(server.write_kubeconfig, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["kubeconfig"]


async def test_an_object_lives_and_ends(ask: Ask) -> None:
    created = await ask("POST", MAPS, config_map("a", data={"k": "v"}), code=201)
    assert created["metadata"]["namespace"] == "default"
    assert created["metadata"]["managedFields"][0]["fieldsV1"] == {"f:data": {".": {}, "f:k": {}}}
    again = await ask("POST", MAPS, config_map("a"), code=409)
    assert (again["reason"], again["message"]) == ("AlreadyExists", 'configmaps "a" already exists')
    same = await ask("PUT", f"{MAPS}/a", config_map("a", data={"k": "v"}), code=200)
    assert same["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    stale = config_map("a", data={"k": "w"}, metadata={"resourceVersion": "1"})
    assert (await ask("PUT", f"{MAPS}/a", stale, code=409))["reason"] == "Conflict"
    gone = await ask("DELETE", f"{MAPS}/a", code=200)
    assert gone["details"]["uid"] == created["metadata"]["uid"]
    assert (await ask("GET", f"{MAPS}/a", code=404))["details"] == {"kind": "configmaps", "name": "a"}


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"metadata": {}}, 422, "name or generateName is required"),
        (config_map("A_b"), 422, "a lowercase RFC 1123 subdomain"),
        ({**config_map("a"), "kind": "Secret"}, 400, "unknown conversion"),
        (config_map("a", metadata={"namespace": "other"}), 400, "does not match the namespace sent on the request"),
        (
            config_map("a", data={"k": 1}),
            400,
            "cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (config_map("a", data={"a/b": ""}), 422, "a valid config key must consist of"),
        (config_map("a", metadata={"labels": {"a b": ""}}), 422, "metadata.labels"),
    ],
)
async def test_what_a_real_server_refuses_is_refused(ask: Ask, body: Any, code: int, message: str) -> None:
    assert message in (await ask("POST", MAPS, body, code=code))["message"]
    assert (await ask("GET", MAPS))["items"] == []


async def test_names_are_generated_and_dry_runs_leave_nothing(ask: Ask) -> None:
    body = {"metadata": {"generateName": "x-"}}
    name = (await ask("POST", f"{MAPS}?dryRun=All", body, code=201))["metadata"]["name"]
    assert len(name) == len("x-12345")
    await ask("GET", f"{MAPS}/{name}", code=404)


async def test_unknown_fields_are_warned_of_or_refused(http: httpx.AsyncClient) -> None:
    warned = await http.post(MAPS, json=config_map("a", bogus=1))
    assert "bogus" not in warned.json()
    assert warned.headers["Warning"] == '299 - "unknown field \\"bogus\\""'
    strict = await http.post(f"{MAPS}?fieldValidation=Strict", json=config_map("b", bogus=1))
    assert (strict.status_code, 'unknown field "bogus"' in strict.json()["message"]) == (400, True)


async def test_lists_come_in_pages_of_one_revision(server: ApiServer, ask: Ask) -> None:
    for name in "abc":
        await ask("POST", MAPS, config_map(name), code=201)
    first = await ask("GET", f"{MAPS}?limit=2")
    assert first["metadata"]["remainingItemCount"] == 1
    await ask("POST", MAPS, config_map("d"), code=201)
    token = first["metadata"]["continue"]
    rest = await ask("GET", f"{MAPS}?limit=2&continue={token}")
    assert [each["metadata"]["name"] for each in rest["items"]] == ["c"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    server.compact()
    expired = await ask("GET", f"{MAPS}?limit=2&continue={token}", code=410)
    assert expired["reason"] == "Expired"
    fresh = await ask("GET", f"{MAPS}?continue={expired['metadata']['continue']}", code=200)
    assert [each["metadata"]["name"] for each in fresh["items"]] == ["c", "d"]


async def test_a_watch_replays_and_goes_on(http: httpx.AsyncClient, ask: Ask) -> None:
    version = (await ask("GET", MAPS))["metadata"]["resourceVersion"]
    await ask("POST", MAPS, config_map("a", metadata={"labels": {"l": "1"}}))
    async with aclosing(events(http, f"{MAPS}?watch=1&resourceVersion={version}&labelSelector=l=1")) as stream:
        assert (await anext(stream))["type"] == "ADDED"
        await ask("PATCH", f"{MAPS}/a", {"data": {"k": "v"}}, kind=MERGE)
        assert (await anext(stream))["type"] == "MODIFIED"
        left = await ask("PATCH", f"{MAPS}/a", {"metadata": {"labels": None}}, kind=MERGE)
        event = await anext(stream)
        assert (event["type"], event["object"]["metadata"]["labels"]) == ("DELETED", {"l": "1"})
        assert event["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]


async def test_a_watch_from_a_version_that_is_gone_is_410(server: ApiServer, ask: Ask) -> None:
    version = (await ask("POST", MAPS, config_map("a")))["metadata"]["resourceVersion"]
    await ask("POST", MAPS, config_map("b"))
    server.compact()
    event = await ask("GET", f"{MAPS}?watch=1&resourceVersion={version}", code=200)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_watches_end_in_time_and_with_the_server(server: ApiServer, http: httpx.AsyncClient) -> None:
    ended = [each async for each in events(http, f"{MAPS}?watch=1&timeoutSeconds=1")]
    assert ended == []
    async with http.stream("GET", f"{MAPS}?watch=1") as response:
        await server.__aexit__(None, None, None)
        assert [line async for line in response.aiter_lines()] == []


async def test_finalizers_hold_an_object_back(ask: Ask) -> None:
    await ask("POST", MAPS, config_map("a", metadata={"finalizers": ["x.io/f"]}), code=201)
    marked = await ask("DELETE", f"{MAPS}/a", code=200)
    assert marked["metadata"]["deletionTimestamp"]
    more = {"metadata": {"finalizers": ["x.io/f", "x.io/g"]}}
    assert "no new finalizers can be added" in (await ask("PATCH", f"{MAPS}/a", more, code=422, kind=MERGE))["message"]
    await ask("PATCH", f"{MAPS}/a", {"metadata": {"finalizers": None}}, code=200, kind=MERGE)
    await ask("GET", f"{MAPS}/a", code=404)


async def test_preconditions_propagation_and_collections(ask: Ask) -> None:
    for name in "ab":
        await ask("POST", MAPS, config_map(name, metadata={"labels": {"l": name}}), code=201)
    assert (
        "UID in the precondition"
        in (await ask("DELETE", f"{MAPS}/a", {"preconditions": {"uid": "x"}}, code=409))["message"]
    )
    marked = await ask("DELETE", f"{MAPS}/a?propagationPolicy=Foreground", code=200)
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
    deleted = await ask("DELETE", f"{MAPS}?labelSelector=l=b", code=200)
    assert [each["metadata"]["name"] for each in deleted["items"]] == ["b"]


async def test_patches_of_a_pod(ask: Ask) -> None:
    created = await ask("POST", PODS, pod("p"), code=201)
    assert (created["spec"]["restartPolicy"], created["status"]["phase"]) == ("Always", "Pending")
    image = {"spec": {"containers": [{"name": "c", "image": "other:1"}]}}
    patched = await ask("PATCH", f"{PODS}/p", image, code=200, kind=STRATEGIC)
    assert [each["image"] for each in patched["spec"]["containers"]] == ["other:1"]
    frozen = {"spec": {"restartPolicy": "Never"}}
    assert "pod updates may not change" in (await ask("PATCH", f"{PODS}/p", frozen, code=422, kind=MERGE))["message"]
    status = [{"op": "replace", "path": "/status/phase", "value": "Running"}]
    ignored = await ask("PATCH", f"{PODS}/p", status, code=200, kind=JSON_PATCH)
    assert ignored["status"]["phase"] == "Pending"
    assert (await ask("PATCH", f"{PODS}/p/status", status, code=200, kind=JSON_PATCH))["status"]["phase"] == "Running"
    await ask("PATCH", f"{PODS}/p", {}, code=415, kind="text/plain")


async def test_a_pod_is_bound_once_and_deleted_with_grace(ask: Ask) -> None:
    await ask("POST", PODS, pod("p"), code=201)
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    await ask("POST", f"{PODS}/p/binding", binding, code=201)
    second = await ask("POST", f"{PODS}/p/binding", binding, code=409)
    assert 'already assigned to node "n"' in second["message"]
    found = await ask("GET", "/api/v1/pods?fieldSelector=spec.nodeName=n")
    assert len(found["items"]) == 1
    assert (await ask("DELETE", f"{PODS}/p", code=200))["metadata"]["deletionGracePeriodSeconds"] == 30
    await ask("DELETE", f"{PODS}/p?gracePeriodSeconds=0", code=200)
    await ask("GET", f"{PODS}/p", code=404)


async def test_server_side_apply_of_a_config_map(ask: Ask) -> None:
    body = config_map("a", data={"k": "1"})
    await ask("PATCH", f"{MAPS}/a?fieldManager=m1", body, code=201, kind=APPLY)
    again = await ask("PATCH", f"{MAPS}/a?fieldManager=m1", body, code=200, kind=APPLY)
    other = config_map("a", data={"k": "2"})
    assert (
        'conflict with "m1": .data.k'
        in (await ask("PATCH", f"{MAPS}/a?fieldManager=m2", other, code=409, kind=APPLY))["message"]
    )
    assert (await ask("GET", f"{MAPS}/a"))["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]
    assert (await ask("PATCH", f"{MAPS}/a?fieldManager=m2&force=true", other, code=200, kind=APPLY))["data"] == {
        "k": "2"
    }
    await ask("PATCH", f"{MAPS}/a", other, code=422, kind=APPLY)


async def test_namespaces_are_needed_and_wait_for_their_controller(ask: Ask) -> None:
    await ask("POST", "/api/v1/namespaces/none/configmaps", config_map("a"), code=404)
    await ask("POST", "/api/v1/namespaces", {"metadata": {"name": "ns"}}, code=201)
    terminating = await ask("DELETE", "/api/v1/namespaces/ns", code=200)
    assert terminating["status"]["phase"] == "Terminating"
    assert (
        "being terminated"
        in (await ask("POST", "/api/v1/namespaces/ns/configmaps", config_map("a"), code=403))["message"]
    )
    terminating["spec"]["finalizers"] = []
    await ask("PUT", "/api/v1/namespaces/ns/finalize", terminating, code=200)
    await ask("GET", "/api/v1/namespaces/ns", code=404)
    await ask("DELETE", "/api/v1/namespaces/default", code=403)


async def test_a_service_account_gets_a_token_that_works(http: httpx.AsyncClient, ask: Ask) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await ask("POST", accounts, {"metadata": {"name": "sa"}}, code=201)
    answer = await ask("POST", f"{accounts}/sa/token", {"spec": {}}, code=201)
    headers = {"Authorization": f"Bearer {answer['status']['token']}"}
    review = await http.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={}, headers=headers)
    assert review.json()["status"]["userInfo"]["username"] == "system:serviceaccount:default:sa"


async def test_tables_and_metadata(http: httpx.AsyncClient, ask: Ask) -> None:
    await ask("POST", PODS, pod("p"), code=201)
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    table = (await http.get(PODS, headers=accept)).json()
    assert [each["name"] for each in table["columnDefinitions"]][:4] == ["Name", "Ready", "Status", "Restarts"]
    assert table["rows"][0]["cells"][:4] == ["p", "0/1", "Pending", "0"]
    partial = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    item = (await http.get(PODS, headers=partial)).json()["items"][0]
    assert (item["kind"], "spec" in item) == ("PartialObjectMetadata", False)
    assert (await http.get(PODS, headers={"Accept": "text/html"})).status_code == 406


async def test_the_frameworks_client_and_cache_work_over_https(client: Client) -> None:
    created = await client.create(Node(metadata=ObjectMeta(name="n")))
    cache = Cache(client)
    informer = cache.informer(Node)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cache.run(), name="cache")
        await cache.wait_for_sync()
        changed = asyncio.Event()
        informer.subscribe(lambda change: changed.set() if change.new and change.new.metadata.labels else None)
        await client.merge_patch(Node, created.key, {"metadata": {"labels": {"a": "b"}}})
        async with asyncio.timeout(5):
            await changed.wait()
        running.cancel()
    with pytest.raises(ConflictError):
        await client.update(created)
