"""A device side that tests steer, a plugin's socket with it behind, and a short folder for sockets."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
from loguru import logger

from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.interface import KUBELETS
from fake_dra_driver.dra.node.sockets import SocketServer
from tests.unit.dra.node.standin import LogWatch, SteeredDriver


@pytest.fixture
def log_watch() -> Iterator[LogWatch]:
    watch = LogWatch()
    sink = logger.add(lambda message: watch(str(message)), format="{level} {message} {extra}", level="INFO")
    yield watch
    logger.remove(sink)


@pytest.fixture
def driver() -> SteeredDriver:
    return SteeredDriver()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: pytest's own are too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="dra-") as name:
        yield Path(name)


@pytest.fixture
async def channel(driver: SteeredDriver, folder: Path) -> AsyncIterator[grpc.aio.Channel]:
    """What a kubelet has open to the plugin."""
    async with ClaimCalls[NodeClaim](driver) as calls:
        server = SocketServer(folder / "plugin.sock", lambda server: KUBELETS.add_services(server, calls))
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"unix:{server.path}") as value:
                yield value
        finally:
            await server.stop(0)
