"""The two clusters: a real API server with a real scheduler, and the embedded ones."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubescheduler.embedded import embedded_scheduler
from tests.support.apiserver import ASSETS_VARIABLE, ApiServer
from tests.support.leftout import leave_out


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what needs a kube-scheduler when there is none beside the API server."""
    assets = os.environ.get(ASSETS_VARIABLE)
    if assets and not (Path(assets) / "kube-scheduler").exists():
        unwanted = [item for item in items if "kube_scheduler" in getattr(item, "fixturenames", ())]
        leave_out(config, items, unwanted, f"{ASSETS_VARIABLE} HAS NO KUBE-SCHEDULER.")


@pytest.fixture(scope="module")
def kube_scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of a real API server with a real scheduler, and nothing that other tests have left in it."""
    server = ApiServer(Path(os.environ[ASSETS_VARIABLE]), tmp_path_factory.mktemp("kube-scheduler"))
    try:
        server.start()
        with server.scheduler():
            yield server.kubeconfig
    finally:
        server.stop()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of the embedded API server, with the embedded scheduler."""
    with embedded_scheduler(tmp_path_factory.mktemp("embedded") / "kubeconfig") as kubeconfig:
        yield kubeconfig
