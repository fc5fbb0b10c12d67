"""The lab of all tests of this folder."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.kubeconfig.lab import Lab
from tests.integration.kubeconfig.shapes import DEFAULT_ADDRESS
from tests.support.leftout import leave_out

_DEFAULT_PORT_TAKEN: Final = f"{DEFAULT_ADDRESS.upper()} IS TAKEN. TO RUN THEM, STOP WHAT LISTENS THERE."


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out those at the default address, ``@pytest.mark.kubectl(default_address=True)``, where it is taken."""
    wanting = [item for item in items if any(marker.kwargs for marker in item.iter_markers("kubectl"))]
    if wanting and _is_default_port_taken():
        leave_out(config, items, wanting, _DEFAULT_PORT_TAKEN)


def _is_default_port_taken() -> bool:
    host, _, port = DEFAULT_ADDRESS.partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Servers and proxies, running."""
    with Lab.open(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a scene is set up."""
    return tmp_path
