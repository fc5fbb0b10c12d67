"""The servers that the tests run against.

The real one is the session's etcd and kube-apiserver; its controller manager is started only for the tests that need
one, and with no more controllers than those. The embedded one lives in a thread with an event loop of its own, so that
the tests see nothing of it but its port; its controllers are those of the embedded cluster.
"""

import asyncio
import json
import os
import re
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import httpx
from typing_extensions import override

from fake_dra_driver.cluster.apiserver import ApiServer as EmbeddedServer
from fake_dra_driver.cluster.controllers import make_controllers
from fake_dra_driver.cluster.releases import DEFAULT, find_release
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.manager import Manager
from tests.conformance.api import PATIENCE_SECONDS, Api
from tests.support.apiserver import ApiServer

__all__ = ["EmbeddedTarget", "Kubectl", "RealTarget", "Target", "Tested", "connected", "with_service_accounts"]

T = TypeVar("T")

_OLDEST_MINOR = 30
_BETAS = ("v1beta1", "v1beta2")
"""What the real server is told to serve as well."""
_DELETED_FROM = re.compile(r" deleted from \S+ namespace\b")
"""What kubectl says of an object that it has deleted."""
_STOP_SECONDS = 20
_KUBECTL_SECONDS = 60
"""Longest run of kubectl, on a machine that is busy with other things."""


class Target(Protocol):
    """A server under test."""

    url: str
    token: str
    kubeconfig: Path
    minor: int
    """The minor release of what is compared: 30 for anything until 1.30."""

    def compact(self) -> None:
        """Makes the server forget all that happened up to now, but not what there is."""
        ...

    def controllers(self, *names: str) -> AbstractContextManager[None]:
        """Runs these controllers within the block; names are those of the embedded cluster."""
        ...


