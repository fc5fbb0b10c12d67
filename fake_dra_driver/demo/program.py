"""What ``cluster up``, ``cluster fault`` and ``demo`` run: parts, signals, and what a person gets to read."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fake_dra_driver import __version__
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster import Cluster, ClusterError, NodePool
from fake_dra_driver.cluster.control import ask
from fake_dra_driver.cluster.kubelet.containersetup.images import UnknownImages
from fake_dra_driver.cluster.nodepool import node_name, read_pools
from fake_dra_driver.cluster.sharedkubeconfig import add_context, check_shared, remove_context
from fake_dra_driver.demo.command import Program
from fake_dra_driver.demo.inspector import Inspector
from fake_dra_driver.demo.install import DRIVER_IMAGES, NAMESPACE, install_driver, read_values
from fake_dra_driver.demo.kubectl import find_kubectl, open_kubectl
from fake_dra_driver.demo.manifests import find_manifests
from fake_dra_driver.demo.poolprofiles import with_profiles
from fake_dra_driver.demo.screen import Screen
from fake_dra_driver.demo.settings import ClusterUpSettings, DemoSettings, FaultSettings
from fake_dra_driver.demo.walk import Walk, what_next
from fake_dra_driver.runtime.garbage import spare_long_lived
from fake_dra_driver.runtime.log import setup_logging
from fake_dra_driver.runtime.tlsbuffers import shrink_tls_buffers
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
    settings: ClusterUpSettings | DemoSettings,
    nodes: Sequence[str],
    pools: Sequence[NodePool] = (),
    unknown_images: UnknownImages = "refuse",
) -> Cluster:
    """Raises ClusterError when the release does not have what is switched, or there are too many nodes."""
    return Cluster(
        nodes=nodes,
        pools=pools,
        kubernetes_version=settings.kubernetes_version,
        feature_gates=settings.feature_gates,
        runtime_config=settings.runtime_config,
        images=DRIVER_IMAGES,
        unknown_images=unknown_images,
        port=settings.port,
    )


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


async def run_cluster_up(
    settings: ClusterUpSettings, tell: Callable[[str], None] = _print, notes: Mapping[str, str] | None = None
) -> int:
    """Runs a cluster until SIGINT, SIGTERM or ``cluster down``. Returns the exit status: 0, since that is meant.

    Args:
        settings: of the command.
        tell: gets what a person is to know once the cluster is ready.
        notes: what ``cluster status`` is to tell beside what the cluster knows.

    Raises:
        ClusterError: it cannot be started.
    """
    setup_logging(settings.logging_format, settings.verbosity, least="ERROR")
    spare_long_lived()
    shrink_tls_buffers()
    interrupted = _Interrupted()
    cluster, values = await asyncio.to_thread(_planned, settings)
    cluster.notes |= {"programVersion": __version__, **(notes or {})}

    # Standard output is for programs, which read the line with KUBECONFIG from it.
    progress = Screen(sys.stderr)

    async def serve() -> None:
        async with cluster, _shared(settings.kubeconfig, cluster):
            if settings.driver:
                await _install(cluster, values, progress)
            program = await asyncio.to_thread(Program.find, cluster.kubeconfig)
            spare_long_lived()
            tell(_greeting(cluster, program, values, settings))
            await cluster.wait()

    with interrupted.watched():
        await interrupted.unless(serve)
    return 0


def _planned(settings: ClusterUpSettings) -> tuple[Cluster, Mapping[str, Any]]:
    """The cluster that is asked for, and the chart's values. Blocks. Raises ClusterError."""
    asked = read_pools(Path(settings.pools)) if settings.pools else ()
    values = read_values(settings.values)
    try:
        pools, values = with_profiles(asked, values)
    except ClusterError as error:
        raise ClusterError(f"The node pools in {settings.pools} cannot be used: {error}") from None
    if settings.kubeconfig:
        check_shared(_whole_path(settings.kubeconfig))
    count = settings.nodes if settings.nodes is not None else 0 if pools else 1
    return _cluster(settings, node_names(count), pools, settings.unknown_images), values


@contextlib.asynccontextmanager
async def _shared(kubeconfig: str, cluster: Cluster) -> AsyncIterator[None]:
    """The cluster's context is in a kubeconfig of the user's own, if one is named, while the block runs."""
    if not kubeconfig:
        yield
        return
    path, folder = await asyncio.to_thread(_whole_path, kubeconfig), cluster.folder
    context = await asyncio.to_thread(add_context, path, cluster.kubeconfig)
    cluster.notes |= {"sharedKubeconfig": str(path), "context": context}
    try:
        yield
    finally:
        await asyncio.to_thread(remove_context, path, folder)


def _whole_path(path: str) -> Path:
    return Path(path).expanduser().absolute()


async def _install(cluster: Cluster, values: Mapping[str, Any], progress: Screen) -> None:
    """Installs the driver, and waits until it is Ready."""
    count = sum(len(cluster.nodes_of_pool(pool)) for pool in ("", *cluster.pools))
    with progress.waiting(f"the driver is Ready on {_count(count, 'node')}"):
        await install_driver(cluster, values)
        # Each node starts a plugin, as fast as the machine's processors allow.
        inspector = _inspector(cluster, _READY_SECONDS + _READY_SECONDS_PER_NODE * count)
        nodes, simulated = await inspector.plugin_nodes(), _simulated(cluster, values)
        await inspector.wait("the driver is Ready", lambda: inspector.driver_is_ready(nodes, simulated))


def _simulated(cluster: Cluster, values: Mapping[str, Any]) -> Sequence[str]:
    """The nodes without a kubelet, whose devices the controller offers, unless the values select other nodes."""
    if values.get("simulatedNodes"):
        return ()
    return [name for pool in cluster.pools.values() if pool.simulated for name in cluster.nodes_of_pool(pool.name)]


def _inspector(cluster: Cluster, deadline_seconds: float = _READY_SECONDS) -> Inspector:
    api = RESOURCE_APIS.get(cluster.release.structured_version)
    claims = api.claims if api is not None else ResourceClaim
    return Inspector(cluster.client, NAMESPACE, deadline_seconds, claims)


def _version_flag(settings: DemoSettings) -> str:
    """The flag with which the same release comes again; empty for the default."""
    default = DemoSettings.model_fields["kubernetes_version"].default
    return "" if settings.kubernetes_version == default else f" --kubernetes-version={settings.kubernetes_version}"


def _greeting(cluster: Cluster, driver: Program, values: Mapping[str, Any], settings: ClusterUpSettings) -> str:
    named = f" --driver-name={name}" if (name := values.get("driverName")) else ""
    nodes = _count(sum(len(cluster.nodes_of_pool(pool)) for pool in ("", *cluster.pools)), "node")
    pools = f" in {_count(len(cluster.pools), 'pool')}" if cluster.pools else ""
    installed = f"the driver runs in {NAMESPACE}" if settings.driver else "no driver is installed"
    where = "" if settings.detach else " In another terminal:"
    end = (
        f"'{driver.typed} cluster down' ends it, and nothing is left of it."
        if settings.detach
        else "Ctrl-C ends it, and nothing is left of it."
    )
    return (
        f"Kubernetes {cluster.kubernetes_version} is up: {nodes}{pools}, {installed}.{where}\n\n"
        f"  export KUBECONFIG={cluster.notes.get('sharedKubeconfig', cluster.kubeconfig)}\n"
        + (f"  {driver.typed} status{named}\n" if settings.driver else "")
        + f"\n{end}\n"
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
