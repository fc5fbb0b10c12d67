"""``kubectl logs``: which log is meant, and what cannot be had, over HTTP as kubectl asks."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.unit.cluster.kubelet.waiting import until
from tests.unit.cluster.kubelet.world import FOREVER, World, container, pod, status_of

PATH = "/api/v1/namespaces/default/pods/pod0/log"


@pytest.fixture
async def http(node: World) -> AsyncIterator[httpx.AsyncClient]:
    async with node.server as server:
        trust = ssl.create_default_context(cadata=server.certificate.decode())
        headers = {"Authorization": f"Bearer {server.token}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers, verify=trust, timeout=10) as http:
            yield http


async def test_the_log_of_a_running_container(node: World, http: httpx.AsyncClient) -> None:
    await node.run(pod("pod0", container(f"echo one; echo two; {FOREVER}")))
    await node.log_until("pod0", "one\ntwo\n")
    assert (await http.get(PATH)).text == "one\ntwo\n"
    assert (await http.get(PATH, params={"tailLines": 1})).text == "two\n"
    assert (await http.get(PATH, params={"limitBytes": 5})).text == "one\nt"
    lines = (await http.get(PATH, params={"timestamps": "true"})).text.splitlines()
    assert [line.split(" ")[1] for line in lines] == ["one", "two"]
    assert (await http.get(PATH, params={"sinceTime": lines[1].split(" ")[0]})).text.endswith("two\n")
    assert (await http.get(PATH, params={"sinceSeconds": 3600})).text == "one\ntwo\n"
    assert (await http.get(PATH, params={"sinceTime": "2100-01-01T00:00:00Z"})).text == ""


async def test_follow_brings_what_comes_and_ends_with_the_container(node: World, http: httpx.AsyncClient) -> None:
    script = f"echo one; until [ -e {node.root}/go ]; do sleep 0.01; done; echo two; {FOREVER}"
    await node.run(pod("pod0", container(script)))
    async with http.stream("GET", PATH, params={"follow": "true"}) as response:
        text = ""
        async for block in response.aiter_text():
            text += block
            if text == "one\n":
                (node.root / "go").touch()
            elif text == "one\ntwo\n":
                await node.delete("pod0")
    assert text == "one\ntwo\n"


async def test_the_log_of_the_container_before(node: World, http: httpx.AsyncClient) -> None:
    flag = node.root / "flag"
    script = f"[ -e {flag} ] && echo second || echo first; [ -e {flag} ] || {{ touch {flag}; exit 1; }}; {FOREVER}"
    await node.create(pod("pod0", container(script)))
    await node.until(
        "pod0", lambda pod: pod.status.container_statuses and status_of(pod).restart_count == 1 and status_of(pod).ready
    )
    await node.log_until("pod0", "second\n")
    assert (await http.get(PATH)).text == "second\n"
    assert (await http.get(PATH, params={"previous": "true"})).text == "first\n"


async def test_the_log_of_a_container_that_waits_for_its_restart(node: World, http: httpx.AsyncClient) -> None:
    await node.create(pod("pod0", container("echo failed; exit 1")))
    await node.until(
        "pod0",
        lambda pod: (
            pod.status.container_statuses and status_of(pod).state.waiting and status_of(pod).restart_count == 1
        ),
    )
    assert (await http.get(PATH)).text == "failed\n"


async def test_the_log_of_a_finished_pod_and_of_an_init_container(node: World, http: httpx.AsyncClient) -> None:
    init = [container("echo init", "init0")]
    await node.create(pod("pod0", container("echo done"), initContainers=init, restartPolicy="Never"))
    await node.until_phase("pod0", "Succeeded")
    assert (await http.get(PATH, params={"container": "ctr0"})).text == "done\n"
    assert (await http.get(PATH, params={"container": "init0"})).text == "init\n"


async def refusal(http: httpx.AsyncClient, **query: str) -> tuple[int, str]:
    response = await http.get(PATH, params=query)
    return response.status_code, response.json()["message"]


async def test_what_cannot_be_had_is_refused_in_the_words_of_a_kubelet(node: World, http: httpx.AsyncClient) -> None:
    await node.run(pod("pod0", container(f"echo one; {FOREVER}")))
    assert await refusal(http, previous="true") == (400, 'previous terminated container "ctr0" in pod "pod0" not found')
    assert await refusal(http, container="missing") == (400, "container missing is not valid for pod pod0")
    assert (await refusal(http, tailLines="x"))[0] == 400
    assert (await refusal(http, tailLines="-1"))[0] == 422
    assert (await refusal(http, sinceTime="yesterday"))[0] == 400


async def test_a_container_that_has_not_started_yet(node: World, http: httpx.AsyncClient) -> None:
    await node.create(pod("pod0", {"name": "ctr0", "image": "nginx"}))
    await node.until_event("pod0", "Failed")
    await node.until(
        "pod0",
        lambda pod: (
            pod.status.container_statuses
            and getattr(status_of(pod).state.waiting, "reason", "").startswith(("ErrImage", "Image"))
        ),
    )
    assert await refusal(http) == (
        400,
        'container "ctr0" in pod "pod0" is waiting to start: trying and failing to pull image',
    )


async def test_there_is_no_answer_while_the_kubelet_is_away(node: World, http: httpx.AsyncClient) -> None:
    await node.run(pod("pod0", container(f"echo one; {FOREVER}")))
    await node.stop()
    code, message = await refusal(http)
    assert code == 500
    assert "the kubelet of node node-0 does not answer" in message
    await node.start()
    await node.log_until("pod0", "one\n")
    assert (await http.get(PATH)).text == "one\n"


async def test_a_reader_that_goes_away_leaves_nothing_behind(node: World, http: httpx.AsyncClient) -> None:
    await node.run(pod("pod0", container(f"echo one; {FOREVER}")))
    before = len(asyncio.all_tasks())
    async with http.stream("GET", PATH, params={"follow": "true"}) as response:
        assert await anext(response.aiter_text()) == "one\n"
    await until(lambda: len(asyncio.all_tasks()) <= before)
