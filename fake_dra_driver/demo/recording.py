"""Records what ``status`` shows while devices are described, used and made to fail, as docs/mock-devices.svg.

``python -m fake_dra_driver.demo.recording FILE`` runs an embedded cluster, takes the manifests from the page
docs/mock-your-hardware.md, and writes the file. What differs from run to run is not in it: all names are given, and
ages are those of the story.
"""

import asyncio
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.demo.animation import Frame, animation
from fake_dra_driver.demo.install import DRIVER_IMAGES, NAMESPACE, install_driver
from fake_dra_driver.dra.servedapi import DraApi
from fake_dra_driver.runtime import Cache, utc_now
from fake_dra_driver.status.build import Reporter
from fake_dra_driver.status.ourdriver import OurDriver
from fake_dra_driver.status.report import Report
from fake_dra_driver.status.table import Detail, table
from fake_dra_driver.status.view import ClusterView
from fake_dra_driver.tablelayout import Layout

__all__ = ["record"]

COLUMNS: Final = 92
_NODE: Final = "worker-1"
_PAGE: Final = Path(__file__).resolve().parents[2] / "docs/mock-your-hardware.md"
_TITLE: Final = "fake-dra-driver status, while devices are described, used, and made to fail"
_WAIT_SECONDS: Final = 300.0
_FAULT: Final[dict[str, Any]] = {
    "apiVersion": "fake.resource.3-shake.com/v1alpha1",
    "kind": "DeviceFault",
    "metadata": {"name": "overheated"},
    "spec": {
        "target": {"devices": ["card-0*"]},
        "effects": {
            "health": {"message": "96 degrees"},
            "taint": {"key": "example.com/overheated", "effect": "NoExecute"},
        },
    },
}


class _Recorder:
    """Watches a cluster, and keeps what a person would have seen."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._cache = Cache(cluster.client)
        view = ClusterView.of(
            OurDriver(profiles="readable"),
            self._cache,
            cluster.client,
            DraApi("v1"),
            NAMESPACE,
            faults="readable",
        )
        self._reporter = Reporter(view, NAMESPACE)
        self._changed = asyncio.Event()
        view.subscribe(self._changed.set)
        self.frames: list[Frame] = []

    async def run(self) -> None:
        """Reads the cluster until it is cancelled."""
        await self._cache.run()

    async def shows(self, command: str, is_so: Callable[[Report], bool], seconds: float) -> None:
        """Keeps the first report of which something is so.

        Raises:
            TimeoutError: there is none for very long.
        """
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                self._changed.clear()
                report = self._reporter.report()
                if is_so(report):
                    break
                await self._changed.wait()
        now = next((fault.since + timedelta(seconds=4) for fault in report.faults if fault.since), utc_now())
        text = table(report, now, Detail.SHORT, layout=Layout(COLUMNS, is_colored=True))
        self.frames.append(Frame(command, text, seconds))


def _manifests(name: str) -> list[dict[str, Any]]:
    """The objects of a file that the page shows."""
    (text,) = re.findall(
        rf'^```yaml title="{re.escape(name)}"\n(.*?)^```$', _PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    return [_in_namespace(each) for each in yaml.safe_load_all(text)]


def _in_namespace(manifest: dict[str, Any]) -> dict[str, Any]:
    if manifest["kind"] == "DeviceProfile":
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": "default"}}


def _are_prepared(count: int) -> Callable[[Report], bool]:
    return lambda report: report.summary.counts.prepared == count and _pods(report) == count


def _pods(report: Report) -> int:
    """How many devices have a pod that uses them."""
    return sum(device.claim is not None and bool(device.claim.pods) for node in report.nodes for device in node.devices)


async def record() -> str:
    """The animation, of a run that takes as long as the machine needs."""
    cards, train, serve = map(_manifests, ("cards.yaml", "train.yaml", "serve.yaml"))
    async with Cluster(nodes=(_NODE,), kubernetes_version="1.37", images=DRIVER_IMAGES) as cluster:
        await install_driver(cluster)
        recorder = _Recorder(cluster)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(recorder.run(), name="cache")
            await recorder.shows(
                "fake-dra-driver status --watch", lambda report: report.summary.counts.free == 8, seconds=3
            )
            await cluster.apply(*cards)
            await recorder.shows(
                "kubectl apply -f cards.yaml", lambda report: report.summary.counts.free == 15, seconds=5
            )
            await cluster.apply(*train)
            await recorder.shows("kubectl apply -f train.yaml", _are_prepared(1), seconds=5)
            await cluster.apply(*serve)
            await recorder.shows("kubectl apply -f serve.yaml", _are_prepared(2), seconds=5)
            await cluster.apply(_FAULT)
            await recorder.shows(
                "kubectl apply -f overheated.yaml",
                lambda report: bool(report.nodes[0].faults) and report.summary.counts.unavailable == 7,
                seconds=7,
            )
            await cluster.client.delete(DeviceFault, NamespacedName("", "overheated"))
            await recorder.shows(
                "kubectl delete devicefault overheated", lambda report: report.summary.counts.free == 14, seconds=5
            )
            watching.cancel()
    return animation(_TITLE, recorder.frames, columns=COLUMNS)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(asyncio.run(record()))
