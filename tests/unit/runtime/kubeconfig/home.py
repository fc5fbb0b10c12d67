"""A person's home with a kubeconfig in it, and which row of the table in docs/kubeconfig.md a test is for."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from fake_dra_driver.runtime.credentials import Credentials

__all__ = ["PLAIN", "ROWS", "TLS", "Home", "row"]

T = TypeVar("T", bound=Callable[..., Any])

ROWS: Final[dict[str, list[str]]] = {}
"""For each row of the table the names of its tests."""
TLS: Final = {"server": "https://api.example:6443"}
PLAIN: Final = {"server": "http://api.example"}


def row(feature: str) -> Callable[[T], T]:
    """Says which row, by its first cell, a test is for."""

    def note(test: T) -> T:
        ROWS.setdefault(feature, []).append(test.__name__)
        return test

    return note


class Home:
    """A home, and the environment of a program that runs there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}

    def write(self, name: str, content: str | bytes | Mapping[str, Any]) -> Path:
        """Writes a file of the home."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content) if isinstance(content, Mapping) else content
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def config(
        self,
        *,
        cluster: Mapping[str, Any] | None = None,
        user: Mapping[str, Any] | None = None,
        context: Mapping[str, str] | None = None,
        name: str = ".kube/config",
    ) -> Path:
        """Writes a kubeconfig with one context, which is the current one."""
        return self.write(
            name,
            {
                "current-context": "here",
                "clusters": [{"name": "there", "cluster": TLS if cluster is None else cluster}],
                "users": [{"name": "me", "user": {"token": "mine"} if user is None else user}],
                "contexts": [{"name": "here", "context": {"cluster": "there", "user": "me", **(context or {})}}],
            },
        )

    async def load(self, kubeconfig: Path | str | None = None, **options: Any) -> Credentials:
        """Reads the credentials as a program does that is started here."""
        path = None if kubeconfig is None else str(kubeconfig)
        options.setdefault("service_account_dir", self.folder / "serviceaccount")
        return await Credentials.load(path, environment=self.environment, **options)

    async def headers(self) -> dict[str, list[str]]:
        """What a request says about who we are."""
        credentials = await self.load()
        found: dict[str, list[str]] = {}
        for name, value in credentials.headers(await credentials.token()):
            found.setdefault(name, []).append(value)
        return found
