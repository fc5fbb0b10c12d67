"""The servers that the tests run against.

The real one is the session's etcd and kube-apiserver; its controller manager is started only for the tests that need
one, and with no more controllers than those. The embedded one lives in a thread with an event loop of its own, so that
the tests see nothing of it but its port.
"""

import asyncio
import inspect
import json
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from tests.conformance.api import PATIENCE_SECONDS
from tests.support.apiserver import ApiServer

__all__ = ["EmbeddedTarget", "Kubectl", "RealTarget", "Target", "find_kubectl"]

_STOP_SECONDS = 20


class Target(Protocol):
    """A server under test."""

    url: str
    token: str
    kubeconfig: Path
    kubectl: str | None
    """The kubectl to try it with, or None when there is none."""

    def compact(self) -> None:
        """Makes the server forget all that happened up to now, but not what there is."""
        ...

    def start_controllers(self) -> None:
        """Starts what collects garbage and empties namespaces, and leaves it on."""
        ...


class RealTarget:
    """kube-apiserver and etcd of the session."""

    def __init__(self, server: ApiServer, folder: Path, assets: Path) -> None:
        self.url = server.url
        self.token = server.token
        self.kubeconfig = server.kubeconfig
        self.kubectl: str | None = str(assets / "kubectl")
        self._etcd = f"http://127.0.0.1:{server._etcd_port}/v3/kv"
        self._assets = assets
        self._folder = folder
        self._manager: subprocess.Popen[bytes] | None = None

    def compact(self) -> None:
        """Through etcd's JSON gateway: everything before its revision of now."""
        found = self._ask_etcd("range", {"key": "AA=="})
        self._ask_etcd("compaction", {"revision": found["header"]["revision"], "physical": True})

    def start_controllers(self) -> None:
        """Starts kube-controller-manager with the two controllers that the tests need."""
        if self._manager is not None:
            return
        with (self._folder / "kube-controller-manager.log").open("ab") as log:
            self._manager = subprocess.Popen(
                [
                    self._assets / "kube-controller-manager",
                    f"--kubeconfig={self.kubeconfig}",
                    "--controllers=garbage-collector-controller,namespace-controller",
                    "--leader-elect=false",
                    "--secure-port=0",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """Ends the controller manager."""
        if self._manager is not None:
            self._manager.terminate()
            self._manager.wait(_STOP_SECONDS)

    def _ask_etcd(self, call: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        request = urllib.request.Request(f"{self._etcd}/{call}", data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            found: dict[str, dict[str, str]] = json.load(answer)
            return found


class Kubectl:
    """The real kubectl, in one namespace of the server under test."""

    def __init__(self, target: Target, namespace: str, cache: Path) -> None:
        if target.kubectl is None:
            raise ValueError("there is no kubectl")
        self._command = [
            target.kubectl,
            f"--kubeconfig={target.kubeconfig}",
            f"--namespace={namespace}",
            f"--cache-dir={cache}",
        ]

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """Its output, both kinds. Fails when it does not end with that code."""
        ended = subprocess.run(
            [*self._command, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == code, f"{arguments}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout + ended.stderr

    @contextmanager
    def follow(self, *arguments: str) -> Iterator[IO[str]]:
        """Its output while it goes on running. Ended with the block."""
        with subprocess.Popen(
            [*self._command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            try:
                yield process.stdout
            finally:
                process.terminate()


def find_kubectl(folder: Path | None) -> str | None:
    """The kubectl of the folder, else the one on the PATH."""
    if folder is not None and (folder / "kubectl").exists():
        return str(folder / "kubectl")
    return shutil.which("kubectl")


class EmbeddedTarget:
    """The embedded API server, run by an event loop in a thread."""

    def __init__(self, folder: Path, kubectl: str | None) -> None:
        self.url = self.token = ""
        self.kubeconfig = folder / "kubeconfig"
        self.kubectl = kubectl
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="embedded API server")
        self._server = self._make()

    @staticmethod
    def _make() -> Any:
        from fake_dra_driver.cluster.apiserver import ApiServer as Embedded

        return Embedded()

    def __enter__(self) -> "EmbeddedTarget":
        """Starts it."""
        self._thread.start()
        self._run(self._server.__aenter__())
        self.url, self.token = self._server.url, self._server.token
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "test", "user": {"token": self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        self.kubeconfig.write_text(json.dumps(config))
        return self

    def __exit__(self, *_: object) -> None:
        """Stops it, and its loop."""
        self._run(self._server.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def compact(self) -> None:
        """Through the hook that it offers for that."""

        async def compact() -> None:
            done = self._server.compact()
            if inspect.isawaitable(done):
                await done

        self._run(compact())

    def start_controllers(self) -> None:
        """It has none yet; tests that need them are left out."""
        raise NotImplementedError("the embedded cluster has no controllers")

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_STOP_SECONDS)
