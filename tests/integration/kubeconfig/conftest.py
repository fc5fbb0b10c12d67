"""The lab of all tests of this folder, which are left out where there is no kubectl to compare with."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.kubeconfig.lab import Lab
from tests.integration.kubeconfig.programs import NO_KUBECTL, find_kubectl
from tests.integration.kubeconfig.shapes import DEFAULT_ADDRESS
from tests.support.leftout import leave_out

_DEFAULT_PORT_TAKEN: Final = f"{DEFAULT_ADDRESS.upper()} IS TAKEN. TO RUN THEM, STOP WHAT LISTENS THERE."


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what needs kubectl where there is none.

    Those at the default address, which nothing may listen to, carry ``@pytest.mark.kubectl(default_address=True)``.
    """
    compared = [item for item in items if item.get_closest_marker("kubectl")]
    if find_kubectl() is None:
        leave_out(config, items, compared, NO_KUBECTL)
        return
    wanting = [item for item in compared if any(marker.kwargs for marker in item.iter_markers("kubectl"))]
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
