import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from loguru import logger
from typing_extensions import override

from fake_dra_driver.runtime.healthz import Check, HealthServer
from fake_dra_driver.runtime.listening import ListenError
from fake_dra_driver.runtime.metrics import CONTENT_TYPE, Metrics
from tests.support.descriptors import no_more_files
from tests.support.strangers import heard, held
from tests.support.untrusted import HOSTILE_NAMES, assert_harmless, id_of
from tests.unit.runtime.fakes import at_least, logged


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


@asynccontextmanager
async def serving(server: HealthServer) -> AsyncIterator[HealthServer]:
    await server.listen()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run(), name="healthz")
        await asyncio.sleep(0)
        try:
            yield server
        finally:
            task.cancel()


async def send(port: int, raw: bytes, host: str = "127.0.0.1") -> Answer:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(raw)
        answer = (await reader.read()).decode()
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(first.split(" ")[1]), headers, body)


async def get(server: HealthServer, target: str, method: str = "GET") -> Answer:
    return await send(server.port, f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def failing(problem: str) -> Check:
    return lambda: problem


async def test_well_is_200_ok() -> None:
    async with serving(HealthServer("127.0.0.1:0")) as server:
        for path in ("/healthz", "/readyz"):
            answer = await get(server, path)
            assert (answer.status, answer.body) == (200, "ok")
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert answer.headers["Content-Length"] == "2"
            assert answer.headers["Connection"] == "close"


async def test_a_failing_check_is_500_and_says_which_and_why() -> None:
    server = HealthServer("127.0.0.1:0")
    server.add_readyz("caches", failing("not synced: nodes.v1"))
    server.add_readyz("a-first", lambda: None)
    async with serving(server):
        answer = await get(server, "/readyz")
        assert answer.status == 500
        assert answer.body.split("\n") == [
            "[+]a-first ok",
            "[-]caches failed: not synced: nodes.v1",
            "[+]ping ok",
            "readyz check failed",
            "",
        ]
        assert (await get(server, "/healthz")).status == 200, "not ready is no reason for a restart"


async def test_health_checks_are_apart_from_readiness() -> None:
    server = HealthServer("127.0.0.1:0")
    server.add_healthz("disk", failing("full"))
    async with serving(server):
        assert (await get(server, "/healthz")).status == 500
        assert (await get(server, "/readyz")).status == 200


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=id_of)
async def test_a_reason_is_one_line_whatever_it_quotes(name: str) -> None:
    """Such as what an API server has answered; curl prints it on a person's terminal."""
    server = HealthServer("127.0.0.1:0")
    server.add_healthz("caches", failing(f"the server says {name}"))
    async with serving(server):
        reason, *others = (await get(server, "/healthz")).body.split("\n")
    assert reason.startswith("[-]caches failed: the server says ")
    assert_harmless(reason, longest=1024)
    assert others == ["[+]ping ok", "healthz check failed", ""]


async def test_verbose_and_exclude_are_kubernetes() -> None:
    server = HealthServer("127.0.0.1:0")
    server.add_readyz("caches", failing("no"))
    async with serving(server):
        answer = await get(server, "/readyz?verbose&exclude=caches")
        assert (answer.status, answer.body) == (200, "[+]ping ok\nreadyz check passed\n")
        assert (await get(server, "/healthz?verbose")).body == "[+]ping ok\nhealthz check passed\n"


async def test_head_has_the_headers_and_no_body() -> None:
    async with serving(HealthServer("127.0.0.1:0")) as server:
        answer = await get(server, "/healthz", "HEAD")
        assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, "", "2")


async def test_metrics_are_prometheus_text() -> None:
    metrics = Metrics()
    metrics.observe_request("GET", "10.0.0.1:6443", "200", 0.1)
    async with serving(HealthServer("127.0.0.1:0", metrics=metrics)) as server:
        answer = await get(server, "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
    assert 'rest_client_requests_total{code="200",host="10.0.0.1:6443",method="GET"} 1.0\n' in answer.body


@pytest.mark.parametrize(("path", "expected"), [("/numbers", [200, 404]), ("", [404, 404])])
async def test_the_metrics_path_can_be_changed_and_turned_off(path: str, expected: list[int]) -> None:
    async with serving(HealthServer("127.0.0.1:0", metrics=Metrics(), metrics_path=path)) as server:
        assert [(await get(server, target)).status for target in (path or "/", "/metrics")] == expected


HOST = b"Host: localhost\r\n"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /healthz/ HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET http://other/%68ealthz?exclude=%ff HTTP/1.1\r\n" + HOST + b"\r\n", 200),
        (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n", 405),
        (b"DELETE /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000000\r\n\r\n", 405),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 200),
        (b"hello\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"\xff\xfe / HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 20_000 + b"\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: x\r\n" * 1000 + b"\r\n", 400),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    ],
)
async def test_what_is_not_understood_is_refused(raw: bytes, status: int) -> None:
    with logged() as records:
        async with serving(HealthServer("127.0.0.1:0", metrics=Metrics())) as server:
            answer = await send(server.port, raw)
            assert answer.status == status
            assert answer.headers.get("Allow") == ("GET,HEAD" if status == 405 else None)
            assert (await get(server, "/healthz")).status == 200, "and the next one is answered"
    assert at_least("WARNING", records) == [], "what a client does wrong is no news"


async def test_a_client_that_does_not_ask_is_dropped() -> None:
    async with serving(HealthServer("127.0.0.1:0", timeout_seconds=0.01)) as server:
        for said in (b"", b"GET /healthz", b"GET /healthz HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\n"):
            async with held(server.port, 1, said) as (client,):
                assert await heard(client) == b""