class RealTarget(Target):
    """kube-apiserver and etcd of the session."""

    def __init__(self, server: ApiServer, folder: Path, assets: Path) -> None:
        self.url = server.url
        self.minor = max(server.minor, _OLDEST_MINOR)
        self.token = server.token
        self.kubeconfig = server.kubeconfig
        self._etcd = f"http://127.0.0.1:{server._etcd_port}/v3/kv"
        self._assets = assets
        self._folder = folder

    @override
    def compact(self) -> None:
        # Through etcd's JSON gateway: everything before its present revision.
        found = self._ask_etcd("range", {"key": "AA=="})
        self._ask_etcd("compaction", {"revision": found["header"]["revision"], "physical": True})

    @override
    @contextmanager
    def controllers(self, *names: str) -> Iterator[None]:
        # A kube-controller-manager with nothing else in it.
        with (self._folder / "kube-controller-manager.log").open("ab") as log:
            manager = subprocess.Popen(
                [
                    self._assets / "kube-controller-manager",
                    f"--kubeconfig={self.kubeconfig}",
                    f"--controllers={','.join(f'{name}-controller' for name in names)}",
                    "--leader-elect=false",
                    "--secure-port=0",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield
        finally:
            manager.terminate()
            manager.wait(_STOP_SECONDS)

    def _ask_etcd(self, call: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        request = urllib.request.Request(f"{self._etcd}/{call}", data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            found: dict[str, dict[str, str]] = json.load(answer)
            return found


class Kubectl:
    """The real kubectl, in one namespace of the server under test."""

    def __init__(self, program: Path, target: Target, namespace: str, cache: Path) -> None:
        options = (f"--kubeconfig={target.kubeconfig}", f"--namespace={namespace}", f"--cache-dir={cache}")
        self._command = [str(program), *options]
        self.namespace = namespace

    def run(self, *arguments: str, stdin: str = "", code: int = 0, editor: str = "") -> str:
        """Its output, both kinds. Fails when it does not end with that code.

        Args:
            arguments: what stands behind ``kubectl``.
            stdin: what it reads from ``-f -``.
            code: the exit status that it has to end with.
            editor: the command that ``kubectl edit`` runs on the file.
        """
        environment = {**os.environ, "KUBE_EDITOR": editor}
        ended = subprocess.run(
            [*self._command, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_KUBECTL_SECONDS,
            check=False,
            env=environment,
        )
        assert ended.returncode == code, f"{arguments}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        # Later ones name the namespace.
        return _DELETED_FROM.sub(" deleted", ended.stdout + ended.stderr)

    @contextmanager
    def follow(self, *arguments: str) -> Iterator[IO[str]]:
        """Its output while it goes on running. Ended with the block; killed when it takes too long."""
        with subprocess.Popen(
            [*self._command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            watchdog = threading.Timer(_KUBECTL_SECONDS, process.kill)
            watchdog.start()
            try:
                yield process.stdout
            finally:
                watchdog.cancel()
                process.terminate()


class EmbeddedTarget(Target):
    """The embedded API server, run by an event loop in a thread."""

    def __init__(
        self,
        folder: Path,
        kubernetes_version: str = DEFAULT.name,
        token: str | None = None,
        *,
        admits_accounts: bool = False,
    ) -> None:
        self.url = self.token = ""
        self.kubeconfig = folder / "kubeconfig"
        self.minor = int(kubernetes_version.partition(".")[2])
        self._release = find_release(kubernetes_version)
        known = {each.version for each in self._release.known_kinds}
        served = {f"resource.k8s.io/{version}": True for version in _BETAS if version in known}
        self._server = EmbeddedServer(
            kubernetes_version=kubernetes_version,
            runtime_config=served,
            token=token,
            admits_accounts=admits_accounts,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="embedded API server")

    def __enter__(self) -> "EmbeddedTarget":
        """Starts it."""
        self._thread.start()
        self._run(self._server.__aenter__())
        self.url, self.token = self._server.url, self._server.token
        self._server.write_kubeconfig(self.kubeconfig)
        return self

    def __exit__(self, *_: object) -> None:
        """Stops it, and its loop."""
        self._run(self._server.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @override
    def compact(self) -> None:
        self._loop.call_soon_threadsafe(self._server.compact)

    @override
    @contextmanager
    def controllers(self, *names: str) -> Iterator[None]:
        # Those of the embedded cluster, in the loop of the server.
        running = self._run(self._start_controllers(names))
        try:
            yield
        finally:
            self._run(_end(running))

    async def _start_controllers(self, names: tuple[str, ...]) -> asyncio.Task[None]:
        return asyncio.create_task(self._run_controllers(names))

    async def _run_controllers(self, names: tuple[str, ...]) -> None:
        client = self._server.client("kube-controller-manager")
        cache, events = Cache(client), EventRecorder(client, "kube-controller-manager")
        manager = Manager(client, cache, events=events, signals=())
        for controller in make_controllers(client, cache, events, release=self._release):
            if controller.name in names:
                manager.add_controller(controller)
        await manager.run()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_STOP_SECONDS)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancels the task and waits for its end. Raises what it has failed with before."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@dataclass(frozen=True, slots=True)
class Tested:
    """Which server a test is run against."""

    is_real: bool
    release: str
    """Of the embedded one; the real one is what it is."""


@contextmanager
def connected(target: Target) -> Iterator[Api]:
    """A client of a server, as its administrator."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    headers = {"Authorization": f"Bearer {target.token}", "User-Agent": "conformance/1"}
    with httpx.Client(base_url=target.url, headers=headers, verify=trust, timeout=PATIENCE_SECONDS) as http:
        yield Api(http)


@contextmanager
def with_service_accounts(tested: Tested, folder: Path, assets: Path | None) -> Iterator[Target]:
    """A server of its own whose admission gives pods their service accounts."""
    if not tested.is_real:
        with EmbeddedTarget(folder, tested.release, admits_accounts=True) as embedded:
            yield embedded
        return
    if assets is None:
        raise ValueError("there is no real server to start")
    server = ApiServer(assets, folder, admits_accounts=True)
    try:
        server.start()
        yield RealTarget(server, folder, assets)
    finally:
        server.stop()
