"""What helm makes of an installation: objects, or a refusal, which has to be in the chart's own words."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from fake_dra_driver.cluster.apiserver.http.yamlbody import read_yaml
from tests.integration.chart.installation import CHART_NAME, Installation
from tests.support.helm import HELM

__all__ = ["HelmError", "Object", "Refused", "Renderer"]

Manifest = Mapping[str, Any]

_HELM_SECONDS: Final = 60
_FAIL: Final = re.compile(r"execution error at \((?P<place>[^)]*)\): (?P<words>.+)", re.DOTALL)
"""How helm shows the words of a chart's ``fail``."""
_SCHEMA: Final = "values don't meet the specifications of the schema(s)"
_SOURCE: Final = re.compile(r"^# Source: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Object:
    """An object that helm has rendered."""

    text: str
    """In YAML, as it is sent to the API server."""
    manifest: Manifest

    @property
    def kind(self) -> str:
        """As ``apps/v1/Deployment``."""
        return f"{self.manifest['apiVersion']}/{self.manifest['kind']}"

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str | None:
        """None: it has none."""
        found = self.manifest["metadata"].get("namespace")
        return None if found is None else str(found)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Refused:
    """The chart does not want to be installed like that."""

    words: str
    """Those of the chart, or what helm says about a value that the schema does not allow."""


class HelmError(AssertionError):
    """helm ends with something else than words of the chart: a template fails, or yields no YAML."""


class Renderer:
    """Runs helm on the chart, by itself or below a parent."""

    def __init__(self, chart: Path, parents: Path) -> None:
        self._chart = chart
        self._parents = parents

    def render(self, installation: Installation) -> Sequence[Object] | Refused:
        """What ``helm template`` says. Raises HelmError."""
        said = self.run("template", installation, *installation.cluster.flags())
        return said if isinstance(said, Refused) else objects_of(said)

    def run(self, command: str, installation: Installation, *flags: str) -> str | Refused:
        """The output of a command of helm that takes a release and a chart. Raises HelmError."""
        chart = self._chart if installation.alias is None else self._parent(installation.alias)
        where = (installation.release, str(chart), f"--namespace={installation.namespace}")
        ended = subprocess.run(
            [str(HELM), command, *where, "--values=-", *flags],
            input=installation.values_file(),
            capture_output=True,
            text=True,
            timeout=_HELM_SECONDS,
            check=False,
        )
        return ended.stdout if ended.returncode == 0 else _refusal(ended.stderr)

    def _parent(self, alias: str) -> Path:
        """A chart with nothing but the chart as a dependency, which a value of the parent switches on."""
        folder = self._parents / (alias or "plain")
        if not folder.exists():
            shutil.copytree(self._chart, folder / "charts" / CHART_NAME)
            description = yaml.safe_load((self._chart / "Chart.yaml").read_text(encoding="utf-8"))
            dependency = {
                "name": CHART_NAME,
                "version": description["version"],
                "condition": f"{alias or CHART_NAME}.enabled",
                **({"alias": alias} if alias else {}),
            }
            parent = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [dependency]}
            (folder / "Chart.yaml").write_text(yaml.safe_dump(parent), encoding="utf-8")
        return folder


def objects_of(rendered: str) -> Sequence[Object]:
    """The objects of helm's output. Raises HelmError where it is not YAML that every reader takes alike."""
    objects = []
    for text in re.split(r"^---\n", rendered, flags=re.MULTILINE):
        manifest, duplicates = read_yaml(text.encode())
        if duplicates:
            raise HelmError(f"keys that are there twice: {duplicates}\n{text}")
        if manifest is not None:
            objects.append(Object(text, manifest))
    return objects


def _refusal(said: str) -> Refused:
    found = _FAIL.search(said)
    if found:
        return Refused(found["words"])
    if _SCHEMA in said:
        return Refused(said)
    raise HelmError(said)
