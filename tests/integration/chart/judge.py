"""API servers that are asked about each object by itself: would it be created, every field known and valid?"""

import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import httpx

from tests.conformance.api import PATIENCE_SECONDS, Api
from tests.conformance.definitions import install
from tests.conformance.target import Target
from tests.integration.chart.customkinds import CUSTOM_KINDS
from tests.integration.chart.rendering import Object

__all__ = ["Judge", "judge_of"]

_DRY_RUN: Final[Mapping[str, Any]] = {"dryRun": "All", "fieldValidation": "Strict"}


class Judge:
    """One API server, which is left as it is but for namespaces and the definitions of other projects' kinds."""

    def __init__(self, api: Api, *, reads_yaml: bool) -> None:
        """Asks a server.

        Args:
            api: a client of it, as its administrator.
            reads_yaml: whether it is sent what helm wrote; else JSON, where its reader of YAML is like ``rendering``.
        """
        self._api = api
        self._reads_yaml = reads_yaml
        self._namespaces: set[str] = set()
        self._resources: dict[str, tuple[str, bool]] = {}
        for definition in CUSTOM_KINDS:
            install(api, definition)
        for group_version in self._group_versions():
            self._learn(group_version)
        self.release = str(api.get("/version")["gitVersion"]).removeprefix("v")
        """Of Kubernetes."""

    @property
    def served(self) -> Sequence[str]:
        """Group versions and kinds, as helm is told of them."""
        return sorted({*self.group_versions, *self._resources})

    @property
    def group_versions(self) -> Collection[str]:
        """As ``apps/v1``."""
        return {kind.rpartition("/")[0] for kind in self._resources}

    def serves(self, kind: str) -> bool:
        """Whether there is such a kind, as ``apps/v1/Deployment``."""
        return kind in self._resources

    def is_namespaced(self, kind: str) -> bool:
        """Whether objects of the kind live in namespaces."""
        return self._resources[kind][1]

    def objection(self, each: Object) -> str:
        """Why the server would not create the object; empty: it would."""
        path, namespaced = self._resources[each.kind]
        if namespaced:
            namespace = each.manifest["metadata"].get("namespace")
            if not isinstance(namespace, str):
                return f"its namespace is {namespace!r}"
            self._ensure_namespace(namespace)
            path = path.format(namespace=namespace)
        body, media = (each.text, "application/yaml") if self._reads_yaml else (dict(each.manifest), "application/json")
        answer = self._api.call("POST", path, body, content_type=media, **_DRY_RUN)
        if answer.status_code != httpx.codes.CREATED:
            return f"{answer.status_code} {answer.text}"
        warning = str(answer.headers.get("Warning", ""))
        # A value can ask for an older version of DRA than the server prefers.
        is_asked_for = each.kind.startswith("resource.k8s.io/") and " is deprecated in " in warning
        return "" if is_asked_for else warning

    def _ensure_namespace(self, name: str) -> None:
        if name not in self._namespaces:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            answer = self._api.call("POST", "/api/v1/namespaces", body)
            assert answer.status_code in {httpx.codes.CREATED, httpx.codes.CONFLICT}, answer.text
            self._namespaces.add(name)

    def _group_versions(self) -> Iterator[str]:
        yield from self._api.get("/api")["versions"]
        for group in self._api.get("/apis")["groups"]:
            yield from (version["groupVersion"] for version in group["versions"])

    def _learn(self, group_version: str) -> None:
        root = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
        for resource in self._api.get(root)["resources"]:
            if "/" not in resource["name"]:
                where = "/namespaces/{namespace}" if resource["namespaced"] else ""
                path = f"{root}{where}/{resource['name']}"
                self._resources[f"{group_version}/{resource['kind']}"] = (path, resource["namespaced"])


@contextmanager
def judge_of(target: Target, *, reads_yaml: bool) -> Iterator[Judge]:
    """Asks a server as its administrator, until the block ends; see ``Judge``."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    headers = {"Authorization": f"Bearer {target.token}"}
    with httpx.Client(base_url=target.url, headers=headers, verify=trust, timeout=PATIENCE_SECONDS) as http:
        yield Judge(Api(http), reads_yaml=reads_yaml)
