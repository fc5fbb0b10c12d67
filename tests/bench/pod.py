"""Starts a program as the kubelet does, with a service account and no kubeconfig: what it loads depends on that.

The service account stands where every pod has it, in a mount namespace of the program's own (``unshare`` of util-linux,
which needs no rights for that).
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

from tests.bench.manifest import DRIVER_NAMESPACE

__all__ = ["PodLauncher"]

_SCRIPT: Final = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/secrets/kubernetes.io
ln -s "$0" /run/secrets/kubernetes.io/serviceaccount
exec "$@"
"""
"""/var/run is a link to /run; the process keeps its number."""


@dataclass(frozen=True, slots=True)
class PodLauncher:
    """Makes commands that find a token where a pod finds its own: the administrator's, where rights do not matter."""

    account: Path
    server: str

    @classmethod
    def make(cls, kubeconfig: Path, account: Path, token: str | None = None) -> "PodLauncher":
        """Writes the files of the service account, which is the administrator's without a token. Blocks."""
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        account.mkdir(parents=True, exist_ok=True)
        (account / "token").write_text(token or user["token"])
        (account / "ca.crt").write_bytes(b64decode(cluster["certificate-authority-data"]))
        (account / "namespace").write_text(DRIVER_NAMESPACE)
        return cls(account.absolute(), cluster["server"])

    def command(self, command: Sequence[str]) -> Sequence[str]:
        """The command that runs ``command`` as in a pod."""
        return ["unshare", "--map-root-user", "--mount", "sh", "-c", _SCRIPT, str(self.account), *command]

    def environment(self) -> Mapping[str, str]:
        """What the kubelet tells a pod, and no trace of a kubeconfig."""
        address = urlsplit(self.server)
        return {
            "KUBERNETES_SERVICE_HOST": address.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(address.port or 443),
            "KUBECONFIG": "",
            "HOME": "/nonexistent",
        }
