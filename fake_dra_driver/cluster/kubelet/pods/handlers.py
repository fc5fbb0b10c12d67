"""What probes and hooks do: run a command in the container, ask over HTTP or gRPC, connect, or just wait.

Follows k8s.io/kubernetes/pkg/probe and pkg/kubelet/lifecycle. HTTP is written by hand: all that matters is the
status code of one GET, for which a client library would be one more dependency of the node.
"""

import asyncio
import ssl
from dataclasses import dataclass, field

import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from fake_dra_driver.cluster.kubelet.containerruntime.container import Container as RunningContainer
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import ProcessRuntime
from fake_dra_driver.cluster.kubelet.containersetup.environment import expand
from fake_dra_driver.cluster.kubelet.containersetup.locality import Locality
from fake_dra_driver.cluster.kubelet.dra.calls import describe
from fake_dra_driver.cluster.kubelet.pod import Container, GrpcAction, Handler, HttpGetAction, Probe

__all__ = ["HandlerResult", "HandlerTarget"]

_ADDRESS = "127.0.0.1"
"""The host of every pod: none has a network of its own."""
_MAX_HEAD_BYTES = 64 * 1024
_SERVING = 1
"""grpc.health.v1 ServingStatus."""


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """The outcome; the text says what went wrong."""

    success: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class HandlerTarget:
    """A running container, as the target of probes and hooks."""

    runtime: ProcessRuntime
    container: RunningContainer
    spec: Container
    locality: Locality = field(default_factory=Locality)

    async def run(self, handler: Handler, timeout_seconds: float) -> HandlerResult:
        """Carries out the handler, which fails when it exceeds its time, and succeeds in a container that sleeps."""
        if self.container.config.sleeps:
            return HandlerResult(True)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._run(handler, timeout_seconds)
        except TimeoutError:
            return HandlerResult(False, f"no answer within {timeout_seconds:g} s")
        except OSError as error:
            return HandlerResult(False, error.strerror or str(error))

    async def _run(self, handler: Handler, timeout_seconds: float) -> HandlerResult:
        if handler.exec is not None:
            argv = [self.locality.text(argument) for argument in handler.exec.command]
            if isinstance(handler, Probe):  # Kubernetes expands the commands of probes, but not those of hooks.
                argv = [expand(argument, self.container.config.env) for argument in argv]
            result = await self.runtime.exec(self.container, argv, timeout_seconds)
            text = result.output.strip() or f"command ended with exit code {result.exit_code}"
            return HandlerResult(result.exit_code == 0, text)
        if handler.http_get is not None:
            return await self._http_get(handler.http_get)
        if handler.tcp_socket is not None:
            port = self._port(handler.tcp_socket.port)
            _, writer = await asyncio.open_connection(handler.tcp_socket.host or _ADDRESS, port)
            writer.close()
            return HandlerResult(True)
        if handler.grpc is not None:
            return await self._grpc(handler.grpc)
        if handler.sleep is not None:
            await asyncio.sleep(handler.sleep.get("seconds", 0))
            return HandlerResult(True)
        return HandlerResult(False, "the handler says nothing to do")

    def _port(self, port: int | str) -> int:
        """The port of this machine that a container's port, by number or by name, really is. Raises OSError."""
        if isinstance(port, str) and not port.isdecimal():
            named = {each.name: each.container_port for each in self.spec.ports if each.name}
            if port not in named:
                raise OSError(f'the container has no port named "{port}"')
            port = named[port]
        return self.container.config.ports.get(int(port), int(port))

    async def _http_get(self, action: HttpGetAction) -> HandlerResult:
        host, port = action.host or _ADDRESS, self._port(action.port)
        path = action.path if action.path.startswith("/") else f"/{action.path}"
        url = f"{action.scheme.lower()}://{host}:{port}{path}"
        headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1", "Accept": "*/*", "Connection": "close"}
        headers |= {header.name: header.value for header in action.http_headers}
        head = "".join(
            [f"GET {path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in headers.items()), "\r\n"]
        )
        try:
            reader, writer = await asyncio.open_connection(
                host, port, ssl=_trust_all() if action.scheme == "HTTPS" else None, limit=_MAX_HEAD_BYTES
            )
            try:
                writer.write(head.encode("latin-1", errors="replace"))
                line = (await reader.readline()).split()
            finally:
                writer.close()
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return HandlerResult(False, f'Get "{url}": {said}')
        if len(line) < 2 or not line[1].isdigit():
            return HandlerResult(False, f'Get "{url}": the answer is not HTTP')
        code = int(line[1])
        return HandlerResult(200 <= code < 400, f"HTTP probe failed with statuscode: {code}")

    async def _grpc(self, action: GrpcAction) -> HandlerResult:
        # HealthCheckRequest{string service = 1} and HealthCheckResponse{enum status = 1} look like these on the wire.
        request = StringValue(value=action.service).SerializeToString()
        async with grpc.aio.insecure_channel(f"{_ADDRESS}:{self._port(action.port)}") as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check", bytes, bytes)
            try:
                answer = await check(request)
            except grpc.aio.AioRpcError as error:
                return HandlerResult(False, describe(error))
        return HandlerResult(Int32Value.FromString(answer).value == _SERVING, "the service says that it is not serving")


def _trust_all() -> ssl.SSLContext:
    """Without verification: probes do not check certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
