"""Probes: when they are asked, what they find, and what becomes of containers because of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import Int32Value

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.containerruntime.container import Container as RunningContainer
from fake_dra_driver.cluster.kubelet.containerruntime.container import ContainerConfig, PodReference
from fake_dra_driver.cluster.kubelet.containerruntime.containerlog import ContainerLog
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import ProcessRuntime
from fake_dra_driver.cluster.kubelet.pod import Container, Handler, Probe
from fake_dra_driver.cluster.kubelet.pods.handlers import HandlerResult, HandlerTarget
from fake_dra_driver.cluster.kubelet.pods.probes import ContainerProbes
from tests.unit.cluster.kubelet.waiting import until
from tests.unit.cluster.kubelet.world import FOREVER, World, container, pod, status_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def running_container(ports: dict[int, int] | None = None) -> RunningContainer:
    config = ContainerConfig(PodReference("default", "pod0", UID("u")), "ctr0", 0, ("x",), {}, Path("/"), ports or {})
    return RunningContainer("id", config, ContainerLog(Path("/x")), BEGIN, "running", BEGIN)


# --- When, and how often ---


class Scripted:
    """Probes that find what a test says, one result after the other; the last one for ever."""

    def __init__(self, spec: dict[str, Any], results: str, *, seconds: float = 0.0) -> None:
        self.times: list[float] = []
        self.failures: list[tuple[str, str]] = []
        self.changes: list[tuple[float, bool, bool, str]] = []
        self._results = list(results)
        self._seconds = seconds
        target = HandlerTarget(None, running_container(), Container.model_validate({"name": "ctr0", **spec}))  # type: ignore[arg-type] # not asked
        self.probes = ContainerProbes(
            _Target(target, self._run),
            on_change=self._changed,
            on_failure=lambda kind, text: self.failures.append((kind, text)),
            now=lambda: BEGIN,
        )

    async def _run(self, handler: Handler, timeout_seconds: float) -> HandlerResult:
        self.times.append(asyncio.get_running_loop().time() - self.begun)
        result = self._results.pop(0) if len(self._results) > 1 else self._results[0]
        return HandlerResult(result == "+", "bad")

    def _changed(self) -> None:
        now = asyncio.get_running_loop().time() - self.begun
        self.changes.append((now, self.probes.is_started, self.probes.is_ready, self.probes.failed))

    async def run(self, seconds: float) -> None:
        self.begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(seconds):
                await self.probes.run()
        except TimeoutError:
            pass


class _Target(HandlerTarget):
    __slots__ = ("_run_it",)

    def __init__(self, target: HandlerTarget, run: Callable[[Handler, float], Any]) -> None:
        super().__init__(target.runtime, target.container, target.spec)
        object.__setattr__(self, "_run_it", run)

    async def run(self, handler: Handler, timeout_seconds: float) -> HandlerResult:
        return await self._run_it(handler, timeout_seconds)  # type: ignore[attr-defined, no-any-return] # set above


EXEC = {"exec": {"command": ["x"]}}


@pytest.mark.looptime
async def test_without_probes_a_container_is_started_and_ready() -> None:
    scripted = Scripted({}, "-")
    await scripted.run(100)
    assert (scripted.probes.is_started, scripted.probes.is_ready, scripted.times) == (True, True, [])


@pytest.mark.looptime
async def test_readiness_needs_as_many_results_in_a_row_as_the_thresholds_say() -> None:
    probe = {**EXEC, "initialDelaySeconds": 3, "periodSeconds": 5, "successThreshold": 2, "failureThreshold": 2}
    scripted = Scripted({"readinessProbe": probe}, "+-++-+--+")
    await scripted.run(30)
    assert scripted.times == [3, 4, 5, 6, 11, 16, 21, 26, 27, 28], "more often while it is not ready"
    assert scripted.changes == [(6, True, True, ""), (26, True, False, ""), (28, True, True, "")]
    assert scripted.failures == [("Readiness", "bad")] * 4


@pytest.mark.looptime
async def test_liveness_fails_at_its_threshold_and_asks_no_more() -> None:
    scripted = Scripted({"livenessProbe": {**EXEC, "periodSeconds": 5, "failureThreshold": 3}}, "+--+---")
    await scripted.run(100)
    assert scripted.times == [0, 5, 10, 15, 20, 25, 30]
    assert scripted.changes == [(30, True, True, "liveness")]


@pytest.mark.looptime
async def test_the_others_wait_for_the_startup_probe() -> None:
    spec = {
        "startupProbe": {**EXEC, "periodSeconds": 2, "failureThreshold": 5},
        "livenessProbe": {**EXEC, "periodSeconds": 10},
        "readinessProbe": {**EXEC, "periodSeconds": 10},
    }
    scripted = Scripted(spec, "--+++")
    await scripted.run(9)
    assert scripted.changes == [(4, True, False, ""), (4, True, True, "")]
    assert scripted.times == [0, 2, 4, 4, 4]


@pytest.mark.looptime
async def test_a_startup_probe_that_never_succeeds() -> None:
    scripted = Scripted({"startupProbe": {**EXEC, "periodSeconds": 2, "failureThreshold": 3}}, "-")
    await scripted.run(100)
    assert scripted.changes == [(4, False, False, "startup")]
    assert scripted.probes.failed_probe is not None


@pytest.mark.looptime
async def test_a_pod_that_ends_is_not_killed_by_its_liveness_probe() -> None:
    scripted = Scripted({"livenessProbe": {**EXEC, "periodSeconds": 5}}, "-")
    scripted.probes.is_terminating = True
    await scripted.run(100)
    assert (scripted.probes.failed, scripted.times) == ("", [])


# --- What they do ---


@pytest.fixture
async def http() -> AsyncIterator[Callable[[str], int]]:
    """Makes servers that answer every connection with one text, and gives their ports."""
    servers: list[asyncio.Server] = []
    heads: list[bytes] = []

    async def serve(answer: str) -> int:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer.encode())
            except asyncio.IncompleteReadError:
                pass  # a tcpSocket probe, which connects and sends nothing
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    serve.heads = heads  # type: ignore[attr-defined] # for the one test that looks
    yield serve  # type: ignore[misc] # a coroutine function
    for server in servers:
        server.close()


async def ask(
    handler: dict[str, Any], *, ports: dict[int, int] | None = None, spec: dict[str, Any] | None = None
) -> HandlerResult:
    target = HandlerTarget(None, running_container(ports), Container.model_validate({"name": "ctr0", **(spec or {})}))  # type: ignore[arg-type] # no exec
    return await target.run(Probe.model_validate(handler), 5)


@pytest.mark.parametrize(
    ("code", "success"), [(200, True), (204, True), (302, True), (399, True), (400, False), (404, False), (500, False)]
)
async def test_http_succeeds_below_400(http: Any, code: int, success: bool) -> None:
    port = await http(f"HTTP/1.1 {code} X\r\n\r\n")
    result = await ask(
        {"httpGet": {"path": "/readyz?verbose", "port": port, "httpHeaders": [{"name": "X-A", "value": "b"}]}}
    )
    assert result.success is success
    assert success or result.text == f"HTTP probe failed with statuscode: {code}"
    assert http.heads[0].startswith(b"GET /readyz?verbose HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"X-A: b\r\n" in http.heads[0]


async def test_http_of_something_else_and_of_nothing(http: Any) -> None:
    port = await http("hello\r\n")
    assert (await ask({"httpGet": {"port": port}})).text == f'Get "http://127.0.0.1:{port}/": the answer is not HTTP'
    result = await ask({"httpGet": {"port": 1, "path": "x"}})
    assert not result.success
    assert result.text.startswith('Get "http://127.0.0.1:1/x": ')


async def test_ports_by_name_and_ports_that_are_others_on_this_machine(http: Any) -> None:
    port = await http("HTTP/1.1 200 OK\r\n\r\n")
    spec = {"ports": [{"name": "web", "containerPort": 8080}]}
    assert (await ask({"httpGet": {"port": "web"}}, ports={8080: port}, spec=spec)).success
    assert (await ask({"tcpSocket": {"port": 8080}}, ports={8080: port})).success
    result = await ask({"tcpSocket": {"port": "missing"}}, spec=spec)
    assert (result.success, result.text) == (False, 'the container has no port named "missing"')


async def test_tcp_and_a_handler_without_anything() -> None:
    assert not (await ask({"tcpSocket": {"port": 1}})).success
    assert (await ask({})).text == "the handler says nothing to do"
    assert (await ask({"sleep": {"seconds": 0}})).success


@pytest.mark.parametrize(("status", "success"), [(1, True), (2, False)])
async def test_grpc_asks_the_health_service(status: int, success: bool) -> None:
    asked: list[bytes] = []

    async def check(request: bytes, context: Any) -> bytes:
        asked.append(request)
        return Int32Value(value=status).SerializeToString()

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        assert (await ask({"grpc": {"port": port, "service": "abc"}})).success is success
        assert asked == [b"\x0a\x03abc"]
    finally:
        await server.stop(0)
    assert "Unavailable" in (await ask({"grpc": {"port": port}})).text


async def test_one_that_takes_too_long_has_failed(tmp_path: Path) -> None:
    async with ProcessRuntime(tmp_path) as runtime:
        config = ContainerConfig(
            PodReference("a", "b", UID("u")), "ctr0", 0, ("sleep", "1000"), {"PATH": "/usr/bin:/bin"}, tmp_path
        )
        target = HandlerTarget(runtime, await runtime.start(config), Container(name="ctr0"))
        result = await target.run(Probe.model_validate({"exec": {"command": ["sleep", "1000"]}}), 0.1)
        assert (result.success, result.text) == (False, "no answer within 0.1 s")
        failed = await target.run(Probe.model_validate({"exec": {"command": ["false"]}}), 10)
        assert (failed.success, failed.text) == (False, "command ended with exit code 1")


# --- What becomes of pods ---


def file_probe(file: Path, **more: int) -> dict[str, Any]:
    return {"exec": {"command": ["test", "-e", str(file)]}, "periodSeconds": 1, "failureThreshold": 1, **more}


async def test_a_pod_is_ready_once_its_readiness_probe_says_so(node: World) -> None:
    file = node.root / "ready"
    await node.create(pod("pod0", container(FOREVER, readinessProbe=file_probe(file))))
    waiting = await node.until("pod0", lambda pod: pod.status.container_statuses and status_of(pod).state.running)
    condition = waiting.condition("Ready")
    assert condition is not None
    assert (condition.status, condition.message) == ("False", "containers with unready status: [ctr0]")
    assert (status_of(waiting).ready, status_of(waiting).started) == (False, True)
    await node.until_event("pod0", "Unhealthy", "Readiness probe failed: command ended with exit code 1")
    file.touch()
    await node.until_ready("pod0")


async def test_a_container_that_is_not_alive_is_started_again(node: World) -> None:
    file = node.root / "alive"
    await asyncio.to_thread(file.touch)
    await node.run(pod("pod0", container(FOREVER, livenessProbe=file_probe(file))))
    file.unlink()
    again = await node.until("pod0", lambda pod: status_of(pod).restart_count >= 1)
    await node.until_event("pod0", "Killing", "Container ctr0 failed liveness probe, will be restarted")
    await node.until_event("pod0", "Unhealthy", "Liveness probe failed: command ended with exit code 1")
    assert status_of(again).last_state.terminated is not None


async def test_a_container_that_does_not_start_in_time_is_started_again(node: World) -> None:
    await node.create(pod("pod0", container(FOREVER, startupProbe=file_probe(node.root / "started"))))
    again = await node.until("pod0", lambda pod: pod.status.container_statuses and status_of(pod).restart_count >= 1)
    assert not status_of(again).started
    await node.until_event("pod0", "Killing", "Container ctr0 failed startup probe, will be restarted")


async def test_a_sidecar_holds_the_others_back_until_it_has_started(node: World) -> None:
    file = node.root / "started"
    sidecar = container(FOREVER, "side", restartPolicy="Always", startupProbe=file_probe(file, failureThreshold=1000))
    await node.create(pod("pod0", initContainers=[sidecar]))
    waiting = await node.until(
        "pod0", lambda pod: pod.status.init_container_statuses and status_of(pod, "side").state.running
    )
    assert waiting.status.phase == "Pending"
    assert not status_of(waiting).container_id
    file.touch()
    await node.until_ready("pod0")


async def test_a_restarted_kubelet_believes_what_it_has_said_before(node: World) -> None:
    file = node.root / "ready"
    await asyncio.to_thread(file.touch)
    await node.run(pod("pod0", container(FOREVER, readinessProbe=file_probe(file))))
    await node.stop()
    seen: list[str] = []
    await node.start()
    node.kubelet_client.add_write_observer(lambda kind, raw: seen.append(raw["kind"]))
    await until(lambda: node.kubelet.plugins.drivers() == [])
    condition = (await node.pod("pod0")).condition("Ready")
    assert condition is not None
    assert condition.status == "True"


async def test_readiness_gates_of_others(node: World) -> None:
    await node.create(pod("pod0", readinessGates=[{"conditionType": "example.com/gate"}]))
    waiting = await node.until("pod0", lambda pod: pod.status.container_statuses and status_of(pod).ready)
    condition = waiting.condition("Ready")
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "ReadinessGatesNotReady")
    others = [{"type": "example.com/gate", "status": "True"}]
    wire = [each.to_wire() for each in waiting.status.conditions]
    await node.client.merge_patch(
        type(waiting), waiting.key, {"status": {"conditions": [*wire, *others]}}, subresource="status"
    )
    ready = await node.until_ready("pod0")
    assert ready.condition("example.com/gate") is not None