async def test_a_client_that_goes_away_does_no_harm() -> None:
    with logged() as records:
        async with serving(HealthServer("127.0.0.1:0")) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /hea")
            await writer.drain()
            writer.transport.abort()
            assert (await get(server, "/healthz")).status == 200
    assert at_least("WARNING", records) == []


# --- Others at the same port ---


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: ",
        b"GET /long HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /healthz?verbose HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n",
        b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n",
        b"nonsense\r\n" * 100,
    ],
)
async def test_a_probe_gets_through_whatever_others_hold(said: bytes) -> None:
    metrics = Metrics()
    for number in range(100):
        metrics.observe_request("GET", f"host-{number}", "200", 0.1)
    server = HealthServer("127.0.0.1:0", metrics=metrics)
    server.add_healthz("long", lambda: "x" * 3_000_000)
    async with serving(server), held(server.port, 200, said), asyncio.timeout(20):
        for path in ("/readyz", "/healthz?exclude=long") * 3:
            assert (await get(server, path)).status == 200
        assert (await get(server, "/metrics")).status == 200


async def test_a_probe_gets_through_when_the_process_has_no_file_descriptors_left() -> None:
    async with serving(HealthServer("127.0.0.1:0")) as server, held(server.port, 20):
        assert (await get(server, "/healthz")).status == 200, "all of them were accepted"
        with socket.create_connection(("127.0.0.1", server.port)) as prober:
            prober.setblocking(False)
            prober.send(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
            with no_more_files():
                async with asyncio.timeout(10):
                    assert (await heard(prober)).startswith(b"HTTP/1.1 200 ")


async def test_metrics_are_rendered_together_for_all_who_ask_at_once() -> None:
    class Counting(Metrics):
        rendered = 0

        @override
        async def render(self) -> bytes:
            self.rendered += 1
            return await super().render()

    metrics = Counting()
    async with serving(HealthServer("127.0.0.1:0", metrics=metrics)) as server, asyncio.TaskGroup() as group:
        answers = [group.create_task(get(server, "/metrics")) for _ in range(30)]
    assert {answer.result().status for answer in answers} == {200}
    assert metrics.rendered < 10


async def test_ended_connections_make_room() -> None:
    async with serving(HealthServer("127.0.0.1:0")) as server:
        assert {(await get(server, "/healthz")).status for _ in range(40)} == {200}


async def test_a_faulty_check_fails_its_probe_and_not_the_program() -> None:
    server = HealthServer("127.0.0.1:0")

    def fail() -> None:
        raise KeyError("bug")

    server.add_readyz("faulty", fail)
    with logged() as records:
        async with serving(server):
            assert (await get(server, "/readyz")).status == 500
            assert (await get(server, "/healthz")).status == 200
    assert at_least("WARNING", records) == [("ERROR", "Answering a probe failed")]


# --- The address ---


async def test_without_a_host_it_listens_everywhere_on_one_port() -> None:
    async with serving(HealthServer(":0")) as server:
        raw = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
        assert (await send(server.port, raw)).status == 200
        if socket.has_dualstack_ipv6():
            assert (await send(server.port, raw, "::1")).status == 200


async def test_an_ipv6_address_in_brackets() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    async with serving(HealthServer("[::1]:0")) as server:
        assert (await send(server.port, b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n", "::1")).status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
async def test_a_port_in_use_is_one_error_that_names_the_setting(host: str) -> None:
    async with serving(HealthServer(f"{host}:0")) as server:
        second = HealthServer(f"{host}:{server.port}", setting="--http-endpoint")
        with pytest.raises(ListenError) as raised:
            await second.listen()
        assert str(raised.value) == (
            f"cannot listen on --http-endpoint {host}:{server.port}: another process listens there; "
            "stop it, or choose another port"
        )
        assert isinstance(raised.value.__cause__, OSError)
        assert raised.value.__cause__.errno == errno.EADDRINUSE


async def test_an_address_of_another_machine_is_refused() -> None:
    problem = r"cannot listen on --http-endpoint 192\.0\.2\.1:0: .*[Cc]annot assign requested address"
    with pytest.raises(ListenError, match=problem):
        await HealthServer("192.0.2.1:0").listen()


@pytest.mark.parametrize("address", ["", "8080", "host:", "host:x", "host:-1", "host:65536", "host:²"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(ListenError, match="the form is"):
        HealthServer(address)


async def test_where_there_is_no_ipv6_everywhere_is_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    async with serving(HealthServer(":0")) as server:
        assert (await get(server, "/healthz")).status == 200
        with pytest.raises(ConnectionRefusedError):
            await send(server.port, b"", host="::1")


async def test_who_runs_it_need_not_call_listen() -> None:
    server = HealthServer("127.0.0.1:0")
    await server.close()  # nothing to give back yet
    is_serving = asyncio.Event()
    sink = logger.add(lambda _: is_serving.set(), filter=lambda record: record["message"] == "Serving probes")
    task = asyncio.create_task(server.run())
    await is_serving.wait()
    logger.remove(sink)
    assert (await get(server, "/healthz")).body == "ok"
    task.cancel()
    await asyncio.wait([task])
    assert server.port == 0


async def test_the_port_is_free_again_after_the_end() -> None:
    async with serving(HealthServer("127.0.0.1:0")) as server:
        port = server.port
    async with serving(HealthServer(f"127.0.0.1:{port}")) as server:
        assert server.port == port
    server = HealthServer("127.0.0.1:0")
    await server.listen()
    assert server.port
    await server.close()
    assert server.port == 0
