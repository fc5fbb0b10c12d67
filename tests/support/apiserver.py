"""A real API server for tests: etcd and kube-apiserver as processes of their own, on free ports of the loopback device.

Nothing else of Kubernetes runs: no controllers (a namespace is never emptied, owner references are never followed), no
kubelet, and a scheduler only where a test asks for it. The binaries come from the folder that ``KUBEBUILDER_ASSETS``
names, as with controller-runtime's envtest. Each release gets the DRA API that it has; classic DRA for 1.27 to 1.30.
"""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fake_dra_driver.runtime.client import Client

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
_START_SECONDS = 90
"""Longest start of a server; on two busy cores it takes about 10 s."""
_STOP_SECONDS = 20
_DRA: dict[int, tuple[str, str]] = {
    **dict.fromkeys(range(27, 31), ("DynamicResourceAllocation=true", "resource.k8s.io/v1alpha2=true")),
    31: ("DynamicResourceAllocation=true,DRAControlPlaneController=true", "resource.k8s.io/v1alpha3=true"),
    32: ("DynamicResourceAllocation=true", "resource.k8s.io/v1beta1=true"),
    33: ("DynamicResourceAllocation=true", "resource.k8s.io/v1beta1=true,resource.k8s.io/v1beta2=true"),
}
"""Feature gates and API groups of DRA, by minor release."""
_DRA_LATER = ("", "resource.k8s.io/v1beta1=true,resource.k8s.io/v1beta2=true")
"""Later releases have DRA by default, in v1."""


@cache
def minor_release(assets: Path) -> int:
    """Of the API server in a folder of binaries: 30 for Kubernetes 1.30."""
    version = subprocess.run(
        [assets / "kube-apiserver", "--version"], check=True, capture_output=True, text=True
    ).stdout
    found = re.search(r"v1\.(\d+)\.", version)
    if found is None:
        raise RuntimeError(f"kube-apiserver --version said {version!r}")
    return int(found[1])


