"""The raw cost of a call: a plugin in a process of its own that answers at once and does nothing.

What it needs from its start to its first answer is what Python and gRPC need of a plugin's start.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from typing_extensions import override

from fake_dra_driver.pb import dra_v1_pb2 as pb
from fake_dra_driver.pb import dra_v1_pb2_grpc as pb_grpc
from tests.bench.program import Program
from tests.bench.structured.kubelet import Kubelet

__all__ = ["run_echo"]

_POLL_SECONDS = 0.005
_PATIENCE_SECONDS = 60


@asynccontextmanager
async def run_echo(folder: Path) -> AsyncIterator[tuple[Program, Kubelet]]:
    """Runs it, and connects to it. Its socket and its log are in the folder."""
    socket = folder / "echo.sock"
    socket.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.bench.structured.echo", str(socket)]
    async with Program.run("echo", command, folder) as program:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not await asyncio.to_thread(socket.exists):  # noqa: ASYNC110 - it is another program that is waited for
                await asyncio.sleep(_POLL_SECONDS)
        async with Kubelet.connect(str(socket)) as kubelet:
            yield program, kubelet


class _Echo(pb_grpc.DRAPluginServicer):
    @override
    async def NodePrepareResources(
        self,
        request: pb.NodePrepareResourcesRequest,
        context: grpc.aio.ServicerContext[pb.NodePrepareResourcesRequest, pb.NodePrepareResourcesResponse],
    ) -> pb.NodePrepareResourcesResponse:
        # As large as a plugin's answer.
        response = pb.NodePrepareResourcesResponse()
        for claim in request.claims:
            device = pb.Device(pool_name="echo", device_name=claim.name, cdi_device_ids=[f"bench/echo={claim.uid}"])
            response.claims[claim.uid].devices.append(device)
        return response

    @override
    async def NodeUnprepareResources(
        self,
        request: pb.NodeUnprepareResourcesRequest,
        context: grpc.aio.ServicerContext[pb.NodeUnprepareResourcesRequest, pb.NodeUnprepareResourcesResponse],
    ) -> pb.NodeUnprepareResourcesResponse:
        response = pb.NodeUnprepareResourcesResponse()
        for claim in request.claims:
            response.claims[claim.uid].SetInParent()
        return response


async def _serve(socket: Path) -> None:
    server = grpc.aio.server()
    pb_grpc.add_DRAPluginServicer_to_server(_Echo(), server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
