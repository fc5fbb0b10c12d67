"""The kubectl commands of the quickstart, for machines that have no kubectl: the same arguments, the same text.

``get`` (the table that the server makes, JSON or YAML), ``describe`` of any kind, ``apply``, ``delete --wait=false``
and ``logs``. Everything else is refused; for more there is kubectl itself.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.cluster import ClusterError
from fake_dra_driver.cluster.documents import Document, read_documents
from fake_dra_driver.demo.describe import columns, describe
from fake_dra_driver.demo.yamloutput import as_yaml
from fake_dra_driver.runtime.credentials import Credentials
from fake_dra_driver.runtime.errors import AlreadyExistsError, NotFoundError
from fake_dra_driver.runtime.patch import APPLY
from fake_dra_driver.runtime.rest import Call, RestClient
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpTransport

__all__ = ["BuiltinKubectl"]

_DISCOVERY = "application/json;v=v2beta1;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_TIMEOUT_SECONDS = 30.0
_TABLE_PADDING = 3
_NOWHERE = NamespacedName("", "")
_VALUES = {
    "-n": "namespace",
    "--namespace": "namespace",
    "-f": "filename",
    "--filename": "filename",
    "-c": "container",
    "--container": "container",
    "-o": "output",
    "--output": "output",
    "--wait": "wait",
}
_SWITCHES = {"-A": "all", "--all-namespaces": "all"}


@dataclass(slots=True)
class _Arguments:
    """A parsed command line."""

    words: list[str] = field(default_factory=list)
    namespace: str = "default"
    filename: list[Path] = field(default_factory=list)
    container: str = ""
    output: str = ""
    wait: str = "true"
    all: bool = False


@dataclass(frozen=True, slots=True)
class _Served:
    """A resource, as discovery describes it."""

    kind: ResourceKind
    names: frozenset[str]
    """The names that people may use for it, in lower case."""


class BuiltinKubectl:
    """kubectl on one cluster; to be closed in the end."""

    def __init__(self, rest: RestClient) -> None:
        """Sends its requests through ``rest``."""
        self._rest = rest

    @classmethod
    async def connect(cls, kubeconfig: Path) -> "BuiltinKubectl":
        """Connects to the cluster of a kubeconfig. Raises CredentialsError when that cannot be used."""
        credentials = await Credentials.load(str(kubeconfig))
        return cls(RestClient(Session(HttpTransport(credentials), credentials, user_agent="kubectl")))

    async def close(self) -> None:
        """Closes its connections."""
        await self._rest.close()

    async def __call__(self, *arguments: str) -> str:
        """Runs a command; ``arguments`` are those of kubectl. Returns what it prints.

        Raises:
            ClusterError: the command or a flag is not built in, or a file is no manifest.
            ApiError: the API server refused.
        """
        command, given = arguments[0], _parse(arguments[1:])
        match command:
            case "get":
                return await self._get(given)
            case "describe":
                return await self._describe(given)
            case "apply":
                return await self._apply(given)
            case "delete" if given.wait == "false":
                return await self._delete(given)
            case "logs":
                return await self._logs(given)
            case _:
                raise ClusterError(
                    f"kubectl is not installed here, and its command {' '.join(arguments)!r} is not built in"
                )

    async def _get(self, given: _Arguments) -> str:
        kind, name = await self._target(given.words)
        namespace = None if given.all else given.namespace
        path = kind.path(namespace, name)
        if given.output == "json":
            return json.dumps(await self._read(kind, path, NamespacedName(namespace or "", name or "")), indent=4)
        if given.output == "yaml":
            return as_yaml(await self._read(kind, path, NamespacedName(namespace or "", name or "")))
        if given.output:
            raise ClusterError(f"kubectl is not installed here, and its output {given.output!r} is not built in")
        table = await self._read(kind, path, NamespacedName(namespace or "", name or ""), accept=_TABLE)
        if not table.get("rows"):
            where = "" if given.all or not kind.namespaced else f" in {given.namespace} namespace"
            return f"No resources found{where}.\n" if where else "No resources found\n"
        shown = [number for number, each in enumerate(table["columnDefinitions"]) if each.get("priority", 0) == 0]
        rows = [[table["columnDefinitions"][number]["name"].upper() for number in shown]]
        rows += [[str(row["cells"][number]) for number in shown] for row in table["rows"]]
        if given.all and kind.namespaced:
            spaces = ["NAMESPACE", *(row["object"]["metadata"]["namespace"] for row in table["rows"])]
            rows = [[space, *row] for space, row in zip(spaces, rows, strict=True)]
        return columns(rows, _TABLE_PADDING)

    async def _describe(self, given: _Arguments) -> str:
        kind, name = await self._target(given.words)
        if not name:
            raise ClusterError("kubectl is not installed here: name the object to describe, as in nas/NAME")
        key = NamespacedName(given.namespace if kind.namespaced else "", name)
        found = await self._read(kind, kind.path(key.namespace, name), key)
        event = ResourceKind("", "v1", "Event", "events")
        selector = {"fieldSelector": f"involvedObject.uid={found['metadata']['uid']}"}
        events = await self._read(event, event.path(key.namespace or None), _NOWHERE, params=selector)
        return describe(found, events.get("items") or [], datetime.now(UTC))

    async def _apply(self, given: _Arguments) -> str:
        lines = []
        for document, kind, key in await self._documents(given):
            body = json.dumps(document.manifest).encode()
            path, namespace = kind.path(key.namespace or None, key.name), key.namespace or None
            try:
                await self._send("create", "POST", kind, key, kind.path(namespace), body=body)
                outcome = "created"
            except AlreadyExistsError:
                before = await self._read(kind, path, key)
                params = {"fieldManager": "kubectl", "force": "true"}
                after = await self._send(
                    "patch", "PATCH", kind, key, path, body=body, params=params, content_type=APPLY
                )
                same = before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
                outcome = "unchanged" if same else "configured"
            lines.append(f"{_shown(kind)}/{key.name} {outcome}\n")
        return "".join(lines)

    async def _delete(self, given: _Arguments) -> str:
        lines = []
        for _, kind, key in await self._documents(given):
            try:
                await self._send("delete", "DELETE", kind, key, kind.path(key.namespace or None, key.name))
            except NotFoundError:
                continue
            lines.append(f'{_shown(kind)} "{key.name}" deleted\n')
        return "".join(lines)

    async def _logs(self, given: _Arguments) -> str:
        kind = ResourceKind("", "v1", "Pod", "pods")
        (name,) = given.words
        params = {"container": given.container} if given.container else {}
        key = NamespacedName(given.namespace, name)
        call = Call("get", "GET", kind, key, kind.path(given.namespace, name, "log"), params, accept="*/*")
        async with self._rest.stream(call, _TIMEOUT_SECONDS) as stream, asyncio.timeout(_TIMEOUT_SECONDS):
            return (await stream.response()).body.decode(errors="replace")

    # --- requests ---

    async def _target(self, words: Sequence[str]) -> tuple[ResourceKind, str | None]:
        """``pods``, ``pods NAME`` or ``pods/NAME``."""
        resource, _, name = (words[0] if words else "").partition("/")
        name = name or (words[1] if len(words) > 1 else "")
        for served in await self._discover():
            if resource.lower() in served.names:
                return served.kind, name or None
        raise ClusterError(f'the server doesn\'t have a resource type "{resource}"')

    async def _documents(self, given: _Arguments) -> list[tuple[Document, ResourceKind, NamespacedName]]:
        documents = await asyncio.to_thread(read_documents, *given.filename)
        kinds = {(each.kind.api_version, each.kind.kind): each.kind for each in await self._discover()}
        found = []
        for document in documents:
            kind = kinds.get((document.api_version, document.kind))
            if kind is None:
                what = f'no matches for kind "{document.kind}" in version "{document.api_version}"'
                raise ClusterError(f"{document.origin}: {what}: ensure CRDs are installed first")
            namespace = (document.namespace or given.namespace) if kind.namespaced else ""
            found.append((document, kind, NamespacedName(namespace, document.name)))
        return found

    async def _discover(self) -> list[_Served]:
        return [
            _Served(
                ResourceKind(
                    group=group["metadata"].get("name", ""),
                    version=version["version"],
                    kind=resource["responseKind"]["kind"],
                    plural=resource["resource"],
                    namespaced=resource["scope"] == "Namespaced",
                ),
                frozenset(
                    name.lower()
                    for name in (
                        resource["resource"],
                        resource.get("singularResource") or resource["responseKind"]["kind"],
                        *resource.get("shortNames", ()),
                    )
                ),
            )
            for path in ("/api", "/apis")
            for group in (await self._read(_ANY, path, _NOWHERE, accept=_DISCOVERY))["items"]
            for version in group["versions"]
            for resource in version["resources"]
        ]

    async def _read(
        self,
        kind: ResourceKind,
        path: str,
        key: NamespacedName,
        *,
        params: Mapping[str, str] | None = None,
        accept: str = "application/json",
    ) -> dict[str, Any]:
        return await self._rest.call(Call("get", "GET", kind, key, path, params or {}, accept=accept), _TIMEOUT_SECONDS)

    async def _send(
        self,
        verb: str,
        method: str,
        kind: ResourceKind,
        key: NamespacedName,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        call = Call(verb, method, kind, key, path, params or {}, body=body, content_type=content_type)
        return await self._rest.call(call, _TIMEOUT_SECONDS)


_ANY = ResourceKind("", "", "APIGroup", "groups", namespaced=False)
"""For messages about discovery."""


def _shown(kind: ResourceKind) -> str:
    return f"{kind.kind.lower()}.{kind.group}" if kind.group else kind.kind.lower()


def _parse(arguments: Sequence[str]) -> _Arguments:
    parsed = _Arguments()
    left = list(arguments)
    while left:
        flag, is_one_word, value = left.pop(0).partition("=")
        if not flag.startswith("-"):
            parsed.words.append(flag)
        elif flag in _SWITCHES:
            setattr(parsed, _SWITCHES[flag], True)
        elif flag in _VALUES and (is_one_word or left):
            value = value if is_one_word else left.pop(0)
            if _VALUES[flag] == "filename":
                parsed.filename.append(Path(value))
            else:
                setattr(parsed, _VALUES[flag], value)
        else:
            raise ClusterError(f"kubectl is not installed here, and its flag {flag} is not built in")
    return parsed