class ApiServer:
    """etcd and kube-apiserver with the state of one test session. Its methods block: call them in a thread from a loop.

    The port, the credentials and the certificate stay the same over restarts, and so does what etcd holds.
    """

    def __init__(self, assets: Path, folder: Path, gates: str = "", *, admits_accounts: bool = False) -> None:
        """Starts nothing yet.

        Args:
            assets: the binaries.
            folder: where state and logs are kept.
            gates: more feature gates, as ``--feature-gates`` takes them.
            admits_accounts: whether pods get service accounts, without which none is admitted.
        """
        self._assets = assets
        self._gates = gates
        self._admits_accounts = admits_accounts
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._port, self._etcd_port, self._peer_port = free_ports(3)
        self.url = f"https://127.0.0.1:{self._port}"
        self.token = "admin-token"
        """Member of system:masters: may do everything."""
        self.unprivileged_token = "nobody-token"
        """Of a user ``nobody`` who has no rights but those that every user has."""
        self.kubeconfig = folder / "kubeconfig"
        self.minor = minor_release(assets)
        """Minor release: 30 for Kubernetes 1.30."""

    def start(self) -> None:
        """Starts what is not running, and waits until it is ready."""
        self._prepare()
        self._spawn("etcd", self._etcd_command())
        self._spawn("kube-apiserver", self._apiserver_command())
        self._wait_ready()
        self.kubeconfig.write_text(self.kubeconfig_for(self.token))

    def kill(self) -> None:
        """Ends kube-apiserver with SIGKILL; etcd goes on. Connections are refused from then on."""
        self._end("kube-apiserver", signal.SIGKILL)

    def restart(self) -> None:
        """SIGKILL, then a new kube-apiserver on the same port, ready."""
        self.kill()
        self.start()

    @contextmanager
    def scheduler(self) -> Iterator[None]:
        """Runs a kube-scheduler within the block, without a limit on its requests."""
        arguments = (
            f"--kubeconfig={self.kubeconfig}",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=5000",
            "--kube-api-burst=5000",
        )
        self._spawn("kube-scheduler", (*arguments, *self._feature_gates()))
        try:
            yield
        finally:
            self._end("kube-scheduler", signal.SIGTERM)

    def stop(self) -> None:
        """Ends everything. The API server gets SIGKILL: its orderly stop would wait for watches."""
        self._end("kube-apiserver", signal.SIGKILL)
        self._end("etcd", signal.SIGTERM)

    def kubeconfig_for(self, token: str) -> str:
        """The text of a kubeconfig with that token."""
        authority = b64encode((self._folder / "pki" / "apiserver.crt").read_bytes()).decode()
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [
                    {"name": "test", "cluster": {"server": self.url, "certificate-authority-data": authority}}
                ],
                "users": [{"name": "test", "user": {"token": token}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            },
            indent=1,
        )

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl as the administrator and returns its output. Raises CalledProcessError when it fails."""
        command = [str(self._assets / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, input=stdin).stdout

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "tokens.csv").write_text(
            f'{self.token},admin,admin,"system:masters"\n{self.unprivileged_token},nobody,nobody\n'
        )
        key = self._folder / "service-account.key"
        if not key.exists():
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))

    def _etcd_command(self) -> Sequence[str]:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return (
            *("--data-dir", str(self._folder / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *(
                "--listen-peer-urls",
                peer,
                "--initial-advertise-peer-urls",
                peer,
                "--initial-cluster",
                f"default={peer}",
            ),
        )

    def _apiserver_command(self) -> Sequence[str]:
        _, groups = _DRA.get(self.minor, _DRA_LATER)
        key = self._folder / "service-account.key"
        return (
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            # It makes itself a certificate there, and finds it again after a restart.
            f"--cert-dir={self._folder / 'pki'}",
            f"--token-auth-file={self._folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            # Would refuse pods in namespaces without a service account, which only a controller manager makes.
            *([] if self._admits_accounts else ["--disable-admission-plugins=ServiceAccount"]),
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--endpoint-reconciler-type=none",
            f"--runtime-config={groups}",
            *self._feature_gates(),
        )

    def _feature_gates(self) -> Sequence[str]:
        default, _ = _DRA.get(self.minor, _DRA_LATER)
        gates = ",".join(filter(None, (default, self._gates)))
        return [f"--feature-gates={gates}"] if gates else []

    def _spawn(self, name: str, arguments: Sequence[str]) -> None:
        if name in self._processes:
            return
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [self._assets / name, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _end(self, name: str, signal_number: int) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.send_signal(signal_number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_ready(self) -> None:
        """Asks until the server says that it is ready. Raises RuntimeError with the end of its log."""
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self.token}"})
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode}:\n{self._log_end(name)}")
            try:
                with urllib.request.urlopen(request, timeout=5, context=unchecked):
                    return
            except OSError as error:
                if isinstance(error, urllib.error.HTTPError):
                    error.close()  # it holds a connection: a server that starts answers 500 for a while
                time.sleep(0.1)
        raise RuntimeError(f"not ready within {_START_SECONDS} s:\n{self._log_end('kube-apiserver')}")

    def _log_end(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")[-3000:]


def free_ports(count: int) -> list[int]:
    """Ports that no process uses now. Held all at once, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.fixture(scope="session")
def apiserver() -> Iterator[ApiServer]:
    """A real API server for the whole session. Tests that ask for it carry ``@pytest.mark.apiserver``.

    Fails when the binaries of ``KUBEBUILDER_ASSETS`` do not start. A test that kills it has to start it again.
    """
    assets = Path(os.environ[ASSETS_VARIABLE])
    with tempfile.TemporaryDirectory(prefix="apiserver-") as folder:
        server = ApiServer(assets, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture
async def client(apiserver: ApiServer) -> AsyncIterator[Client]:
    """A client of the real API server, as its administrator."""
    client = await Client.connect(kubeconfig=str(apiserver.kubeconfig), user_agent="fake-dra-driver-tests")
    yield client
    await client.close()


@pytest.fixture
def namespace(apiserver: ApiServer) -> str:
    """The name of a fresh namespace. It is left behind: no controller runs that would empty it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    apiserver.kubectl("create", "namespace", name)
    return name
