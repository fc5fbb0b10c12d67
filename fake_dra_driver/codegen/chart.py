"""A chart's manifests as objects, without helm: what ``helm template`` gives for the same values.

For clusters on which helm is not used, such as the embedded one. The chart is the only source, so that nothing has to
say a second time what a manifest looks like.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fake_dra_driver.codegen.gotemplate import GoTemplates
from fake_dra_driver.codegen.values import merged

__all__ = ["Manifest", "render_chart"]

Manifest = dict[str, Any]
"""An object of Kubernetes as YAML has it."""

_ORDER = (
    "ServiceAccount",
    "ConfigMap",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Deployment",
)
"""The order in which Helm installs kinds (kind_sorter.go); others come last."""


class _Files(dict[str, Any]):
    """``.Files``: what the chart has beside its templates."""

    def __init__(self, files: Mapping[str, str]) -> None:
        super().__init__(Get=lambda name: files.get(name, ""))


class _ApiVersions(dict[str, Any]):
    """``.Capabilities.APIVersions``."""

    def __init__(self, served: Sequence[str]) -> None:
        super().__init__(Has=lambda version: version in served)


def render_chart(
    files: Mapping[str, str],
    namespace: str,
    *,
    release: str,
    values: Mapping[str, Any] | None = None,
    kube_version: str = "1.30",
    api_versions: Sequence[str] = (),
) -> Sequence[Manifest]:
    """The objects of a chart in the order in which they are installed; the namespace itself is not among them.

    Args:
        files: of the chart, by path below its folder.
        namespace: where the release is.
        release: its name.
        values: as in a file of values: what differs from the chart's values.yaml. It is not checked against the schema.
        kube_version: release of Kubernetes, such as 1.30 or 1.30.14.
        api_versions: what the cluster serves, such as ``apps/v1`` and ``apps/v1/Deployment``.

    Raises:
        GoTemplateError: the chart refuses these values, or uses what ``gotemplate`` cannot execute.
    """
    chart = yaml.safe_load(files["Chart.yaml"])
    dot = {
        "Values": merged(yaml.safe_load(files["values.yaml"]), values or {}),
        "Chart": {"Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"]},
        "Release": {"Name": release, "Namespace": namespace, "Service": "Helm", "IsInstall": True, "IsUpgrade": False},
        "Files": _Files(files),
        "Capabilities": {"APIVersions": _ApiVersions(api_versions), "KubeVersion": {"Version": f"v{kube_version}"}},
    }
    templates = GoTemplates()
    names = [name for name in files if name.startswith("templates/")]
    for name in names:
        templates.add(name, files[name])
    rendered = [templates.execute(name, dot) for name in names if name.endswith(".yaml")]
    found = [manifest for text in rendered for manifest in yaml.safe_load_all(text) if manifest]
    return sorted(found, key=lambda manifest: _place(manifest["kind"]))


def _place(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
