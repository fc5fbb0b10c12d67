"""A driver's chart as it is installed in the cluster: as ``helm install`` would do it, without helm."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.codegen.chart import Manifest, render_chart
from fake_dra_driver.codegen.gotemplate import GoTemplateError

__all__ = ["chart_manifests"]


def chart_manifests(
    cluster: Cluster,
    chart: Path,
    namespace: str,
    *,
    release: str | None = None,
    values: Mapping[str, Any] | None = None,
    crds: Path | None = None,
) -> Sequence[Manifest]:
    """Namespace, CRDs and what the chart has, in the order in which they are installed. Blocks while it reads files.

    Args:
        cluster: whose release and API versions the chart is told.
        chart: its folder.
        namespace: where it is installed.
        release: its name; None: that of the chart.
        values: what differs from its values.yaml.
        crds: a folder of CRDs that are installed first, in addition to the chart's own ``crds``.

    Raises:
        ClusterError: the folder is no chart, or the chart refuses these values.
    """
    files = {str(path.relative_to(chart)): path.read_text(encoding="utf-8") for path in _files(chart)}
    if "Chart.yaml" not in files:
        raise ClusterError(f"{chart} is no chart: it has no Chart.yaml")
    served = [f"{each.api_version}{part}" for each in cluster.server.registry for part in ("", f"/{each.kind}")]
    try:
        installed = render_chart(
            files,
            namespace,
            release=release or yaml.safe_load(files["Chart.yaml"])["name"],
            values=values,
            kube_version=cluster.kubernetes_version,
            api_versions=served,
        )
    except GoTemplateError as error:
        raise ClusterError(f"The chart {chart} cannot be rendered: {error}") from error
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        *(_crds(crds) if crds is not None else ()),
        *_crds(chart / "crds"),
        *installed,
    ]


def _files(chart: Path) -> Sequence[Path]:
    return sorted(path for path in chart.rglob("*") if path.is_file()) if chart.is_dir() else []


def _crds(folder: Path) -> Iterator[Manifest]:
    for path in sorted(folder.glob("*.yaml")):
        yield from (found for found in yaml.safe_load_all(path.read_text(encoding="utf-8")) if found)
