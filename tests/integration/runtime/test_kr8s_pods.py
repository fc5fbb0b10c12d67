"""What kr8s does with a running pod: logs and exec on the embedded cluster; what a token that has expired leads to, and
port-forward in the form of kr8s, on a server that speaks their protocols.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from kr8s.asyncio import Api
from kr8s.asyncio.objects import Pod

from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.apiserver.http.tls import make_identity
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.kubeapi import find_api

PATIENCE_SECONDS = 30
READY = [{"type": name, "status": "True"} for name in ("Ready", "ContainersReady")]
POD = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"containers": [{"name": "main", "image": "busybox:1.37"}]},
    "status": {"phase": "Running", "conditions": READY},
}


@asynccontextmanager
async def shared_api(kubeconfig: Path) -> AsyncIterator[Api]:
    """An Api on the session of a client."""
    client = await Client.of(await find_api(str(kubeconfig)))
    try:
        yield client.api
    finally:
        await client.close()


async def test_logs_are_read_and_commands_run(tmp_path: Path) -> None:
    go = tmp_path / "go"
    script = f"echo one; until [ -e {go} ]; do sleep 0.05; done; echo two; exec sleep 1000"
    container = {"name": "main", "image": "busybox:1.37", "command": ["sh", "-c", script]}
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        Cluster() as cluster,
        shared_api(cluster.kubeconfig) as api,
    ):
        pod = Pod({"metadata": {"name": "web"}, "spec": {"containers": [container]}}, "default", api=api)
        await pod.create()
        await pod.wait("condition=Ready")
        async with aclosing(pod.logs(follow=True)) as lines:
            assert await anext(lines) == "one"
            await asyncio.to_thread(go.touch)
            assert await anext(lines) == "two"
        assert [line async for line in pod.logs(tail_lines=1)] == ["two"]
        done = await pod.exec(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
        assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
        assert (await pod.exec(["true"])).returncode == 0
        await pod.delete(force=True)
        await pod.wait("delete")


# --- websockets


class Kubelet:
    """The part of an API server that passes on to a kubelet."""

    def __init__(self) -> None:
        self.token = "old"
        self.commands: list[list[str]] = []
        self.refused = 0

    async def get(self, request: web.Request) -> web.StreamResponse:
        return self._unauthorized(request) or web.json_response(POD)

    async def exec(self, request: web.Request) -> web.StreamResponse:
        if refused := self._unauthorized(request):
            return refused
        self.commands.append(request.query.getall("command"))
        socket = web.WebSocketResponse(protocols=["v4.channel.k8s.io"])
        await socket.prepare(request)
        await socket.send_bytes(b"\x01out\n")
        await socket.send_bytes(b"\x02err\n")
        await socket.send_bytes(b"\x03" + json.dumps({"status": "Success"}).encode())
        await socket.receive()
        return socket

    async def forward(self, request: web.Request) -> web.StreamResponse:
        if refused := self._unauthorized(request):
            return refused
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for channel in (b"\x00", b"\x01"):
            await socket.send_bytes(channel + b"\x50\x00")  # the port that the channel is for
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await socket.send_bytes(b"\x00" + message.data[1:].upper())
        return socket

    def _unauthorized(self, request: web.Request) -> web.StreamResponse | None:
        if request.headers.get("Authorization") == f"Bearer {self.token}":
            return None
        self.refused += 1
        return web.json_response({"kind": "Status", "code": 401, "message": "Unauthorized"}, status=401)


@pytest.fixture
async def kubelet() -> Kubelet:
    return Kubelet()


@pytest.fixture
async def api(kubelet: Kubelet, tmp_path: Path) -> AsyncIterator[Api]:
    """An Api whose token has to be renewed before anything goes through."""
    app = web.Application()
    pod = "/api/v1/namespaces/default/pods/web"
    app.add_routes(
        [
            web.get(pod, kubelet.get),
            web.get(f"{pod}/exec", kubelet.exec),
            web.get(f"{pod}/portforward", kubelet.forward),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    identity = await asyncio.to_thread(make_identity, "127.0.0.1")
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=identity.context).start()
    cluster = {
        "server": f"https://127.0.0.1:{runner.addresses[0][1]}",
        "certificate-authority-data": b64encode(identity.certificate).decode(),
    }
    token_file, kubeconfig = tmp_path / "token", tmp_path / "kubeconfig"
    config: dict[str, Any] = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "c", "user": {"tokenFile": str(token_file)}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    }
    await asyncio.to_thread(token_file.write_text, kubelet.token)
    await asyncio.to_thread(kubeconfig.write_text, json.dumps(config))
    async with shared_api(kubeconfig) as api:
        kubelet.token = "new"
        await asyncio.to_thread(token_file.write_text, kubelet.token)
        yield api
    await runner.cleanup()


async def test_a_command_is_run_in_a_container(kubelet: Kubelet, api: Api) -> None:
    done = await Pod(POD, api=api).exec(["ls", "-l", "/"])
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"err\n")
    assert kubelet.commands == [["ls", "-l", "/"]]
    assert kubelet.refused == 1


async def test_a_websocket_gets_a_new_token_after_a_401(kubelet: Kubelet, api: Api) -> None:
    async with api.open_websocket(
        url="pods/web/exec", namespace="default", params={"command": "ls"}, subprotocols=["v4.channel.k8s.io"]
    ) as socket:
        assert await socket.receive_bytes() == b"\x01out\n"
    assert kubelet.refused == 1


async def test_a_port_is_forwarded(api: Api) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), Pod(POD, api=api).portforward(80, local_port="auto") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        await writer.drain()
        assert await reader.readexactly(5) == b"HELLO"
        writer.close()
        await writer.wait_closed()
