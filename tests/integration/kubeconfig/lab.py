"""Servers, proxies and certificates for one session, and the stage on which a program finds its kubeconfigs."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.integration.kubeconfig.authority import Authority, Issued
from tests.integration.kubeconfig.records import Recorder
from tests.integration.kubeconfig.servers import HttpProxy, Listener, RecordingServer, SilentServer, SocksProxy

__all__ = ["FOLDER", "HOME", "KUBECONFIG", "NOTES", "Document", "Lab", "Scene", "encoded", "kubeconfig"]

Document = Mapping[str, Any]

HOME: Final = "home"
FOLDER: Final = "work"
"""The working directory."""
KUBECONFIG: Final = f"{HOME}/config"
"""Where a scene's kubeconfig is that names no others: not in the working directory."""

NOTES: Final = "notes"
"""Where a plugin notes what it was started with."""

_API_HOST: Final = "api.cluster.invalid"
"""A name that no resolver knows, since only proxies are to be asked for it (RFC 6761)."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a program finds. ``ROOT`` stands for the folder of all in texts, documents, variables and arguments."""

    files: Mapping[str, "str | bytes | Document | None"]
    """By path in that folder: text, a document that becomes JSON, or None for a folder."""
    environment: Mapping[str, str] = field(default_factory=lambda: {"KUBECONFIG": f"ROOT/{KUBECONFIG}"})
    """Besides HOME, PATH and TMPDIR."""
    arguments: Sequence[str] = ()
    """Flags that both programs have."""
    programs: Sequence[str] = ()
    """Files that are made executable."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Symbolic links, by path: to which file in that folder."""

    def set_up(self, root: Path) -> None:
        """Writes the files into an empty folder."""
        for folder in (HOME, FOLDER, "tmp"):
            (root / folder).mkdir()
        for name, content in self.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.mkdir()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                text = content if isinstance(content, str) else json.dumps(content, indent=1)
                path.write_text(text.replace("ROOT", str(root)))
        for name, target in self.links.items():
            (root / name).symlink_to(root / target)
        for name in self.programs:
            (root / name).chmod(0o755)


class Lab:
    """What kubeconfigs can name. Use ``Lab.open``."""

    def __init__(self, folder: Path) -> None:
        self.recorder = Recorder()
        self.authority, self.other_authority = Authority("authority of a test"), Authority("another authority")
        self.alice, self.bob = self.authority.person("alice"), self.authority.person("bob")
        self.mallory = self.other_authority.person("mallory")
        key = load_pem_private_key(self.alice.key, None)
        self.old_key = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        """Of Alice."""
        self.locked_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
        """Of Alice."""
        own = self.authority.server("127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "localhost", _API_HOST)
        tls: dict[str, Any] = {"identity": own, "clients": self.authority, "folder": folder}
        plain: dict[str, Any] = {"folder": folder}
        self.http = RecordingServer("http", self.recorder, **plain)
        self.http6 = RecordingServer("http on ::1", self.recorder, address="::1", **plain)
        self.tls = RecordingServer("tls", self.recorder, **tls)
        self.second = RecordingServer("second", self.recorder, **tls)
        self.tls6 = RecordingServer("tls on ::1", self.recorder, address="::1", **tls)
        self.misnamed = self._server("misnamed", self.authority.server("kube.test"), folder)
        self.stranger = self._server("stranger", self.other_authority.server("127.0.0.1"), folder)
        self.expired = self._server("expired", self.authority.server("127.0.0.1", expired=True), folder)
        self.silent = SilentServer("silent", self.recorder, **tls)
        self.silent6 = SilentServer("silent on ::1", self.recorder, address="::1", **tls)
        self.proxy = HttpProxy("proxy", self.recorder, self._way_to, **plain)
        self.second_proxy = HttpProxy("second proxy", self.recorder, self._way_to, **plain)
        self.tls_proxy = HttpProxy("proxy with TLS", self.recorder, self._way_to, identity=own, **plain)
        self.locked_proxy = HttpProxy("locked proxy", self.recorder, self._way_to, "alice:pass word", **plain)
        self.lost_proxy = HttpProxy("lost proxy", self.recorder, lambda _: None, **plain)
        self.socks = SocksProxy("socks", self.recorder, self._way_to, **plain)
        self.locked_socks = SocksProxy("locked socks", self.recorder, self._way_to, "alice:pass word", **plain)

    @property
    def far(self) -> str:
        """URL of ``tls`` by a name that only a proxy knows."""
        return f"https://{_API_HOST}:{self.tls.port}"

    @property
    def far_http(self) -> str:
        """URL of ``http`` by a name that only a proxy knows."""
        return f"http://{_API_HOST}:{self.http.port}"

    @property
    def near(self) -> str:
        """URL of ``tls`` by an address that leads to this machine and is none of loopback: proxies are used for it."""
        return f"https://0.0.0.0:{self.tls.port}"

    @property
    def near6(self) -> str:
        """URL of ``tls6`` by such an address."""
        return f"https://[::]:{self.tls6.port}"

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator["Lab"]:
        """All servers, running."""
        lab = cls(folder)
        with ExitStack() as stack:
            for listener in lab._listeners():
                stack.enter_context(listener.running())
            yield lab

    def _listeners(self) -> Sequence[Listener]:
        return [value for value in vars(self).values() if isinstance(value, Listener)]

    def _server(self, name: str, identity: Issued, folder: Path) -> RecordingServer:
        return RecordingServer(name, self.recorder, identity=identity, clients=self.authority, folder=folder)

    def _way_to(self, target: str) -> tuple[str, int] | None:
        """A server is found by its port, whatever the name."""
        port = int(target.rpartition(":")[2])
        return next(((known.address, port) for known in self._listeners() if known.port == port), None)

    def trusted(self, server: Listener | str, **fields: Any) -> Document:
        """Fields of a cluster with the authority inline."""
        url = server if isinstance(server, str) else server.url
        return {"server": url, "certificate-authority-data": encoded(self.authority.certificate), **fields}


def encoded(content: bytes | str) -> str:
    """As the fields whose names end with ``-data`` have it."""
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def kubeconfig(cluster: Document | None, user: Document | None = None, name: str = "here", **context: str) -> Document:
    """A kubeconfig of one context with its cluster and user. None leaves the entry out, and the context names it."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [] if cluster is None else [{"name": name, "cluster": cluster}],
        "users": [] if user is None else [{"name": name, "user": user}],
        "contexts": [
            {"name": name, "context": {"cluster": name, **({} if user is None else {"user": name}), **context}}
        ],
    }
