"""What ``cluster up``, ``cluster fault`` and ``demo`` run: parts, signals, and what a person gets to read."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.control import ask
from fake_dra_driver.cluster.kubelet.containersetup.images import UnknownImages
from fake_dra_driver.cluster.nodepool import node_name
from fake_dra_driver.demo.command import Program
from fake_dra_driver.demo.inspector import Inspector
from fake_dra_driver.demo.install import DRIVER_IMAGES, NAMESPACE, install_driver, read_values
from fake_dra_driver.demo.kubectl import find_kubectl, open_kubectl
from fake_dra_driver.demo.manifests import find_manifests
from fake_dra_driver.demo.screen import Screen
from fake_dra_driver.demo.settings import ClusterUpSettings, DemoSettings, FaultSettings
from fake_dra_driver.demo.walk import Walk, what_next
from fake_dra_driver.runtime.log import setup_logging
from fake_dra_driver.untrustedtext import some_lines

__all__ = ["node_names", "run_cluster_fault", "run_cluster_up", "run_demo"]

_READY_SECONDS, _READY_SECONDS_PER_NODE = 60.0, 3.0
"""For the driver to become Ready, on a slow machine."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GONE = "The cluster is gone, with all its files."


class _Interrupted:
    """Set by SIGINT and SIGTERM. Further signals change nothing: the program is already ending."""

    def __init__(self) -> None:
        self.number: signal.Signals | None = None
        self._happened = asyncio.Event()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Catches the signals as long as the block runs."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._catch, number)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _catch(self, number: signal.Signals) -> None:
        self.number = self.number or number
        self._happened.set()

    async def wait(self) -> None:
        """Waits for a signal."""
        await self._happened.wait()

    async def unless(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Does ``work``, and cancels it on a signal. Returns whether it was finished. Raises what it raises."""
        async with asyncio.TaskGroup() as group:
            done = group.create_task(_awaited(work), name="work")
            waiting = group.create_task(self.wait(), name="signal")
            await asyncio.wait((done, waiting), return_when=asyncio.FIRST_COMPLETED)
            finished = done.done()
            done.cancel()
            waiting.cancel()
        return finished


async def _awaited(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def node_names(count: int) -> tuple[str, ...]:
    """Names such as kind gives its workers, so that the first node has the quickstart's devices."""
    return tuple(node_name(None, number) for number in range(1, count + 1))


def _cluster(
    settings: ClusterUpSettings | DemoSettings, nodes: Sequence[str], unknown_images: UnknownImages = "refuse"
) -> Cluster:
    """Raises ClusterError when the release does not have what is switched."""
    return Cluster(
        nodes=nodes,
        kubernetes_version=settings.kubernetes_version,
        feature_gates=settings.feature_gates,
        runtime_config=settings.runtime_config,
        images=DRIVER_IMAGES,
        unknown_images=unknown_images,
        port=settings.port,
    )


async def run_cluster_up(settings: ClusterUpSettings) -> int:
    """Runs a cluster until SIGINT or SIGTERM. Returns the exit status: 0, since it is meant to end like that.

    Raises:
        ClusterError: it cannot be started.
    """
    setup_logging(settings.logging_format, settings.verbosity, least="ERROR")
    interrupted = _Interrupted()
    values = await asyncio.to_thread(read_values, settings.values)
    cluster = _cluster(settings, node_names(settings.nodes), settings.unknown_images)

    # Standard output is for programs, which read the line with KUBECONFIG from it.
    progress = Screen(sys.stderr)

    async def serve() -> None:
        async with cluster:
            if settings.driver:
                with progress.waiting(f"the driver is Ready on {_count(len(cluster.nodes), 'node')}"):
                    await install_driver(cluster, values)
                    # Each node starts a plugin of its own, as fast as the machine's processors allow.
                    seconds = _READY_SECONDS + _READY_SECONDS_PER_NODE * settings.nodes
                    inspector = _inspector(cluster, seconds)
                    await inspector.wait("the driver is Ready", lambda: inspector.driver_is_ready(cluster.nodes))
            program = await asyncio.to_thread(Program.find, cluster.kubeconfig)
            sys.stdout.write(_greeting(cluster, program if settings.driver else None, values))
            sys.stdout.flush()
            await cluster.wait()

    with interrupted.watched():
        await interrupted.unless(serve)
    return 0


def _inspector(cluster: Cluster, deadline_seconds: float = _READY_SECONDS) -> Inspector:
    api = RESOURCE_APIS.get(cluster.release.structured_version)
    claims = api.claims if api is not None else ResourceClaim
    return Inspector(cluster.client, NAMESPACE, deadline_seconds, claims)


def _version_flag(settings: DemoSettings) -> str:
    """The flag with which the same release comes again; empty for the default."""
    default = DemoSettings.model_fields["kubernetes_version"].default
    return "" if settings.kubernetes_version == default else f" --kubernetes-version={settings.kubernetes_version}"


def _greeting(cluster: Cluster, driver: Program | None, values: Mapping[str, Any]) -> str:
    named = f" --driver-name={name}" if (name := values.get("driverName")) else ""
    nodes = _count(len(cluster.nodes), "node")
    installed = f"the driver runs in {NAMESPACE}" if driver else "no driver is installed"
    return (
        f"Kubernetes {cluster.kubernetes_version} is up: {nodes}, {installed}. In another terminal:\n\n"
        f"  export KUBECONFIG={cluster.kubeconfig}\n"
        + (f"  {driver.typed} status{named}\n" if driver else "")
        + "\nCtrl-C ends it, and nothing is left of it.\n"
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


async def run_cluster_fault(settings: FaultSettings) -> int:
    """Makes something go wrong in a running cluster. Returns the exit status.

    Raises:
        ClusterError: no such cluster runs, or it refuses.
    """
    # What is not given is for the cluster to fill in.
    options = settings.model_dump(exclude={"kubeconfig"}, exclude_defaults=True)
    done = await ask(settings.kubeconfig, settings.fault, options)
    sys.stdout.write(f"{some_lines(done)}\n")
    return 0


async def run_demo(settings: DemoSettings) -> int:
    """Walks through the quickstart, and keeps the cluster until SIGINT or SIGTERM if it is to stay.

    Returns the exit status: 0, or 128 and the number of the signal that ended the walk.

    Raises:
        DemoError: a step did not lead to what it must.
        RuntimeLayerError: the cluster, kubectl or the API server refused something.
    """
    setup_logging(settings.logging_format, settings.verbosity, least="ERROR")
    # Before it starts, so that what is missing or misspelt is said at once.
    cluster = _cluster(settings, node_names(1))
    api = RESOURCE_APIS.get(cluster.release.structured_version)
    found = await asyncio.to_thread(find_manifests, settings.manifests, api)
    program = await asyncio.to_thread(find_kubectl)
    screen, interrupted, walked = Screen(), _Interrupted(), asyncio.Event()

    async def walk() -> None:
        begun = asyncio.get_running_loop().time()
        async with cluster, open_kubectl(cluster.kubeconfig, program) as kubectl:
            driver = await asyncio.to_thread(Program.find, cluster.kubeconfig)
            scratch = cluster.folder / "manifests"
            manifests = await asyncio.to_thread(found.in_version, api, driver.typed, scratch)
            inspector = _inspector(cluster)
            await Walk(
                cluster, kubectl, driver, screen, inspector, manifests, stays=settings.keep, full=settings.full
            ).run()
            walked.set()
            result = f"\nEvery step had the right result, in {asyncio.get_running_loop().time() - begun:.0f} s."
            if settings.keep:
                screen.note(f"{result} {what_next(driver, manifests, has_kubectl=program is not None)}")
                await cluster.wait()
        keep = f"{driver.typed} demo{_version_flag(settings)} --keep"
        screen.note(f"{result} {_GONE}\nTo try things yourself, keep the cluster: {keep}")

    with interrupted.watched():
        await interrupted.unless(walk)
    if interrupted.number is None:
        return 0
    if not walked.is_set():
        return 128 + interrupted.number
    screen.note(f"\n{_GONE}")
    return 0
